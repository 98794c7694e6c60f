"""What a job of Dativo reads and how, as one of our tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.dativo import DativoProject, broken
from support.problems import place

from quality_platform.config.models import TableConfig
from quality_platform.errors import Problem


@pytest.fixture
def dativo(tmp_path: Path) -> DativoProject:
    return DativoProject.copied(tmp_path / "project")


def table(dativo: DativoProject, name: str, **variables: str) -> TableConfig:
    return dativo.read(**variables).config.tables[name]


def problem_of(dativo: DativoProject, name: str) -> Problem:
    (part,) = (part for part in dativo.read().broken if part.name == name)
    (problem,) = part.error.problems
    return problem


def test_a_file_is_read_with_the_engine_options_of_job_and_connector(dativo: DativoProject):
    source = table(dativo, "oak_park_visits").source

    assert source.type == "csv"
    assert source.path == str(dativo.folder / "landing" / "visits.csv")
    # The job's delimiter and encoding, the connector's quote, the empty texts of Dativo's reader.
    assert (source.delimiter, source.encoding, source.quote) == (";", "latin-1", '"')
    assert source.null_strings == ("", "NULL", "null", "None")


@pytest.mark.parametrize(
    ("strategy", "mode", "key"),
    [("full_refresh", "replace", ()), ("file_modified_time", "merge", ("id",))],
)
def test_files_of_an_asset_with_a_key_are_merged_unless_everything_is_read_again(
    dativo: DativoProject, strategy: str, mode: str, key: tuple[str, ...]
):
    dativo.change("jobs/oak/guests.yaml", "full_refresh", strategy)

    load = table(dativo, "oak_park_guests").load
    assert (load.mode, load.key) == (mode, key)


def test_files_of_an_asset_without_a_key_are_added(dativo: DativoProject):
    assert table(dativo, "oak_park_visits").load.mode == "append"


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        ("parquet", "a/b.parquet", "parquet"),
        ("json", "a/b.json", "jsonl"),
        ("csv", "a/b.txt", "csv"),
    ],
)
def test_the_format_of_files_is_that_of_the_connector(
    dativo: DativoProject, kind: str, path: str, expected: str
):
    dativo.change("connectors/csv.yaml", "type: csv", f"type: {kind}")
    dativo.change("jobs/oak/guests.yaml", "${LANDING:-landing}/guests.csv", path)

    assert table(dativo, "oak_park_guests").source.type == expected


def test_files_of_an_object_store_are_read_there(dativo: DativoProject):
    dativo.change("connectors/csv.yaml", "type: csv", "type: minio")
    dativo.change("jobs/oak/guests.yaml", "${LANDING:-landing}/guests.csv", "in/*.csv")
    dativo.change(
        "jobs/oak/guests.yaml",
        "source:",
        "source:\n  connection: {endpoint: 'minio:9000', secure: false, bucket: park, "
        "access_key_id: me, secret_access_key: key}",
    )

    source = table(dativo, "oak_park_guests").source
    assert (source.type, source.path) == ("csv", "s3://park/in/*.csv")
    assert source.storage.endpoint == "http://minio:9000"
    assert source.storage.access_key_id.get_secret_value() == "me"


def test_each_file_of_a_job_is_a_table(dativo: DativoProject):
    more = "source:\n  files:\n    - {path: landing/more.csv, object: more}"
    dativo.change("jobs/oak/visits.yaml", "source:\n  files:", more)

    names = [name for name in dativo.read().config.tables if "park_visits" in name]
    assert names == ["oak_park_visits_more", "oak_park_visits_visits"]


def test_two_jobs_cannot_fill_one_table(dativo: DativoProject):
    dativo.change("jobs/oak/guests.yaml", "assets/guests.yaml", "assets/visits.yaml")

    problem = problem_of(dativo, "oak_park_visits_guests")
    assert problem.message.startswith("another job fills this table: ")
    assert "visits.yaml" in problem.message
    assert place(problem) == ("guests.yaml", 8)


def test_a_tenant_is_a_namespace_and_stands_in_the_name(dativo: DativoProject):
    dativo.change("jobs/oak/guests.yaml", "tenant_id: oak", "tenant_id: birch-wood")

    assert table(dativo, "birch_wood_park_guests").tenant == "birch_wood"
    assert table(dativo, "oak_park_visits").tenant == "oak"
    assert list(dativo.read().config.tenants) == ["oak", "birch_wood"]


def test_two_tenants_never_share_a_namespace(dativo: DativoProject):
    dativo.change("jobs/oak/visits.yaml", "tenant_id: oak", "tenant_id: birch-wood")
    dativo.change("jobs/oak/guests.yaml", "tenant_id: oak", "tenant_id: birch_wood")

    problem = problem_of(dativo, "birch_wood_park_guests")
    assert problem.message == "two tenants become the namespace 'birch_wood'"


def test_a_database_table_with_a_key_is_merged_and_looked_back_at(dativo: DativoProject):
    load = table(dativo, "oak_ledger").load

    assert (load.mode, load.key) == ("merge", ())
    assert (load.incremental.cursor, load.incremental.lookback) == ("updated_at", "2d")


def test_a_unique_required_column_is_a_key_as_well(dativo: DativoProject):
    dativo.change("assets/ledger.yaml", "primaryKey: true", "unique: true, required: true")

    assert table(dativo, "oak_ledger").load.key == ("entry",)


def test_without_a_key_nothing_is_doubled_and_a_hint_says_so(dativo: DativoProject):
    dativo.change("assets/ledger.yaml", ", primaryKey: true, primaryKeyPosition: 1", "")

    file = dativo.read()
    load = file.config.tables["oak_ledger"].load
    assert (load.mode, load.incremental.lookback) == ("append", 0)
    (hint,) = (hint for hint in file.hints if "lookback_days" in hint.field)
    assert "rows would be doubled" in hint.message
    assert place(hint) == ("ledger.yaml", 14)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lookback_days: 2", "lookback_days: 2, strategy: full_refresh"),
        ("lookback_days: 2", "enabled: false"),
        (
            "      cursor_field: updated_at\n  incremental: {",
            "  incremental: {cursor_field: null, ",
        ),
    ],
)
def test_a_job_that_reads_everything_replaces_the_table(dativo: DativoProject, old: str, new: str):
    dativo.change("jobs/oak/ledger.yaml", old, new)

    load = table(dativo, "oak_ledger").load
    assert (load.mode, load.incremental) == ("replace", None)


def test_the_cursor_of_the_connector_is_used_where_the_asset_has_it(dativo: DativoProject):
    dativo.change("jobs/oak/ledger.yaml", "      cursor_field: updated_at\n", "")
    with_column = table(dativo, "oak_ledger").load
    dativo.change("assets/ledger.yaml", "updated_at", "changed")

    assert with_column.incremental.cursor == "updated_at"
    assert table(dativo, "oak_ledger").load.mode == "replace"


def test_a_table_is_named_with_its_schema(dativo: DativoProject):
    dativo.change("jobs/oak/ledger.yaml", "name: public.ledger", "{name: book, schema: books}")
    dativo.change("jobs/oak/ledger.yaml", "\n      object: ledger", "")
    dativo.change("jobs/oak/ledger.yaml", "\n      cursor_field: updated_at", "")

    assert table(dativo, "oak_ledger").source.table == "books.book"


@pytest.mark.parametrize(("mode", "drift"), [("strict", "evolve"), ("warn", "quarantine")])
def test_the_validation_mode_tells_what_may_be_missing_at_the_source(
    dativo: DativoProject, mode: str, drift: str
):
    dativo.change(
        "jobs/oak/visits.yaml", "schema_validation_mode: strict", f"schema_validation_mode: {mode}"
    )

    assert table(dativo, "oak_park_visits").load.schema_drift == drift


def test_the_mode_of_the_asset_counts_where_the_job_says_none(dativo: DativoProject):
    dativo.change("jobs/oak/visits.yaml", "schema_validation_mode: strict\n", "")
    dativo.change("assets/visits.yaml", "mode: strict", "mode: relaxed")

    assert table(dativo, "oak_park_visits").load.schema_drift == "quarantine"


def test_retries_are_those_of_the_job(dativo: DativoProject):
    retries = table(dativo, "oak_park_visits").retries

    assert (retries.max_retries, retries.initial_delay_seconds) == (4, 7)
    assert (retries.max_delay_seconds, retries.backoff_multiplier) == (60, 3)
    assert retries.retryable_error_patterns == ("connection reset",)
    assert table(dativo, "oak_park_guests").retries is None


def test_older_words_of_retries_mean_the_same(dativo: DativoProject):
    dativo.change("jobs/oak/visits.yaml", "max_retries: 4", "max_attempts: 5")
    dativo.change("jobs/oak/visits.yaml", "initial_delay_seconds: 7", "retry_delay_seconds: 9")
    dativo.change("jobs/oak/visits.yaml", "retryable_error_patterns", "retryable_errors")

    retries = table(dativo, "oak_park_visits").retries
    assert (retries.max_retries, retries.initial_delay_seconds) == (4, 9)
    assert retries.retryable_error_patterns == ("connection reset",)


def test_what_a_job_says_over_its_asset_is_kept(dativo: DativoProject):
    overrides = table(dativo, "oak_park_visits").overrides

    assert overrides.classification == {"guest": "HIGH_PII", "default": "internal"}
    # 0 is a valid retention.
    assert (overrides.owner, overrides.retention_days) == ("night@example.org", 0)
    assert overrides.properties == {
        "environment": "test",
        "finops.cost_center": "PARK-9",
        "finops.business_tags": "gates,night",
        "finops.project": "gates",
    }


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        (
            "source",
            "  custom_reader: plugins/reader.py:Reader",
            "Dativo's readers are not run here",
        ),
        (
            "target",
            "  custom_writer: plugins/writer.py:Writer",
            "Dativo's writers are not run here",
        ),
        ("target", "  markdown_kv_storage: {mode: string}", "rows are not written as Markdown-KV"),
        ("target", "  file_format: delta", "the lake's files are Parquet"),
        ("target", "  catalog: databricks", "the platform has no catalog of this type"),
    ],
)
def test_what_would_change_the_data_and_is_not_known_breaks_the_table(
    dativo: DativoProject, file: str, line: str, message: str
):
    if file == "source":
        dativo.change("jobs/oak/visits.yaml", "source:", f"source:\n{line}")
    else:
        dativo.add("jobs/oak/visits.yaml", f"target:\n{line}\n")

    found = broken(dativo.read())
    assert message in found["oak_park_visits"]


@pytest.mark.parametrize(
    ("job", "old", "new", "line", "message"),
    [
        ("visits", "environment: test", "enviroment: test", 2, "unknown key 'enviroment'"),
        ("visits", "  max_retries: 4", "  tries: 4", 19, "unknown key 'tries'"),
        ("visits", "tenant_id: oak\n", "", 1, "the key is missing"),
        ("visits", "strict", "lax", 14, "Input should be 'strict' or 'warn'"),
        ("visits", "source:\n  files:", "source:\n  fils:", 10, "unknown key 'fils'"),
        (
            "guests",
            "  incremental: {strategy:",
            "  incremental: {strat:",
            12,
            "unknown key 'strat'",
        ),
    ],
)
def test_a_job_that_is_written_wrongly_is_told_with_its_line(
    dativo: DativoProject, job: str, old: str, new: str, line: int, message: str
):
    dativo.change(f"jobs/oak/{job}.yaml", old, new)

    file = dativo.read()
    problems = [p for part in file.broken for p in part.error.problems]
    assert any(
        p.message.startswith(message) and place(p) == (f"{job}.yaml", line) for p in problems
    ), problems
    assert len(file.config.tables) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("connectors/csv.yaml", "connectors/no.yaml", "there is no such file"),
        ("connectors/csv.yaml", "connectors/lake.yaml", "this connector is no source"),
        ("asset_path: assets/visits.yaml", "asset_path: assets/no.yaml", "there is no such file"),
        ("asset_path: assets/visits.yaml\n", "", "the job names no asset"),
    ],
)
def test_a_file_that_a_job_needs_and_that_cannot_be_used_breaks_its_schedule(
    dativo: DativoProject, old: str, new: str, message: str
):
    dativo.change("jobs/oak/visits.yaml", old, new)

    file = dativo.read()
    assert message in broken(file)["visits_hourly"]
    assert "oak_park_guests" in file.config.tables


def test_a_variable_in_a_path_that_is_not_set_is_told_as_that(dativo: DativoProject):
    dativo.change("jobs/oak/visits.yaml", "asset_path: assets", "asset_path: ${ASSETS}")

    assert "ASSETS is not set" in broken(dativo.read())["visits_hourly"]
    assert "oak_park_visits" in dativo.read(ASSETS="assets").config.tables


def test_an_older_job_says_its_kinds_itself(dativo: DativoProject):
    (dativo.folder / "jobs" / "oak" / "visits.yaml").write_text(
        "tenant_id: oak\n"
        "source: {type: csv, files: [{path: landing/visits.csv}]}\n"
        "target: {type: iceberg, file_format: parquet, partitioning: [ingest_date]}\n"
        "asset_definition: /app/assets/visits.yaml\n"
    )

    found = table(dativo, "oak_park_visits")
    assert (found.source.type, found.partition_by) == ("csv", ())


def test_a_database_job_without_tables_says_so(dativo: DativoProject):
    dativo.change("jobs/oak/ledger.yaml", "  tables:\n    - name: public.ledger\n", "")
    dativo.change("jobs/oak/ledger.yaml", "      object: ledger\n", "")
    dativo.change("jobs/oak/ledger.yaml", "      cursor_field: updated_at\n", "")

    assert problem_of(dativo, "oak_ledger").message == "the job names no table"


def test_a_column_that_the_asset_does_not_have_is_told_where_the_job_classifies_it(
    dativo: DativoProject, home: Path
):
    dativo.change("jobs/oak/visits.yaml", "guest: HIGH_PII", "gest: HIGH_PII")

    (part,) = (part for part in dativo.open().broken if part.name == "oak_park_visits")
    (problem,) = part.error.problems
    assert problem.message == "the contract has no column 'gest'"
    assert place(problem) == ("visits.yaml", 15)


def test_attempts_that_are_no_number_break_the_table(dativo: DativoProject):
    dativo.change("jobs/oak/visits.yaml", "max_retries: 4", "max_attempts: many")

    assert "valid integer" in problem_of(dativo, "oak_park_visits").message
