"""Lakes on every kind of catalog and store, as runner.yaml names them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.lake_tables import RUNNER
from support.rest_catalog import WAREHOUSE, rest_catalog
from support.s3_server import KEYS, S3Server

from quality_platform.lake.catalog import Lake

KINDS = ("sqlite_local", "sqlite_s3", "rest_s3", "glue_s3")


def s3_properties(store: S3Server) -> dict[str, str]:
    """pyiceberg's properties of the store."""
    return {
        "s3.endpoint": store.endpoint,
        "s3.region": "us-east-1",
        "s3.access-key-id": KEYS["access_key_id"],
        "s3.secret-access-key": KEYS["secret_access_key"],
    }


@contextmanager
def lake_settings(kind: str, folder: Path, store: S3Server) -> Iterator[dict[str, Any]]:
    """The section `lake` for a new, empty lake of this kind."""
    folder.mkdir(parents=True, exist_ok=True)
    database = f"sqlite:///{folder}/catalog.db"
    if kind == "sqlite_local":
        yield {"catalog": {"uri": database}, "warehouse": str(folder / "ware house+%20ä")}
        return
    warehouse = f"s3://{store.bucket(f'lake-{uuid.uuid4().hex[:8]}')}/ware house+%20ä"
    s3 = s3_properties(store)
    match kind:
        case "sqlite_s3":
            yield {"catalog": {"uri": database, "properties": s3}, "warehouse": warehouse}
        case "rest_s3":
            own = {"uri": database, "warehouse": warehouse, **s3}
            with rest_catalog(own, vended=s3) as server:
                yield {"catalog": server.settings, "warehouse": WAREHOUSE}
        case "glue_s3":
            store.forget_databases()
            glue = {
                "glue.endpoint": store.endpoint,
                "glue.region": "us-east-1",
                "glue.access-key-id": KEYS["access_key_id"],
                "glue.secret-access-key": KEYS["secret_access_key"],
            }
            yield {
                "catalog": {"type": "glue", "properties": {**glue, **s3}},
                "warehouse": warehouse,
            }
        case _:
            raise ValueError(kind)


def lake_of(settings: Mapping[str, Any]) -> Lake:
    """A handle of the lake; each call gives another, as another process would have."""
    catalog = settings["catalog"]
    properties = {"type": catalog.get("type", "sql"), **catalog.get("properties", {})}
    if "uri" in catalog:
        properties["uri"] = catalog["uri"]
    warehouse = settings["warehouse"]
    properties["warehouse"] = f"file://{warehouse}" if warehouse.startswith("/") else warehouse
    return Lake("lake", properties, RUNNER)
