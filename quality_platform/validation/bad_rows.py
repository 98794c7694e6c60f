"""The rows of a batch that break row rules: found by rules, kept as bit masks in the session.

Rules that read the same columns share one scan of these columns alone. DuckDB skips what the
files' statistics prove, judges each entry of a dictionary once, and reads a row's place only where
the row breaks something; a single scan of all columns has none of that. All of it is one statement,
which gives (file, position, word, mask) for bad rows only. DuckDB moves the table to disk where it
does not fit into the memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from quality_platform.errors import EngineError
from quality_platform.lake.query import engine_errors, quote_literal, time_limit
from quality_platform.lake.query import quote_identifier as q
from quality_platform.validation.conditions import Condition
from quality_platform.validation.reference_keys import own

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BITS = 62
"""Rules in one mask word: a BIGINT without its sign, and one bit to spare for a sum."""

_MOST_SCANS = 48
"""Scans in one statement: each opens the files, and has buffers of its own."""

_SAMPLE, _REPEATED = 100_000, 4
"""Rows that are sampled, and how often a value occurs in them where values are judged once each."""

_TABLE = "bad_rows"

_COLUMNS: dict[str, pa.DataType] = {
    "file": pa.string(),
    "position": pa.int64(),
    "rules": pa.list_(pa.string()),
}
LABELLED = pa.schema(_COLUMNS)
"""What `BadRows.labelled` gives: a row's file, its position in it from 0, the rules it breaks."""


@dataclass(frozen=True)
class Rule:
    """A row rule to look for: its name, and the condition that is true for a row that breaks it."""

    name: str
    condition: Condition


