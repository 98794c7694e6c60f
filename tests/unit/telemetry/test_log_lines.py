"""Log records as lines of JSON."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from support.telemetry import lines_of, logged_as_json

from quality_platform.errors import ConfigurationError
from quality_platform.telemetry.log_lines import (
    FIELDS,
    FORMAT_VARIABLE,
    as_json,
    configure_logs,
    writes_json,
)


def record(message: str, *arguments: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("shop", logging.WARNING, __file__, 1, message, arguments, None)
    made.__dict__.update(more)
    return made


def test_a_record_is_one_line_with_its_time_in_utc_and_its_fields() -> None:
    made = record("%d rows\nof %s", 3, "Łódź", created=0.25, **{FIELDS: {"table": "orders"}})
    assert as_json(made) == (
        '{"time": "1970-01-01T00:00:00.250+00:00", "level": "warning", "logger": "shop", '
        '"message": "3 rows\\nof Łódź", "table": "orders"}'
    )


def test_of_an_exception_only_the_type_is_told() -> None:
    try:
        raise ValueError("canary-1234")
    except ValueError:
        made = record("failed", exc_info=sys.exc_info())
    told = as_json(made)
    assert json.loads(told)["exception"] == "ValueError"
    assert "canary" not in told


def test_lines_are_written_where_the_environment_asks_for_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(FORMAT_VARIABLE, "text")
    configure_logs()
    assert not writes_json()
    with logged_as_json(monkeypatch):
        configure_logs()
        configure_logs()
        assert writes_json()
        logging.getLogger("quality_platform.runs").info("one")
        logging.getLogger("some.library").warning("two")
        logging.getLogger("some.library").info("three")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line["message"] for line in lines_of(captured.err)] == ["one", "two"]


def test_loggers_that_a_library_has_silenced_are_heard_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("quality_platform.runs")
    monkeypatch.setattr(logger, "disabled", True)
    with logged_as_json(monkeypatch):
        configure_logs()
        logger.info("one")
    assert [line["message"] for line in lines_of(capsys.readouterr().err)] == ["one"]


def test_a_format_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FORMAT_VARIABLE, "xml")
    with pytest.raises(ConfigurationError, match="no such format") as refused:
        configure_logs()
    assert "json, text" in str(refused.value)
