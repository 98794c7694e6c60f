"""What the history adds up to for each table: numbers that only grow, and the latest of each.

Only files that are new since the last look are read, as long as the files of that look are there:
once the history has been compacted, it is read anew. So a look costs what has happened since.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from quality_platform.history.records import CHECK_RESULTS, RUNS, files_of_history
from quality_platform.lake.catalog import Lake
from quality_platform.lake.query import EngineSettings, duckdb_session, quote_literal
from quality_platform.lake.table_files import TableFiles, read_parquet

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LOAD_STATES = ("published", "partly_published", "blocked", "failed")
"""The states of runs that read a source."""

REPLAY_STATES = ("replayed", "released", "discarded")
"""The states of runs that took rows out of a quarantine."""

MATERIALIZED = "materialized"
"""The state of runs that wrote a feature view into the online store."""

_SUMS = ("rows_read", "rows_published", "rows_quarantined", "bytes_read", "bytes_written")

# A load that published no row has still made the table as new as its source.
_IS_PUBLISH = (
    "state = 'published' OR (state = 'partly_published' AND rows_read > 0) "
    f"OR (state <> '{MATERIALIZED}' AND rows_published > 0)"
)


@dataclass
class StateTotals:
    """The runs of one table that ended in one state: sums, and the latest of them."""

    runs: int = 0
    seconds: float = 0.0
    sums: Counter[str] = field(default_factory=Counter)
    ended_at: datetime | None = None
    last_seconds: float = 0.0
    published_at: datetime | None = None

    def add(self, row: dict[str, Any]) -> None:
        """Adds the runs of further files."""
        self.runs += row["runs"]
        self.seconds += row["seconds"]
        self.sums.update({name: int(row[name]) for name in _SUMS})
        if self.ended_at is None or row["ended_at"] > self.ended_at:
            self.ended_at, self.last_seconds = row["ended_at"], row["last_seconds"]
        self.published_at = _later(self.published_at, row["published_at"])


@dataclass
class CheckTotals:
    """The check results of one table, counted by verdict and severity.

    `latest` counts those of the latest run that had any; `newest` has, by a check's name, the
    newest published value of the column whose age it judges, in seconds since 1970.
    """

    results: Counter[tuple[str, str]] = field(default_factory=Counter)
    latest_at: datetime | None = None
    latest: Counter[tuple[str, str]] = field(default_factory=Counter)
    newest: dict[str, float] = field(default_factory=dict)


class HistoryTotals:
    """The totals of a lake's history; `ages` are the names of the checks that judge an age."""

    def __init__(self, lake: Lake, settings: EngineSettings, ages: Collection[str] = ()) -> None:
        self._lake = lake
        self._settings = settings
        self._ages = _listed(ages)
        self._forget()

    def refresh(self) -> None:
        """Adds what has been recorded since the last time.

        Raises:
            LakeError: the lake cannot be used.
            EngineError: the files cannot be read.
        """
        # The results of a run are recorded before the run is: so they are listed before it.
        files = {name: files_of_history(self._lake, name) for name in (CHECK_RESULTS, RUNS)}
        if any(not read <= set(files[name]) for name, read in self._read.items()):
            self._forget()
        for name, add in ((CHECK_RESULTS, self._add_results), (RUNS, self._add_runs)):
            read = self._read[name]
            if new := files[name].only(file for file in files[name] if file not in read):
                add(new)
            self._read[name] = read | set(new)

    def _forget(self) -> None:
        self._read: dict[str, frozenset[str]] = {CHECK_RESULTS: frozenset(), RUNS: frozenset()}
        self._unsettled: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        self.runs: dict[str, dict[str, StateTotals]] = defaultdict(lambda: defaultdict(StateTotals))
        self.checks: dict[str, CheckTotals] = defaultdict(CheckTotals)

    def _add_runs(self, files: TableFiles) -> None:
        relation = read_parquet(files)
        seconds = "greatest(epoch(ended_at) - epoch(started_at), 0)"
        with duckdb_session(self._settings) as connection:
            # A history that no run has been added to since a column came to be does not have it.
            known = connection.sql(f"SELECT * FROM {relation} LIMIT 0").columns
            sums = [f"coalesce(sum({n}), 0) AS {n}" if n in known else f"0 AS {n}" for n in _SUMS]
            rows = _rows(
                connection,
                f'SELECT "table", state, count(*) AS runs, {", ".join(sums)}, '
                f"sum({seconds}) AS seconds, max(ended_at) AS ended_at, "
                f"arg_max({seconds}, ended_at) AS last_seconds, "
                f"max(ended_at) FILTER (WHERE {_IS_PUBLISH}) AS published_at "
                f"FROM {relation} GROUP BY ALL",
            )
            ended = _rows(
                connection,
                "SELECT \"table\", run_id, bool_or(state = 'blocked') AS blocked "
                f'FROM {relation} WHERE "table" IN ({_listed(t for t, _ in self._unsettled)}) '
                'GROUP BY "table", run_id',
            )
        for row in rows:
            self.runs[row["table"]][row["state"]].add(row)
        for row in ended:
            self._settle(row)

    def _settle(self, run: dict[str, Any]) -> None:
        """Rows that were judged are not rows that are published, where the load was blocked."""
        found = self._unsettled.pop((run["table"], run["run_id"]), {})
        newest = self.checks[run["table"]].newest
        for check, at in {} if run["blocked"] else found.items():
            newest[check] = max(at, newest.get(check, at))

    def _add_results(self, files: TableFiles) -> None:
        """Adds results, once all queries have been answered: half of them must not count."""
        relation = read_parquet(files)
        counted = f'SELECT "table", verdict, severity, count(*) AS results FROM {relation}'
        with duckdb_session(self._settings) as connection:
            results = _rows(connection, f"{counted} GROUP BY ALL")
            latest = _rows(
                connection,
                'SELECT "table", verdict, severity, checked_at, count(*) AS results '
                f'FROM {relation} GROUP BY "table", verdict, severity, checked_at '
                'QUALIFY dense_rank() OVER (PARTITION BY "table" ORDER BY checked_at DESC) = 1',
            )
            newest = _rows(
                connection,
                'SELECT "table", "check", run_id, max(epoch(checked_at) - value) AS newest '
                f'FROM {relation} WHERE value IS NOT NULL AND "check" IN ({self._ages}) '
                "GROUP BY ALL",
            )
        for row in results:
            self.checks[row["table"]].results[row["verdict"], row["severity"]] += row["results"]
        for row in latest:
            self._add_latest(self.checks[row["table"]], row)
        for row in newest:
            self._unsettled[row["table"], row["run_id"]][row["check"]] = row["newest"]

    @staticmethod
    def _add_latest(totals: CheckTotals, row: dict[str, Any]) -> None:
        if totals.latest_at is None or row["checked_at"] > totals.latest_at:
            totals.latest_at, totals.latest = row["checked_at"], Counter()
        if row["checked_at"] == totals.latest_at:
            totals.latest[row["verdict"], row["severity"]] += row["results"]


def _rows(connection: DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = connection.sql(query).to_arrow_table().to_pylist()
    return found


def _listed(texts: Iterable[str]) -> str:
    """Texts as the members of a list in SQL, which nothing is in where there are none."""
    return ", ".join(map(quote_literal, sorted(set(texts)))) or "NULL"


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)
