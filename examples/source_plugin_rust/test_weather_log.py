"""The source with its compiled reader, through a whole load into a lake."""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from quality_platform.cli import main

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: weather
name: weather
version: 1.0.0
status: active
schema:
  - name: weather
    properties:
      - name: at
        logicalType: timestamp
        logicalTypeOptions: {timezone: true}
      - {name: station, logicalType: integer, required: true}
      - {name: degrees, logicalType: number, physicalType: "decimal(9,3)"}
      - {name: note, logicalType: string}
"""
RUNNER = """
version: 1
tables:
  weather:
    contract: weather.odcs.yaml
    namespace: shop
    source: {type: weather_log, path: "logs/*.wlog"}
    load: {mode: append}
"""
NO_DEGREES = -(2**31)


def record(at: int, station: int, degrees: int, note: str = "") -> bytes:
    """A record as a station writes it."""
    text = note.encode()
    body = struct.pack("<HqIi", len(text), at, station, degrees) + text
    return body + struct.pack("<I", zlib.crc32(body))


def log(path: Path, *records: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"WLOG\x01" + b"".join(records))


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[], tuple[int, str]]:
    """Runs `quality-platform run weather` in an empty folder; the exit code and what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QUALITY_PLATFORM_HOME", raising=False)
    monkeypatch.delenv("QUALITY_PLATFORM_RUNNER", raising=False)
    monkeypatch.setattr(sys, "argv", ["quality-platform", "run", "weather"])
    (tmp_path / "weather.odcs.yaml").write_text(CONTRACT)
    (tmp_path / "runner.yaml").write_text(RUNNER)

    def ran() -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), "".join(capsys.readouterr())

    return ran


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    """The rows of a table of the lake."""
    from pyiceberg.catalog import load_catalog

    catalog = load_catalog("lake", type="sql", uri=f"sqlite:///{folder}/.local/catalog.db")
    return catalog.load_table(table).scan().to_arrow().to_pylist()


def test_every_record_is_a_row_or_held_with_its_bytes(
    tmp_path: Path, run: Callable[[], tuple[int, str]]
) -> None:
    damaged = bytearray(record(1, 99, 1))
    damaged[-1] ^= 1
    many = [record(n, 2**32 - 1, n - 10_000, f"ä{n}") for n in range(20_000)]
    log(tmp_path / "logs" / "a.wlog", record(-1, 7, NO_DEGREES), bytes(damaged), *many)
    code, printed = run()
    assert code == 0, printed
    found = rows(tmp_path, "shop.weather")
    assert len(found) == 20_001
    first = next(row for row in found if row["station"] == 7)
    assert first["at"].isoformat() == "1969-12-31T23:59:59.999999+00:00"
    assert (first["degrees"], first["note"]) == (None, None)
    assert sorted(int(row["degrees"] * 1000) for row in found if row["note"]) == list(
        range(-10_000, 10_000)
    )
    assert {row["note"] for row in found} == {None, *(f"ä{n}" for n in range(20_000))}
    (held,) = rows(tmp_path, "quarantine.weather")
    assert held["_raw_record"] == damaged.hex()
    log(tmp_path / "logs" / "b.wlog", record(1, 8, 1))
    assert run()[0] == 0
    assert len(rows(tmp_path, "shop.weather")) == 20_002
    log(tmp_path / "logs" / "b.wlog", record(1, 8, 2))
    code, printed = run()
    assert (code, "QP205" in printed) == (2, True)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "Invalid argument"),
        (b"GIF89a", "Invalid argument"),
        (b"WLOG\x01" + record(1, 1, 1)[:-1], "cut short in the record at byte 5"),
        (b"WLOG\x01" + record(1, 1, 1) + b"\x01", "cut short in the record at byte 27"),
    ],
)
def test_what_is_no_whole_log_is_refused(
    tmp_path: Path, run: Callable[[], tuple[int, str]], content: bytes, told: str
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.wlog").write_bytes(content)
    code, printed = run()
    assert (code, "QP204" in printed) == (2, True)
    assert told in " ".join(printed.split())
