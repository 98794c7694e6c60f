"""Opening catalogs so that none waits for ever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyiceberg.catalog import Catalog, load_catalog
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from quality_platform.lake.timeouts import ANSWER_SECONDS, CONNECT_SECONDS

_GLUE_RETRIES = 4

_STORE = {
    "s3.connect-timeout": str(CONNECT_SECONDS),
    "s3.request-timeout": str(ANSWER_SECONDS),
}

_DATABASE: dict[str, dict[str, str]] = {
    "sqlite": {"timeout": str(ANSWER_SECONDS)},
    "postgresql": {
        "connect_timeout": str(CONNECT_SECONDS),
        # Milliseconds after which a connection whose other side is gone counts as broken.
        "tcp_user_timeout": str(ANSWER_SECONDS * 1000),
    },
}


def open_catalog(name: str, properties: Mapping[str, str]) -> Catalog:
    """The catalog that pyiceberg's properties describe, with limits of time where they set none."""
    chosen: dict[str, Any] = {**_STORE, **properties}
    match chosen.get("type"):
        case "sql":
            # A connection that the server has closed meanwhile, as a restart does, is made anew.
            limited = {"pool_pre_ping": "true", **chosen, "uri": _limited(chosen["uri"])}
            return load_catalog(name, **limited)
        case "rest":
            from quality_platform.lake.rest_catalog import TimedRestCatalog

            return TimedRestCatalog(name, **{**_tokens(chosen), **chosen})
        case "glue":
            return load_catalog(name, **{**chosen, **_glue(chosen)})
        case _:
            return load_catalog(name, **chosen)


def _tokens(properties: Mapping[str, str]) -> dict[str, str]:
    """Where a catalog gives tokens: pyiceberg (0.12) knows the same place, and warns of it."""
    if "credential" not in properties:
        return {}
    return {"oauth2-server-uri": f"{properties['uri'].rstrip('/')}/v1/oauth/tokens"}


def _limited(uri: str) -> str:
    try:
        url = make_url(uri)
    except ValueError as error:
        # Its text holds a part of the URL.
        raise ArgumentError(f"the URL cannot be read ({type(error).__name__})") from None
    known = _DATABASE.get(url.get_backend_name(), {})
    missing = {key: value for key, value in known.items() if key not in url.query}
    if url.database in (None, "", ":memory:") and url.get_backend_name() == "sqlite":
        return uri
    return url.update_query_dict(missing).render_as_string(hide_password=False)


def _glue(properties: Mapping[str, Any]) -> dict[str, Any]:
    from botocore.config import Config  # type: ignore[import-untyped]
    from botocore.session import Session as BotocoreSession  # type: ignore[import-untyped]

    session = BotocoreSession()
    limits = Config(connect_timeout=CONNECT_SECONDS, read_timeout=ANSWER_SECONDS)
    session.set_default_client_config(limits)
    # pyiceberg passes a text on, and botocore takes numbers only.
    retries = int(properties.get("glue.max-retries", _GLUE_RETRIES))
    return {"botocore-session": session, "glue.max-retries": retries}
