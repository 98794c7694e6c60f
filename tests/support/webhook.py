"""A receiver of webhooks on loopback, which keeps what it gets and answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """A running receiver; `answers` are the codes of the next answers, 200 after them."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """What came, read as JSON."""
        return [json.loads(body) for body in self.bodies]

    @property
    def heard(self) -> list[tuple[str, str, str]]:
        """Event, table and check of what came."""
        return [(a["event"], a["table"], (a["check"] or {}).get("name", "")) for a in self.alerts]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver, until the block ends."""
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            code = found.answers.pop(0) if found.answers else 200
            if code < 300:
                found.bodies.append(body)
                found.headers.append(dict(self.headers.items()))
            self.send_response(code)
            if 300 <= code < 400:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
