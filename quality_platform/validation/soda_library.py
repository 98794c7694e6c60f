"""Soda itself: imported once and quietly, and kept from the logging of the process."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from quality_platform.errors import EngineError
from quality_platform.validation.engine_outcomes import one_line


@contextmanager
def session_logs() -> Iterator[Any]:
    """Soda's collector of errors, for one session.

    Soda hangs it on the root logger for good, where it also takes other libraries' errors for its
    own and keeps `logging.basicConfig` from working. It is moved to Soda's logger, and removed
    after; meanwhile nothing reaches the handlers of the process, so the terminal stays clean.
    """
    from soda_core.common.logs import Logs

    logger, logs = logging.getLogger("soda"), Logs()
    collectors = [h for h in logging.root.handlers if type(h).__module__ == Logs.__module__]
    level, propagate = logger.level, logger.propagate
    for handler in collectors:
        logging.root.removeHandler(handler)
        logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    try:
        yield logs
    finally:
        logger.setLevel(level)
        logger.propagate = propagate
        for handler in collectors:
            logger.removeHandler(handler)
        logs.close()


@lru_cache(maxsize=1)
def load_soda() -> None:
    """Import Soda without telemetry, and without the .env file that it would load.

    Raises:
        EngineError: Soda cannot be imported.
    """
    os.environ.setdefault("SODA_CORE_TELEMETRY_ENABLED", "false")
    try:
        with _without_dotenv(), warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="Not fully supported", category=DeprecationWarning
            )
            # In this order: the plug-in imported first is circular.
            import soda_core.common.env_config_helper as settings
            import soda_duckdb.common.data_sources.duckdb_data_source  # noqa: F401

            settings.EnvConfigHelper()
    except ImportError as error:
        raise EngineError(
            "Soda cannot be imported",
            received=one_line(str(error)),
            action="install the packages soda-core and soda-duckdb",
        ) from error


@contextmanager
def _without_dotenv() -> Iterator[None]:
    """Keep Soda's first import from loading the nearest .env into the process's environment."""
    key = "PYTHON_DOTENV_DISABLED"
    before = os.environ.get(key)
    os.environ[key] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[key]
        else:
            os.environ[key] = before