@dataclass
class BadRows:
    """The rows that break row rules, in a table of the session.

    `rows` is the relation that is judged, with the columns of each row's place beside its own;
    `files` are all files, to which the table refers by number; `texts` the columns that hold text.
    """

    connection: DuckDBPyConnection
    rows: str
    files: Sequence[str]
    texts: frozenset[str] = frozenset()
    timeout_seconds: float | None = None
    _slots: dict[str, int] = field(default_factory=dict)
    _repetitive: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {_TABLE} "
            "(file INTEGER NOT NULL, position BIGINT, word SMALLINT, mask BIGINT)"
        )

    def find(self, rules: Sequence[Rule]) -> dict[str, EngineError]:
        """Looks for the rows that break the rules; the rules that cannot be run, with the reason.

        One rule that fails takes no other down.
        """
        groups: dict[tuple[frozenset[str], str], list[Rule]] = {}
        for rule in rules:
            groups.setdefault((rule.condition.columns, rule.condition.join), []).append(rule)
        for rule in (rule for group in groups.values() for rule in group):
            self._slot(rule.name)
        parts = [part for group in groups.values() for part in self._by_word(group)]
        failed: dict[str, EngineError] = {}
        for start in range(0, len(parts), _MOST_SCANS):
            failed |= self._scan(parts[start : start + _MOST_SCANS])
        return failed

    def add(self, name: str, places: str) -> None:
        """Labels the rows that a query gives, by file and position, as breaking a rule.

        A row must be given once.
        """
        word, bit = divmod(self._slot(name), BITS)
        self._insert(f"SELECT *, {word}, {1 << bit} FROM ({places})")

    def add_numbered(self, name: str, places: str) -> None:
        """As `add`, of a query that gives the file's place in `files`, from 0, and the position."""
        word, bit = divmod(self._slot(name), BITS)
        self.connection.execute(
            f"INSERT INTO {_TABLE} SELECT file + 1, position, {word}, {1 << bit} FROM ({places})"
        )

    def _slot(self, name: str) -> int:
        return self._slots.setdefault(name, len(self._slots))

    def _by_word(self, group: Sequence[Rule]) -> Iterator[list[Rule]]:
        """The rules of a group, those of one mask word together."""
        words: dict[int, list[Rule]] = {}
        for rule in group:
            words.setdefault(self._slots[rule.name] // BITS, []).append(rule)
        yield from words.values()

    def _scan(self, parts: Sequence[Sequence[Rule]]) -> dict[str, EngineError]:
        """Runs some scans; where one fails, halves until the rule at fault is alone."""
        try:
            with engine_errors(), time_limit(self.connection, self.timeout_seconds):
                branches = [branch for part in parts if (branch := self._branch(part))]
                if branches:
                    self._insert(" UNION ALL ".join(branches))
        except EngineError as error:
            if len(parts) == 1 and len(parts[0]) == 1:
                return {parts[0][0].name: error}
        else:
            return {}
        halves = _halves(parts if len(parts) > 1 else [[rule] for rule in parts[0]])
        return {name: error for half in halves for name, error in self._scan(half).items()}

    def _insert(self, query: str) -> None:
        """Adds what a query gives as a row's file, position, word and mask."""
        self.connection.execute(
            f"INSERT INTO {_TABLE} "
            f"SELECT list_position({self._listed()}, file), position, word, mask "
            f"FROM ({query}) found(file, position, word, mask)"
        )

    def _branch(self, part: Sequence[Rule]) -> str:
        """The query of one scan; "" where it is known to find nothing."""
        column = self._repetitive_text(part)
        place = f"{own('file')}, {own('position')}, {self._slots[part[0].name] // BITS}"
        if column is None:
            joined = f"{self.rows} b {part[0].condition.join}"
            return f"SELECT {place}, {self._mask(part)} FROM {joined} WHERE {_any(part)}"
        values = f"bad_values_{self._slots[part[0].name]}"
        # In one statement DuckDB would judge all rows before it makes the values distinct.
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE different AS "
            f"SELECT DISTINCT {q(column)} FROM {self.rows}"
        )
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {values} AS SELECT {q(column)} AS {own('value')}, "
            f"{self._mask(part)} AS {own('mask')} FROM different b WHERE {_any(part)}"
        )
        if not self.connection.execute(f"SELECT 1 FROM {values} LIMIT 1").fetchall():
            return ""
        same = f"b.{q(column)} IS NOT DISTINCT FROM v.{own('value')}"
        return f"SELECT {place}, v.{own('mask')} FROM {self.rows} b JOIN {values} v ON {same}"

    def _mask(self, part: Sequence[Rule]) -> str:
        return " + ".join(
            f"CASE WHEN {rule.condition.sql} "
            f"THEN {1 << self._slots[rule.name] % BITS}::BIGINT ELSE 0 END"
            for rule in part
        )

    def _repetitive_text(self, part: Sequence[Rule]) -> str | None:
        """The only column that the rules read, where it is a text with few different values.

        Then judging each value once pays for the second look at the column.
        """
        columns = part[0].condition.columns
        is_cheap = len(part) == 1 and "REGEXP" not in part[0].condition.sql
        if len(columns) != 1 or part[0].condition.join or is_cheap or not columns <= self.texts:
            return None
        (column,) = columns
        if column not in self._repetitive:
            some, different = self.connection.execute(
                f"SELECT count(*), count(DISTINCT {q(column)}) "
                f"FROM (SELECT {q(column)} FROM {self.rows} LIMIT {_SAMPLE})"
            ).fetchall()[0]
            self._repetitive[column] = different * _REPEATED <= some
        return column if self._repetitive[column] else None

    def counts(self) -> Counter[str]:
        """The number of rows that break each rule, from the masks' histogram."""
        with engine_errors():
            histogram = self.connection.execute(
                f"SELECT word, mask, count(*) FROM {_TABLE} GROUP BY ALL"
            ).fetchall()
        names = list(self._slots)
        found: Counter[str] = Counter()
        for word, mask, count in histogram:
            for slot in _slots_of(word, mask):
                found[names[slot]] += count
        return found

    def number(self, names: Collection[str]) -> int:
        """The number of rows that break at least one of these rules."""
        with engine_errors():
            found = self.connection.execute(
                f"SELECT count(*) FROM (SELECT DISTINCT file, position FROM {_TABLE} "
                f"WHERE {self._breaking(names)})"
            ).fetchall()
        return int(found[0][0])

    def places(self, names: Collection[str]) -> str:
        """SQL of the rows that break at least one of these rules, by file and position."""
        return (
            f"SELECT DISTINCT {self._listed()}[file] AS {own('file')}, "
            f"position AS {own('position')} FROM {_TABLE} WHERE {self._breaking(names)}"
        )

    def _breaking(self, names: Collection[str]) -> str:
        masks: dict[int, int] = {}
        for slot in (self._slots[name] for name in names if name in self._slots):
            masks[slot // BITS] = masks.get(slot // BITS, 0) | 1 << slot % BITS
        some = [f"(word = {word} AND mask & {mask} <> 0)" for word, mask in masks.items()]
        return f"({' OR '.join(some)})" if some else "FALSE"

    def _listed(self) -> str:
        return f"([{', '.join(quote_literal(file) for file in self.files)}]::VARCHAR[])"

    def first(self, name: str, limit: int) -> list[tuple[str, int]]:
        """The files and positions of the first rows that break a rule."""
        found = self.connection.execute(
            f"SELECT file, position FROM {_TABLE} WHERE {self._breaking([name])} "
            f"ORDER BY ALL LIMIT {limit}"
        ).fetchall()
        return [(self.files[file - 1], position) for file, position in found]

    def labelled(self, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """All bad rows in order, with the names of the rules that they break, as `LABELLED`.

        Streams: the connection runs nothing else until the last batch is taken.
        """
        if not self._slots:
            return
        with engine_errors():
            reader = self.connection.sql(self._named()).to_arrow_reader(batch_rows)
        try:
            with engine_errors():
                for batch in reader:
                    columns = zip(batch.columns, LABELLED.types, strict=True)
                    yield pa.record_batch([c.cast(kind) for c, kind in columns], schema=LABELLED)
        finally:
            reader.close()

    def _named(self) -> str:
        """SQL of the bad rows in order; names are looked up once for each set of rules."""
        names = [quote_literal(name) for name in self._slots]
        words = [names[start : start + BITS] for start in range(0, len(names), BITS)]
        masks = [own(f"mask{n}") for n in range(len(words))]
        merged = [
            f"bit_or(CASE word WHEN {n} THEN mask ELSE 0 END) AS {mask}"
            for n, mask in enumerate(masks)
        ]
        broken = [
            f"list_filter([{', '.join(word)}], lambda name, place: {mask} >> (place - 1) & 1 = 1)"
            for word, mask in zip(words, masks, strict=True)
        ]
        same = ", ".join(masks)
        return (
            f"WITH found AS MATERIALIZED (SELECT file, position, {', '.join(merged)} "
            f"FROM {_TABLE} GROUP BY file, position), "
            f"named AS (SELECT {same}, {' || '.join(broken)} AS rules "
            f"FROM (SELECT DISTINCT {same} FROM found)) "
            f"SELECT {self._listed()}[file], position, rules "
            f"FROM found JOIN named USING ({same}) ORDER BY found.file, position"
        )


def _any(part: Sequence[Rule]) -> str:
    return " OR ".join(rule.condition.sql for rule in part)


def _halves(parts: Sequence[Sequence[Rule]]) -> tuple[Sequence[Sequence[Rule]], ...]:
    middle = len(parts) // 2
    return parts[:middle], parts[middle:]


def _slots_of(word: int, mask: int) -> Iterator[int]:
    return (word * BITS + bit for bit in range(BITS) if mask >> bit & 1)
