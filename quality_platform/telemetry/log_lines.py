"""Logs as JSON: one object a line on standard error, where the environment asks for it."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from quality_platform.config.environment import environment_variable
from quality_platform.errors import ConfigurationError, QualityPlatformError

FORMAT_VARIABLE = "QUALITY_PLATFORM_LOG_FORMAT"
"""`json` for JSON lines on standard error; `text`, or nothing, for none."""

PLATFORM = "quality_platform"
"""The logger above all loggers of the platform."""

FIELDS = "quality_platform_fields"
"""The attribute of a log record with its fields beside the message."""


class JsonLines(logging.Handler):
    """Writes a record as one line of JSON to what is standard error at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record; one that cannot be written is reported as logging does."""
        try:
            sys.stderr.write(as_json(record) + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            self.handleError(record)


def as_json(record: logging.LogRecord) -> str:
    """The record as one line of JSON: `time`, `level`, `logger`, `message`, and its fields."""
    told: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
        **getattr(record, FIELDS, {}),
    }
    if record.exc_info and record.exc_info[0] is not None:
        # The type alone: texts of other libraries may hold secrets and values.
        told["exception"] = record.exc_info[0].__name__
    return json.dumps(told, default=str, ensure_ascii=False)


def wants_json() -> bool:
    """Whether the environment asks for JSON lines.

    Raises:
        ConfigurationError: it asks for a format that there is not.
    """
    wanted = environment_variable(FORMAT_VARIABLE) or "text"
    if wanted not in ("json", "text"):
        raise ConfigurationError(
            "there is no such format of logs",
            field=FORMAT_VARIABLE,
            received=wanted,
            allowed="json, text",
        )
    return wanted == "json"


def writes_json() -> bool:
    """Whether Python's loggers write JSON lines by now."""
    return any(isinstance(handler, JsonLines) for handler in logging.getLogger().handlers)


def log_error(error: QualityPlatformError) -> None:
    """Logs an error that ends a command."""
    fields = {FIELDS: {"code": error.code}}
    logging.getLogger(f"{PLATFORM}.commands").error("%s", error, extra=fields)


def configure_logs() -> None:
    """Makes Python's loggers write JSON lines, where the environment asks for it.

    The platform's loggers tell everything from INFO, all others what they would tell anyway.

    Raises:
        ConfigurationError: the environment asks for a format that there is not.
    """
    if not wants_json():
        return
    if not writes_json():
        logging.getLogger().addHandler(JsonLines())
        logging.getLogger(PLATFORM).setLevel(logging.INFO)
    # A library that configures logging from a file silences all loggers that there are by then.
    for name in [n for n in logging.root.manager.loggerDict if n.startswith(f"{PLATFORM}.")]:
        logging.getLogger(name).disabled = False
