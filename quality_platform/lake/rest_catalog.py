"""pyiceberg's REST catalog with limits of time: it has none (0.12), and no setting for them."""

from __future__ import annotations

from typing import Any

from pyiceberg.catalog.rest import RestCatalog
from requests import PreparedRequest, Response, Session  # type: ignore[import-untyped]
from requests.adapters import HTTPAdapter  # type: ignore[import-untyped]

from quality_platform.lake.timeouts import ANSWER_SECONDS, CONNECT_SECONDS


class TimedRestCatalog(RestCatalog):
    """A REST catalog that does not wait for ever, neither for an answer nor for a token."""

    def _config_headers(self, session: Session) -> None:
        # The first thing that is done with a new session: before it fetches a token.
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Timed())
        super()._config_headers(session)


class _Timed(HTTPAdapter):  # type: ignore[misc]
    """Sends with a limit of time where the caller sets none."""

    def send(self, request: PreparedRequest, *args: Any, **more: Any) -> Response:
        if more.get("timeout") is None:
            more["timeout"] = (CONNECT_SECONDS, ANSWER_SECONDS)
        return super().send(request, *args, **more)
