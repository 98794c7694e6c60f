"""What guards every use of Feast: the registry's lock, and errors without secrets in them."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from quality_platform.errors import (
    FeatureError,
    FeatureStoreUnreachableError,
    MaterializationError,
)
from quality_platform.feature_store.definitions import PostgresRegistry, StoreSettings
from quality_platform.feature_store.feast_settings import registry_url, secrets_of

_LOCK_SECONDS = 120
"""How long to wait for other processes that change the registry."""

_LOCK_KEY = int.from_bytes(b"qp-feast")
"""PostgreSQL's advisory lock of the registry, which all projects in it share."""

_HIDDEN = "***"

_QUOTES = "'\""
"""What a KeyError puts around its message."""


@contextmanager
def registry_lock(settings: StoreSettings) -> Iterator[None]:
    """Keeps other processes from changing the registry meanwhile. It cannot be taken twice.

    Feast makes the registry's tables and changes its rows without a lock. It ends with its process.

    Raises:
        sqlite3.Error, sqlalchemy.exc.SQLAlchemyError: others have it for two minutes, or the
            registry cannot be reached.
        SecretError: a secret cannot be had.
    """
    if isinstance(settings.registry, PostgresRegistry):
        with _lock_in_postgres(registry_url(settings.registry)):
            yield
    else:
        with _lock_beside(settings.registry.path):
            yield


@contextmanager
def feast_errors(settings: StoreSettings, failing: str) -> Iterator[None]:
    """Turns what Feast and its libraries raise into the platform's errors.

    `failing` is a sentence's beginning: "the features cannot be read".

    Raises:
        FeatureStoreUnreachableError: the registry or the online store does not answer.
        MaterializationError: anything else.
    """
    with warnings.catch_warnings():
        # Feast's modules switch on the deprecation warnings of the whole process.
        from feast.errors import FeastError
        from google.protobuf.message import Error as ProtobufError  # type: ignore[import-untyped]
        from redis.exceptions import RedisError
        from sqlalchemy.exc import SQLAlchemyError

        # Feast says so of each on-demand feature view; it is in the docs.
        warnings.filterwarnings("ignore", "On demand feature view is", RuntimeWarning)
        known = (FeastError, SQLAlchemyError, RedisError, sqlite3.Error, ProtobufError)
        builtin = (OSError, RuntimeError, ValueError, TypeError, KeyError, AssertionError)
        try:
            yield
        except (*known, *builtin) as error:
            secrets = secrets_of(settings)
            told = _told(error, failing, secrets)
            # What caused it can show the settings, and they hold the secrets.
            raise told from (None if secrets else error)


def _told(error: Exception, failing: str, secrets: tuple[str, ...]) -> FeatureError:
    text = str(error).strip(_QUOTES) or type(error).__name__
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    if _is_away(error):
        return FeatureStoreUnreachableError(
            f"{failing}: {text}",
            field="feature_store",
            action="check feature_store in runner.yaml, and that its servers are up",
        )
    return MaterializationError(
        f"{failing}: {text}",
        action="apply the views first, and check the registry and the online store",
    )


def _is_away(error: Exception) -> bool:
    """Whether a server did not answer."""
    from redis.exceptions import (
        AuthenticationError,
        BusyLoadingError,
        ConnectionError,
        TimeoutError,
    )
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

    if isinstance(error, AuthenticationError):
        return False
    if isinstance(error, ConnectionError | TimeoutError | BusyLoadingError):
        return True
    if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.Error):
        return False
    refused = "authentication failed" in str(error) or "does not exist" in str(error)
    return isinstance(error, OperationalError | InterfaceError) and not refused


@contextmanager
def _lock_beside(registry: Path) -> Iterator[None]:
    """SQLite's own lock on an empty file beside the registry, which works on every system."""
    registry.parent.mkdir(parents=True, exist_ok=True)
    file = registry.with_name(f"{registry.name}.lock")
    with closing(sqlite3.connect(file, timeout=_LOCK_SECONDS)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def _lock_in_postgres(url: str) -> Iterator[None]:
    """An advisory lock of a transaction, which also a pool in between keeps on one connection."""
    from sqlalchemy import NullPool, create_engine, text

    engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 15})
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        yield
