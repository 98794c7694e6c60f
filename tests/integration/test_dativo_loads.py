"""Jobs of Dativo, loaded: what they fail at there comes out right here."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command_line import call
from support.dativo import DativoProject
from support.project import column_of, rows_of_table

from quality_platform.errors import SourceChangedError
from quality_platform.flows.load_table import load_table
from quality_platform.flows.outcomes import TableOutcome
from quality_platform.flows.platform import Platform
from quality_platform.flows.samples import MASK
from quality_platform.flows.table_status import quarantined_rows

VISITS = "oak.oak_park_visits"
HEADER = "visit_id;guest;park;fee;entered_at\n"


@pytest.fixture
def dativo(tmp_path: Path, home: Path) -> DativoProject:
    return DativoProject.copied(tmp_path / "project")


def run(platform: Platform, name: str = "oak_park_visits") -> TableOutcome:
    outcome = load_table(platform, name, "run-1")
    assert outcome.rows_read == outcome.rows_published + outcome.rows_quarantined
    return outcome


def deliver(dativo: DativoProject, *rows: str, encoding: str = "latin-1") -> None:
    path = dativo.folder / "landing" / "visits.csv"
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding=encoding)


def reasons(platform: Platform, name: str = "oak_park_visits") -> dict[int, set[str]]:
    """Why rows are held back, by the line of their source."""
    return {row["_source_line"]: set(row["_reasons"]) for row in quarantined_rows(platform, name)}


@pytest.mark.parametrize("mode", ["strict", "warn"])
def test_rows_that_break_the_asset_are_held_back_and_the_others_published(
    dativo: DativoProject, mode: str
):
    # In Dativo strict drops the whole job, and warn writes the broken rows.
    dativo.change("jobs/oak/visits.yaml", "mode: strict", f"mode: {mode}")
    platform = dativo.open()

    outcome = run(platform)
    assert (outcome.rows_published, outcome.rows_quarantined) == (2, 2)
    assert column_of(platform, VISITS, "guest") == ["Ida", "Zoë"]
    assert set(reasons(platform)) == {3, 4}


def test_times_without_a_zone_are_in_utc(dativo: DativoProject):
    platform = dativo.open()
    run(platform)

    times = [time.isoformat() for time in column_of(platform, VISITS, "entered_at")]
    assert times == ["2026-03-01T09:30:00+00:00", "2026-03-02T12:15:00+00:00"]


def test_a_fraction_never_becomes_an_integer(dativo: DativoProject):
    deliver(dativo, "1.9;Ann;north;1;2026-03-01 09:30:00", "2;Bob;north;1;2026-03-01 09:30:00")
    platform = dativo.open()

    # In Dativo 1.9 becomes 1 without an error.
    assert run(platform).rows_quarantined == 1
    assert column_of(platform, VISITS, "visit_id") == [2]


def test_nothing_new_is_no_error(dativo: DativoProject):
    platform = dativo.open()
    run(platform)

    # In Dativo zero new rows are an error, and are tried again.
    again = run(platform)
    assert (again.rows_read, again.state) == (0, "nothing_new")
    assert len(rows_of_table(platform, VISITS)) == 2


def test_a_second_load_of_a_day_adds_to_the_first(dativo: DativoProject):
    dativo.change("jobs/oak/visits.yaml", "landing/visits.csv", "landing/visits*.csv")
    platform = dativo.open()
    run(platform)
    rows = HEADER + "9;Eva;south;1;2026-03-02 18:00:00\n"
    (dativo.folder / "landing" / "visits_2.csv").write_text(rows)

    # In Dativo the file of the second run overwrites that of the first.
    assert run(platform).rows_published == 1
    assert column_of(platform, VISITS, "visit_id") == [1, 4, 9]


def test_a_file_that_is_delivered_anew_is_merged_by_the_key(dativo: DativoProject):
    dativo.change("assets/visits.yaml", "name: visit_id,", "name: visit_id, unique: true,")
    platform = dativo.open()
    run(platform)
    deliver(dativo, "4;Ida;north;5;2026-03-02 12:15:00", "5;Eva;south;1;2026-03-02 18:00:00")

    run(platform)
    # In Dativo the rows that were there before stand there twice.
    found = {row["visit_id"]: row["park"] for row in rows_of_table(platform, VISITS)}
    assert found == {1: "north", 4: "north", 5: "south"}


def test_a_file_that_is_delivered_anew_without_a_key_is_refused_and_doubles_nothing(
    dativo: DativoProject,
):
    platform = dativo.open()
    run(platform)
    deliver(dativo, "4;Ida;north;5;2026-03-02 12:15:00")

    with pytest.raises(SourceChangedError, match="has changed since"):
        run(platform)
    assert column_of(platform, VISITS, "visit_id") == [1, 4]


def test_each_partition_holds_its_own_rows(dativo: DativoProject):
    dativo.add("jobs/oak/visits.yaml", "target: {partitioning: [park]}\n")
    deliver(
        dativo,
        "1;Ann;north;1;2026-03-01 09:30:00",
        "2;Bob;south;1;2026-03-01 09:30:00",
        "3;Cy;;1;2026-03-01 09:30:00",
    )
    platform = dativo.open()
    run(platform)

    # In Dativo three partitions all hold the last one's rows.
    found = {row["visit_id"]: row["park"] for row in rows_of_table(platform, VISITS)}
    assert found == {1: "north", 2: "south", 3: None}
    files = platform.lake.table(VISITS).inspect.files().to_pylist()
    assert sorted(file["record_count"] for file in files) == [1, 1, 1]


def test_columns_that_the_asset_does_not_have_are_passed_over_as_in_dativo(dativo: DativoProject):
    platform = dativo.open()

    outcome = run(platform, "oak_park_guests")
    assert (outcome.rows_published, outcome.rows_quarantined) == (2, 1)
    assert "shoe_size" not in rows_of_table(platform, "oak.oak_park_guests")[0]


def test_values_that_a_job_calls_personal_are_masked_where_rows_are_shown(dativo: DativoProject):
    dativo.change("jobs/oak/visits.yaml", "guest: HIGH_PII", "park: HIGH_PII")
    platform = dativo.open()

    (shown,) = (r for r in run(platform).results if r.spec.name == "park_is_one_of_its_values")
    assert [row["park"] for row in shown.sample] == [MASK]


def test_lint_tells_all_that_is_broken_and_a_run_loads_the_rest(dativo: DativoProject):
    dativo.schedule("jobs/oak/visits.yaml", "jobs/oak/tickets.yaml", "jobs/oak/lost.yaml")

    linted = call("lint", "--runner", dativo.runner)
    assert linted.code == 2
    assert "sources of the type 'zendesk' are not supported yet" in linted.text
    assert "lost.yaml" in linted.text
    ended = call("run", "--runner", dativo.runner)
    # A broken table is never passed over in silence: in Dativo it is, with exit code 0.
    assert ended.code != 0
    assert "oak_tickets" in ended.text
    assert "oak_park_visits: 4 rows read, 2 published, 2 quarantined" in ended.text


def test_lint_tells_what_has_no_effect(dativo: DativoProject):
    dativo.schedule("jobs/oak/guests.yaml")

    linted = call("lint", "--runner", dativo.runner)
    assert linted.code == 0
    assert "this has no effect: the expectation relationships of id" in linted.text
