"""Great Expectations itself: imported once and quietly, and run on one pandas data frame.

Nothing of the library is met anywhere else. It has to be started in a way of its own: its import
ends the process beside a partial pyspark, redirects the process's warnings, and reads a switch from
the environment; and it keeps its current project in a global.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from quality_platform.checks.specs import CheckSpec, Expectation
from quality_platform.errors import EngineError
from quality_platform.validation.engine_outcomes import one_line

LOCK = threading.Lock()
"""Held by whoever uses the library, which is bound to one CPU anyway."""

_RESULT_FORMAT = {
    "result_format": "COMPLETE",
    "return_unexpected_index_query": False,
    "exclude_unexpected_values": True,
    "partial_unexpected_count": 0,
}
_META_NAME = "check"


def built(spec: CheckSpec, claim: Expectation) -> tuple[Any, str]:
    """The library's object for an expectation, or what is wrong with its arguments."""
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from pydantic.v1 import ValidationError

    try:
        configuration = ExpectationConfiguration(
            type=claim.type, kwargs=dict(claim.kwargs), meta={_META_NAME: spec.name}
        )
        return configuration.to_domain_obj(), ""
    except ValidationError as error:
        found = {".".join(map(str, e["loc"])): e["msg"] for e in error.errors()}
        return None, one_line("; ".join(f"{place}: {reason}" for place, reason in found.items()))
    except _library_errors() as error:
        return None, reason_of(error)


def validated(expectations: Sequence[Any], frame: Any) -> tuple[dict[str, Any], str]:
    """The library's results by check name (it reorders them), or why there are none.

    Args:
        expectations: objects from `built`.
        frame: a pandas data frame with a positional index.
    """
    gx = library()
    source = _context().data_sources.add_pandas(uuid.uuid4().hex)
    try:
        asset = source.add_dataframe_asset("batch")
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
        suite = gx.ExpectationSuite(name="suite", expectations=list(expectations))
        results = batch.validate(suite, result_format=_RESULT_FORMAT).results
    except _library_errors() as error:
        return {}, reason_of(error)
    finally:
        # The data source holds the data frame.
        _context().data_sources.delete(source.name)
    return {result.expectation_config.meta[_META_NAME]: result for result in results}, ""


def exception_in(info: Mapping[str, Any]) -> str:
    """The message of an exception, "" for none; for some failures it is nested by metric."""
    if "raised_exception" in info:
        return (info["exception_message"] or "exception") if info["raised_exception"] else ""
    nested = [exception_in(inner) for inner in info.values() if isinstance(inner, Mapping)]
    return next((message for message in nested if message), "")


def reason_of(error: BaseException) -> str:
    """The exception in one line."""
    return one_line(f"{type(error).__name__}: {error}")


@lru_cache(maxsize=1)
def _library_errors() -> tuple[type[Exception], ...]:
    """What building or running a suite raises; exceptions of one metric come back as results."""
    from great_expectations.exceptions.exceptions import GreatExpectationsError

    return (
        GreatExpectationsError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        NotImplementedError,
    )


@lru_cache(maxsize=1)
def _context() -> Any:
    """One context for the process, in memory, which shows no progress bars and writes no files."""
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    # The context of the library's own making has a site of documents in a temporary folder.
    in_memory = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    config = DataContextConfig(
        store_backend_defaults=in_memory,
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    return library().get_context(mode="ephemeral", project_config=config)


@lru_cache(maxsize=1)
def library() -> Any:
    """The library, imported.

    Raises:
        EngineError: it cannot be imported.
    """
    # The library reads its switch from the environment, and at import only.
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    try:
        with _quiet_import():
            import great_expectations as gx
    # Importing it ends the process where pyspark is installed without its connect dependencies.
    except (ImportError, SystemExit) as error:
        raise EngineError(
            "Great Expectations cannot be imported",
            received=reason_of(error),
            action="install the package great-expectations; remove a partial pyspark",
        ) from error
    # Results come back as values; nothing of the library is meant for the terminal.
    logger = logging.getLogger("great_expectations")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return gx


@contextmanager
def _quiet_import() -> Iterator[None]:
    """Undo what the import changes for the whole process, and hide what it deprecates itself."""
    show = warnings.showwarning
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=r"module 'sre_\w+' is deprecated", category=DeprecationWarning
        )
        yield
        if warnings.showwarning is not show:
            # The library redirects every warning of the process to logging.
            logging.captureWarnings(False)
