"""The source against a server of its interface, through a whole load into a lake."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from quality_platform.cli import main

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: tickets
name: tickets
version: 1.0.0
status: active
schema:
  - name: tickets
    properties:
      - {name: id, logicalType: integer, required: true, primaryKey: true}
      - {name: title, logicalType: string}
      - {name: hours, logicalType: number, physicalType: "decimal(9,2)"}
      - name: updated_at
        logicalType: timestamp
        logicalTypeOptions: {timezone: true}
"""
RUNNER = """
version: 1
retries: {{max_retries: 0, opening_seconds: 0}}
connections:
  tickets: {{url: "http://:{token}@127.0.0.1:{port}/api"}}
tables:
  tickets:
    contract: tickets.odcs.yaml
    namespace: shop
    source: {{type: tickets, connection: tickets}}
    load: {{mode: append, incremental: {{cursor: updated_at}}}}
"""


@dataclass
class TicketSystem:
    """The server's records, and what it was asked."""

    items: list[Any] = field(default_factory=list)
    status: int = 200
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str, query: dict[str, str]) -> Any:
        self.asked.append(path)
        times = [item["updated_at"] for item in self.items if isinstance(item, dict)]
        if path.endswith("/newest"):
            return {"updated_at": max(times, default=None), "now": "2030-01-01T00:00:00+00:00"}
        first = int(query.get("token", 0))
        found = [item for item in self.items if _is_within(item, query)]
        return {
            "items": found[first : first + 2],
            "next": str(first + 2) if first + 2 < len(found) else None,
        }


def _is_within(item: Any, query: dict[str, str]) -> bool:
    at = item["updated_at"] if isinstance(item, dict) else "2024-01-01T00:00:00+00:00"
    return query.get("after", "") < at <= query.get("up_to", "9")


@pytest.fixture
def server() -> Iterator[tuple[TicketSystem, int]]:
    """A running ticket system, and its port."""
    system = TicketSystem()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            known = self.headers["Authorization"] == "Bearer t0ken"
            self.send_response(system.status if known else 401)
            self.end_headers()
            if known and system.status == 200:
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.wfile.write(json.dumps(system.answer(parts.path, query)).encode())

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield system, running.server_port
    running.shutdown()
    running.server_close()


@dataclass(frozen=True)
class Runs:
    """Runs loads in a folder, as anybody would."""

    folder: Path
    port: int
    printed: Callable[[], Any]

    def __call__(self, token: str = "t0ken") -> tuple[int, str]:
        """The exit code, and what was printed."""
        (self.folder / "tickets.odcs.yaml").write_text(CONTRACT)
        (self.folder / "runner.yaml").write_text(RUNNER.format(port=self.port, token=token))
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), "".join(self.printed())


@pytest.fixture
def run(
    server: tuple[TicketSystem, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Runs:
    """Runs `quality-platform run tickets` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QUALITY_PLATFORM_HOME", raising=False)
    monkeypatch.delenv("QUALITY_PLATFORM_RUNNER", raising=False)
    monkeypatch.setattr(sys, "argv", ["quality-platform", "run", "tickets"])
    return Runs(tmp_path, server[1], capsys.readouterr)


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    """The rows of a table of the lake."""
    from pyiceberg.catalog import load_catalog

    catalog = load_catalog("lake", type="sql", uri=f"sqlite:///{folder}/.local/catalog.db")
    return catalog.load_table(table).scan().to_arrow().to_pylist()


def ticket(number: int, day: int, hours: Any = 1.10) -> dict[str, Any]:
    at = f"2024-01-{day:02}T00:00:00+00:00"
    return {"id": number, "title": f"ä{number}", "hours": hours, "updated_at": at}


def test_what_is_new_is_loaded_once_and_what_does_not_fit_is_held(
    server: tuple[TicketSystem, int], run: Runs
) -> None:
    system, _ = server
    system.items = [ticket(1, 1), ticket(2, 2), "not a ticket", ticket(3, 3, "many"), ticket(4, 3)]
    code, printed = run()
    assert code == 0, printed
    assert sorted(row["id"] for row in rows(run.folder, "shop.tickets")) == [1, 2, 4]
    held = rows(run.folder, "quarantine.tickets")
    assert sorted(row["_raw_record"] for row in held) == [
        '"not a ticket"',
        json.dumps(ticket(3, 3, "many"), ensure_ascii=False),
    ]
    system.items.append(ticket(5, 4))
    code, printed = run()
    assert code == 0, printed
    found = rows(run.folder, "shop.tickets")
    assert sorted(row["id"] for row in found) == [1, 2, 4, 5]
    assert {str(row["hours"]) for row in found} == {"1.10"}
    system.asked.clear()
    run()
    assert system.asked == ["/api/tickets/newest"]


@pytest.mark.parametrize(
    ("status", "token", "code"),
    [(503, "t0ken", "QP206"), (404, "t0ken", "QP201"), (200, "wr0ng", "QP207")],
)
def test_an_error_is_told_by_its_kind_and_without_the_token(
    server: tuple[TicketSystem, int], run: Runs, status: int, token: str, code: str
) -> None:
    system, _ = server
    system.status = status
    ended, printed = run(token)
    assert ended == 2
    assert code in printed
    assert token not in printed


def test_a_field_that_nobody_knows_stops_the_load(
    server: tuple[TicketSystem, int], run: Runs
) -> None:
    system, _ = server
    system.items = [{**ticket(1, 1), "mood": "good"}]
    ended, printed = run()
    assert ended == 2
    assert "mood" in printed
