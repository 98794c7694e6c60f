"""What Dagster keeps of a run that could not use its catalog: no secret."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from support.dagster_runs import failure, run
from support.project import Project, csv_text, integer, key
from support.rest_catalog import CLIENT, TOKEN, WAREHOUSE, rest_catalog

WRONG = "wr0ng-s3cr3t"


def test_dagster_shows_no_secret_of_a_catalog(
    project: Project, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    own = {"uri": f"sqlite:///{tmp_path}/rest.db", "warehouse": f"file://{tmp_path}/warehouse"}
    with rest_catalog(own) as server:
        properties = {"credential": f"{CLIENT}:{WRONG}"}
        catalog = {**server.settings, "properties": properties}
        project.settings["lake"] = {"catalog": catalog, "warehouse": WAREHOUSE}
        project.table("orders", {"id": key(integer())})
        project.deliver("orders/a.csv", csv_text("id", [(1,)]))
        result = run(project.open(), instance, ["shop/orders"])
    message, told = failure(result, "load_orders")
    assert message.startswith("QP307 ")
    assert told["transient"] is False
    kept = [str(entry) for entry in instance.all_logs(result.run_id)]
    kept += [
        path.read_bytes().decode(errors="replace") for path in _files(Path(instance.root_directory))
    ]
    assert not [text for text in kept if WRONG in text or TOKEN in text]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
