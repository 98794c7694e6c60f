"""runner.yaml: what it may say, and how it tells what it may not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError
from support.contracts import line_of
from support.problems import only_problem, place, problems_of
from support.runner_text import ORDERS, VIEW, load_runner_text

from quality_platform.errors import (
    ConfigurationError,
    RunnerFileError,
)

ROOT = Path(__file__).parents[3]


def refused(folder: Path, text: str, **variables: str):
    return only_problem(RunnerFileError, lambda: load_runner_text(folder, text, variables))


def test_sections_left_out_have_their_defaults(tmp_path: Path):
    config = load_runner_text(tmp_path, ORDERS).config
    assert config.version == 1
    assert config.lake.catalog.name == "lake"
    # What they are depends on the type of the catalog: flows/lake_properties.py.
    assert (config.lake.catalog.uri, config.lake.warehouse) == (None, None)
    assert config.feature_store.registry.path == Path("/srv/platform/feast/registry.db")
    assert config.feature_store.online_store.path == Path("/srv/platform/feast/online.db")
    assert (config.engine.memory_limit, config.engine.threads) == ("512MB", 2)
    assert (config.retries.max_retries, config.retries.initial_delay_seconds) == (3, 5)
    assert (config.feature_views, config.schedules, config.sensors) == ({}, {}, {})
    table = config.tables["orders"]
    assert (table.namespace, table.retries, table.group) == ("main", None, None)
    assert (table.load.mode, table.load.batch) == ("append", "all")
    assert (table.source.delimiter, table.source.quote) == (",", '"')
    assert table.source.null_strings == ("",)


def test_a_section_given_in_part_has_defaults_for_the_rest(tmp_path: Path):
    text = ORDERS + "lake: {catalog: {name: other}}\n"
    lake = load_runner_text(tmp_path, text).config.lake
    assert lake.catalog.name == "other"
    assert (lake.catalog.type, lake.catalog.uri, lake.warehouse) == ("sql", None, None)


def test_the_demo_is_valid(tmp_path: Path):
    text = (ROOT / "runner.yaml").read_text(encoding="utf-8")
    config = load_runner_text(tmp_path, text).config
    assert list(config.tables) == ["airlines", "airports", "planes", "weather", "flights"]
    assert config.tables["planes"].source.path == "/srv/platform/landing/planes.csv"
    drift = config.feature_views["carrier_delays_daily"].drift
    assert drift is not None
    assert (drift.reference.start, drift.reference.end) == (date(2013, 1, 1), date(2013, 2, 1))


def test_the_models_cannot_be_changed(tmp_path: Path):
    config = load_runner_text(tmp_path, ORDERS).config
    for model, name in (
        (config, "version"),
        (config.lake, "warehouse"),
        (config.tables["orders"], "namespace"),
        (config.tables["orders"].source, "path"),
    ):
        with pytest.raises(ValidationError):
            setattr(model, name, "x")


def test_a_number_may_come_from_a_variable(tmp_path: Path):
    text = ORDERS + "engine: {threads: '${THREADS}'}\n"
    assert load_runner_text(tmp_path, text, {"THREADS": "7"}).config.engine.threads == 7


def test_relative_paths_start_at_the_folder_of_the_file(tmp_path: Path):
    runner = load_runner_text(tmp_path, ORDERS)
    assert runner.resolve("a/b.csv") == tmp_path / "a/b.csv"
    assert runner.resolve("/a/b.csv") == Path("/a/b.csv")
    assert runner.location("tables", "orders", "contract").line == 3


UNKNOWN_KEYS = [
    (ORDERS + "lakee: {}\n", "lakee", "lake"),
    (ORDERS + "lake: {ware_house: x}\n", "lake.ware_house", "warehouse"),
    (ORDERS + "lake: {catalog: {url: x}}\n", "lake.catalog.url", "uri"),
    (ORDERS + "engine: {thread: 1}\n", "engine.thread", "threads"),
    (ORDERS + "retries: {max_retry: 1}\n", "retries.max_retry", "max_retries"),
    (ORDERS + "feature_store: {registri: x}\n", "feature_store.registri", "registry"),
    (
        ORDERS + "schedules: {s: {cron: '@daily', time_zone: UTC}}\n",
        "schedules.s.time_zone",
        "timezone",
    ),
    (
        ORDERS + "sensors: {s: {type: file_arrival, table: orders, intervall_seconds: 9}}\n",
        "sensors.s.intervall_seconds",
        "interval_seconds",
    ),
    (ORDERS + "    name_space: x\n", "tables.orders.name_space", "namespace"),
    (
        ORDERS.replace("path:", "delimeter: ';', path:"),
        "tables.orders.source.delimeter",
        "delimiter",
    ),
    (ORDERS + "    load: {mod: append}\n", "tables.orders.load.mod", "mode"),
    (ORDERS + "    retries: {jiter: false}\n", "tables.orders.retries.jiter", "jitter"),
    (ORDERS + VIEW + "    online_: true\n", "feature_views.daily.online_", "online"),
    (
        ORDERS + VIEW.replace("join_key: ", "joinkey: 1, join_key: "),
        "feature_views.daily.entities.0.joinkey",
        "join_key",
    ),
    (
        ORDERS + VIEW + "    drift: {columns: [n], colums: [n], "
        "reference: {start: 2013-01-01, end: 2013-02-01}}\n",
        "feature_views.daily.drift.colums",
        "columns",
    ),
    (
        ORDERS + VIEW + "    drift: {columns: [n], "
        "reference: {start: 2013-01-01, end: 2013-02-01, stop: 1}}\n",
        "feature_views.daily.drift.reference.stop",
        "",
    ),
]


@pytest.mark.parametrize(("text", "field", "meant"), UNKNOWN_KEYS, ids=[k[1] for k in UNKNOWN_KEYS])
def test_an_unknown_key_is_told_with_its_line_and_the_key_that_was_meant(
    tmp_path: Path, text: str, field: str, meant: str
):
    problem = refused(tmp_path, text)
    key = field.rpartition(".")[2]
    assert problem.message == f"unknown key {key!r}"
    assert problem.field == field
    assert place(problem) == ("runner.yaml", line_of(text, f"{key}:"))
    assert problem.action == (f"did you mean {meant!r}?" if meant else "")
    assert problem.allowed


WRONG_VALUES = [
    ("version: 2", "version", "2", "1"),
    ("version: '1'", "version", "'1'", "1"),
    ("engine: {threads: many}", "engine.threads", "'many'", ""),
    ("engine: {threads: 0}", "engine.threads", "0", ""),
    ("engine: {threads: 2.5}", "engine.threads", "2.5", ""),
    ("engine: {memory_limit: 512}", "engine.memory_limit", "512", ""),
    ("engine: {memory_limit: 0MB}", "engine.memory_limit", "'0MB'", ""),
    ("engine: {memory_limit: 512mb}", "engine.memory_limit", "'512mb'", ""),
    ("engine: {sample_rows: 101}", "engine.sample_rows", "101", ""),
    ("lake: {target_file_size: 1TB}", "lake.target_file_size", "'1TB'", ""),
    ("lake: {warehouse: 5}", "lake.warehouse", "5", ""),
    ("lake: {catalog: {type: hive}}", "lake.catalog.type", "'hive'", "'sql', 'rest' or 'glue'"),
    ("lake: {catalog: {name: a-b}}", "lake.catalog.name", "'a-b'", ""),
    ("lake:", "lake", "", ""),
    ("lake: []", "lake", "", ""),
    ("retries: {max_retries: 21}", "retries.max_retries", "21", ""),
    ("retries: {initial_delay_seconds: 0}", "retries.initial_delay_seconds", "0", ""),
    ("retries: {jitter: perhaps}", "retries.jitter", "'perhaps'", ""),
    ("retries: {max_delay_seconds: 0}", "retries.max_delay_seconds", "0", ""),
    ("retries: {backoff_multiplier: 0.5}", "retries.backoff_multiplier", "0.5", ""),
    ("retries: {retryable_error_patterns: ['(']}", "retries.retryable_error_patterns.0", "'('", ""),
    ("schedules: {s: {timezone: UTC}}", "schedules.s", "", ""),
    (
        "schedules: {s: {cron: '@daily', timezone: Europe/Berln}}",
        "schedules.s.timezone",
        "'Europe/Berln'",
        "",
    ),
    ("schedules: {s: {cron: '@daily', targets: orders}}", "schedules.s.targets", "'orders'", ""),
    ("schedules: {'no-name': {cron: '@daily'}}", "schedules.no-name", "'no-name'", ""),
    (
        "sensors: {s: {type: file, table: orders}}",
        "sensors.s.type",
        "'file'",
        "'file_arrival', 'contract_changed', 'database_changed', 'check_failed', 'drift'",
    ),
    (
        "sensors: {s: {type: file_arrival, table: orders, interval_seconds: 4}}",
        "sensors.s.interval_seconds",
        "4",
        "",
    ),
]


@pytest.mark.parametrize(
    ("line", "field", "received", "allowed"), WRONG_VALUES, ids=[v[0] for v in WRONG_VALUES]
)
def test_a_value_that_cannot_be_is_told_with_what_was_received(
    tmp_path: Path, line: str, field: str, received: str, allowed: str
):
    problem = refused(tmp_path, f"{ORDERS}{line}\n")
    assert place(problem) == ("runner.yaml", 5)
    assert (problem.field, problem.received, problem.allowed) == (field, received, allowed)
    assert problem.message


WRONG_SOURCES = [
    ("type: tsv, path: p", "source.type", "'tsv'"),
    ("type: csv, path: 5", "source.path", "5"),
    ("type: csv, path: p, delimiter: ab", "source.delimiter", "'ab'"),
    ("type: csv, path: p, delimiter: ''", "source.delimiter", "''"),
    ("type: csv, path: p, null_strings: NA", "source.null_strings", "'NA'"),
    ("type: csv, path: p, null_strings: [NA, 0]", "source.null_strings.1", "0"),
    ("path: p", "source.type", ""),
    ("type: csv", "source.path", ""),
    ("type: csv, path: p, delimiter: '\"'", "source", ""),
    ("type: csv, path: p, delimiter: ä", "source", ""),
    ('type: csv, path: p, quote: "\\n"', "source", ""),
    ("type: csv, path: p, escape: ','", "source", ""),
    ("type: csv, path: p, quote: '', escape: e", "source", ""),
    ("type: csv, path: p, header: false, ignore_columns: [a]", "source", ""),
    ("type: csv, path: p, encoding: utf-9", "source.encoding", "'utf-9'"),
    ("type: csv, path: p, encoding: base64", "source.encoding", "'base64'"),
    ("type: csv, path: p, encoding: punycode", "source.encoding", "'punycode'"),
    ("type: csv, path: p, compression: bzip2", "source.compression", "'bzip2'"),
    ("type: csv, path: p, max_unpacked_size: 1TB", "source.max_unpacked_size", "'1TB'"),
]


@pytest.mark.parametrize(
    ("source", "field", "received"), WRONG_SOURCES, ids=[s[0] for s in WRONG_SOURCES]
)
def test_a_source_that_cannot_be_read_is_told(
    tmp_path: Path, source: str, field: str, received: str
):
    text = f"tables:\n  orders:\n    contract: c\n    source: {{{source}}}\n"
    problem = refused(tmp_path, text)
    assert place(problem) == ("runner.yaml", 4)
    assert (problem.field, problem.received) == (f"tables.orders.{field}", received)


@pytest.mark.parametrize("namespace", ["quarantine", "features", "training_sets", "history"])
def test_the_platforms_own_namespaces_are_reserved(tmp_path: Path, namespace: str):
    problem = refused(tmp_path, f"{ORDERS}    namespace: {namespace}\n")
    assert place(problem) == ("runner.yaml", 5)
    assert problem.received == repr(namespace)
    assert "quarantine, features, training_sets, history" in problem.message


def test_replacing_file_by_file_would_keep_only_the_last_file(tmp_path: Path):
    problem = refused(tmp_path, f"{ORDERS}    load: {{mode: replace, batch: file}}\n")
    assert place(problem) == ("runner.yaml", 5)
    assert problem.message.startswith("mode: replace needs batch: all")


@pytest.mark.parametrize(
    "load", [{"mode": "append", "batch": "file"}, {"mode": "replace", "batch": "all"}]
)
def test_other_ways_of_loading_are_fine(tmp_path: Path, load: dict[str, str]):
    text = f"{ORDERS}    load: {{mode: {load['mode']}, batch: {load['batch']}}}\n"
    found = load_runner_text(tmp_path, text).config.tables["orders"].load.model_dump()
    assert found.items() >= {**load, "on_breaking": "fail"}.items()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\n", "the key is missing"),
        ("tables:\n", "must be a mapping of keys to values"),
        ("tables: []\n", "must be a mapping of keys to values"),
        ("tables: {}\n", "must have at least one entry"),
    ],
)
def test_there_must_be_a_table(tmp_path: Path, text: str, message: str):
    problem = refused(tmp_path, text)
    assert (problem.field, problem.message) == ("tables", message)
    assert place(problem) == ("runner.yaml", 1)


@pytest.mark.parametrize(("text", "line"), [("", 0), ("- a\n", 1), ("text\n", 1)])
def test_the_file_must_be_a_mapping(tmp_path: Path, text: str, line: int):
    problem = refused(tmp_path, text)
    assert "must be a mapping" in problem.message
    assert place(problem) == ("runner.yaml", line)


def test_a_name_that_cannot_be_one_in_the_lake_is_told(tmp_path: Path):
    problem = refused(tmp_path, ORDERS.replace("orders:", "daily-orders:"))
    assert (problem.field, problem.received) == ("tables.daily-orders", "'daily-orders'")
    assert place(problem) == ("runner.yaml", 2)


CRONS = ["", "* * * *", "* * * * * *", "61 * * * *", "@reboot", "@every 5m", "0 0 31 2 *", "daily"]


@pytest.mark.parametrize("cron", CRONS)
def test_a_cron_expression_that_never_fires_or_is_none_is_told(tmp_path: Path, cron: str):
    text = f"{ORDERS}schedules:\n  s:\n    cron: '{cron}'\n"
    problem = refused(tmp_path, text)
    assert (problem.field, problem.received) == ("schedules.s.cron", repr(cron))
    assert place(problem) == ("runner.yaml", 7)
    assert "five fields" in problem.allowed


@pytest.mark.parametrize("cron", ["0 5 * * MON", "*/15 * * * *", "@daily", "@hourly", "0 0 29 2 *"])
def test_a_cron_expression_of_five_fields_or_a_name_is_fine(tmp_path: Path, cron: str):
    text = f"{ORDERS}schedules: {{s: {{cron: '{cron}'}}}}\n"
    assert load_runner_text(tmp_path, text).config.schedules["s"].cron == cron


def test_names_that_are_not_in_the_file_are_told_all_at_once(tmp_path: Path):
    text = (
        ORDERS
        + VIEW.replace("[orders]", "[orders, customers]")
        + "schedules:\n  s: {cron: '@daily', targets: [orders, daily, ordes]}\n"
        + "sensors:\n  f: {type: file_arrival, table: daily}\n"
    )
    view, schedule, sensor = problems_of(RunnerFileError, lambda: load_runner_text(tmp_path, text))
    assert (view.field, view.received) == ("feature_views.daily.inputs.1", "'customers'")
    assert place(view) == ("runner.yaml", line_of(text, "customers]"))
    assert (schedule.field, schedule.received) == ("schedules.s.targets.2", "'ordes'")
    assert schedule.allowed == "orders, daily"
    assert schedule.action == "did you mean 'orders'?"
    assert (sensor.field, sensor.received) == ("sensors.f.table", "'daily'")
    assert sensor.allowed == "orders"


def test_a_table_and_a_feature_view_cannot_share_a_name(tmp_path: Path):
    text = ORDERS + VIEW.replace("daily:", "orders:")
    problem = refused(tmp_path, text)
    assert problem.message == "'orders' is the name of a table and of a feature view"
    assert place(problem) == ("runner.yaml", 6)


def drifting(drift: str) -> str:
    return f"{ORDERS}{VIEW}    drift: {{{drift}}}\n"


REFERENCE = "reference: {start: 2013-01-01, end: 2013-02-01}"


@pytest.mark.parametrize(
    ("drift", "field", "message"),
    [
        ("columns: [n], reference: {start: 2013-02-01, end: 2013-02-01}", "reference", "before"),
        (
            "columns: [n], reference: {start: 2013-13-01, end: 2014-01-01}",
            "reference.start",
            "1-12",
        ),
        (f"columns: [], {REFERENCE}", "columns", "at least one"),
        (f"columns: n, {REFERENCE}", "columns", "a list"),
        (f"columns: [n], {REFERENCE}, psi: 0", "psi", "greater than 0"),
        (f"columns: [n], {REFERENCE}, ks: 1.5", "ks", "less than or equal to 1"),
        (f"columns: [n], {REFERENCE}, severity: fatal", "severity", "'error' or 'warning'"),
        ("columns: [n]", "reference", "missing"),
    ],
)
def test_a_drift_test_that_cannot_be_is_told(tmp_path: Path, drift: str, field: str, message: str):
    problem = refused(tmp_path, drifting(drift))
    assert problem.field == f"feature_views.daily.drift.{field}"
    assert message in problem.message
    assert place(problem) == ("runner.yaml", 12)


def test_the_current_period_is_a_period_or_the_latest_month(tmp_path: Path):
    period = "current: {start: 2013-03-01, end: 2013-04-01}"
    for current, kind in ((period, "ReferencePeriod"), ("current: latest_month", "str")):
        text = drifting(f"columns: [n], {REFERENCE}, {current}")
        drift = load_runner_text(tmp_path, text).config.feature_views["daily"].drift
        assert drift is not None
        assert type(drift.current).__name__ == kind


@pytest.mark.parametrize("current", ["last_month", "{start: 2013-01-01}"])
def test_problems_of_the_current_period_name_only_keys_of_the_file(tmp_path: Path, current: str):
    text = drifting(f"columns: [n], {REFERENCE}, current: {current}")
    problems = problems_of(RunnerFileError, lambda: load_runner_text(tmp_path, text))
    fields = {problem.field.removeprefix("feature_views.daily.drift.") for problem in problems}
    assert fields <= {"current", "current.end"}


def test_several_problems_are_told_at_once(tmp_path: Path):
    text = ORDERS + "lakee: 1\nengine: {threads: 0, memory_limit: much}\nversion: 3\n"
    problems = problems_of(RunnerFileError, lambda: load_runner_text(tmp_path, text))
    assert {problem.field for problem in problems} == {
        "lakee",
        "engine.threads",
        "engine.memory_limit",
        "version",
    }


def test_what_is_wrong_in_the_yaml_itself_comes_first(tmp_path: Path):
    text = ORDERS + "on: 1\nlakee: 2\n"
    problem = only_problem(ConfigurationError, lambda: load_runner_text(tmp_path, text))
    assert problem.message == "a key must be text"
