"""Uniqueness: a cheap proof first; only rows that it leaves in doubt are compared key by key.

Every way ends in *suspects*, a table that holds some trait of each key that may occur twice: the
key itself, one of its columns, or its hash. A trait may suspect too many rows, never too
few. Rows of a suspected key are then grouped by the key itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from quality_platform.checks.specs import Unique
from quality_platform.errors import EngineError
from quality_platform.lake.query import quote_identifier as q
from quality_platform.validation.ordered_keys import can_be_ordered, out_of_order
from quality_platform.validation.reference_keys import own

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NEIGHBOURS = 64
"""Integers that are told by one 64-bit mask."""
_SHARED = 4
"""Rows a neighbourhood from which on neighbourhoods are cheaper to group by than keys."""

_SUSPECTS, _CANDIDATES = "unique_suspects", "unique_candidates"
_REPEATED, _TAKEN = "unique_repeated", "unique_taken"
_COUNT, _IS_TAKEN = own("rows"), own("taken")


@dataclass(frozen=True)
class Repeats:
    """What repeats: `extra` rows beyond the first of each key, and SQL for the places of all rows.

    All rows of a key that is published already are extra. `places` selects file and position of
    every row that shares its key with another.
    """

    extra: int
    places: str


@dataclass(frozen=True)
class Uniqueness:
    """Finds repeated keys in the relation `rows` of a session, whose columns have `schema`.

    `place` are the two columns of a row's place in SQL. `published` is a relation with the rows
    that the keys must not repeat; "" for none.
    """

    connection: DuckDBPyConnection
    rows: str
    place: str
    schema: pa.Schema
    published: str = ""

    def repeats(self, claim: Unique) -> Repeats:
        """The rows that share their key with another; the result holds until the next call.

        Raises:
            EngineError: there is no such column.
        """
        missing = [column for column in claim.columns if column not in self.schema.names]
        if missing:
            raise EngineError(f"there is no column {missing[0]!r}", allowed=self.schema.names)
        keys = ", ".join(q(column) for column in claim.columns)
        search = _Search(self, claim.columns, keys, claim.where)
        taken = bool(self.published) and search.published()
        suspected = search.suspects()
        if not taken and suspected is None:
            return Repeats(0, f"SELECT {self.place} FROM {self.rows} WHERE FALSE")
        return search.repeats(suspected, taken)


@dataclass(frozen=True)
class _Search:
    of: Uniqueness
    columns: Sequence[str]
    keys: str
    where: str

    @property
    def judged(self) -> str:
        judged = [f"{q(column)} IS NOT NULL" for column in self.columns]
        return " AND ".join([*judged, f"({self.where})"] if self.where else judged)

    def published(self) -> bool:
        """Makes the table of the batch's keys that are published already; whether it has any."""
        if self._lie_apart():
            return False
        self._create(
            _TAKEN,
            f"SELECT DISTINCT {self.keys} FROM {self.of.published} SEMI JOIN "
            f"(SELECT {self.keys} FROM {self.of.rows} WHERE {self.judged}) USING ({self.keys}) "
            f"WHERE {self.judged}",
        )
        return self._has_rows(_TAKEN)

    def _lie_apart(self) -> bool:
        """Whether some key column has all new values beyond all published ones.

        Bounds are in the files' statistics, so that asking costs next to nothing.
        """
        ordered = [c for c in self.columns if self._is_ordered(c)]
        bounds = ", ".join(f"min({q(c)}), max({q(c)})" for c in ordered)
        if not ordered:
            return False
        new, old = (
            self.of.connection.execute(f"SELECT {bounds} FROM {relation}").fetchall()[0]
            for relation in (self.of.rows, self.of.published)
        )
        pairs = zip(new[::2], new[1::2], old[::2], old[1::2], strict=True)
        return any(
            low is None or old_low is None or low > old_high or high < old_low
            for low, high, old_low, old_high in pairs
        )

    def _is_ordered(self, column: str) -> bool:
        return can_be_ordered(self.of.schema.field(column).type)

    def suspects(self) -> str | None:
        """Makes the table of suspects; SQL that gives a row's trait, None where nothing repeats."""
        trait = self._by_neighbourhood() or self._by_order() or self._by_hash()
        return trait if self._has_rows(_SUSPECTS) else None

    def _by_neighbourhood(self) -> str:
        """For one integer column whose values lie close together; "" where they do not."""
        column = self.columns[0]
        kind = self.of.schema.field(column).type
        if len(self.columns) > 1 or not pa.types.is_signed_integer(kind):
            return ""
        low, high, count = self.of.connection.execute(
            f"SELECT min({q(column)}), max({q(column)}), count(*) FROM {self.of.rows}"
        ).fetchall()[0]
        if low is None or (high - low) // _NEIGHBOURS > count // _SHARED:
            return ""
        self._create(
            _SUSPECTS,
            "SELECT (neighbourhood * 64 + place)::BIGINT AS trait "
            f"FROM ({_repeated_bits(self.of.rows, q(column), self.judged)}), range(64) bits(place) "
            "WHERE (mask >> place::UBIGINT) & 1 = 1",
        )
        return f"{q(column)}::BIGINT"

    def _by_order(self) -> str:
        """For a key with a column whose values mostly come in order; "" where none does."""
        for column in filter(self._is_ordered, self.columns):
            found = out_of_order(
                self.of.connection,
                f"SELECT {q(column)} FROM {self.of.rows} WHERE {self._judged_by(column)}",
            )
            if found is not None:
                late = pa.Table.from_arrays([found], ["trait"])
                self.of.connection.register("unique_late", late)
                self._create(_SUSPECTS, "SELECT DISTINCT trait FROM unique_late")
                self.of.connection.unregister("unique_late")
                return q(column)
        return ""

    def _judged_by(self, column: str) -> str:
        """The rows judged and perhaps more, told without reading the other key columns."""
        return f"{q(column)} IS NOT NULL" + (f" AND ({self.where})" if self.where else "")

    def _by_hash(self) -> str:
        """For any key."""
        trait = f"hash({self.keys})"
        self._create(
            _SUSPECTS,
            f"SELECT {trait} AS trait FROM {self.of.rows} WHERE {self.judged} GROUP BY ALL "
            "HAVING count(*) > 1",
        )
        return trait

    def repeats(self, suspected: str | None, taken: bool) -> Repeats:
        """The rows of suspected keys, compared key by key, and those whose key is published."""
        some = [f"{suspected} IN (SELECT trait FROM {_SUSPECTS})"] if suspected else []
        some += [f"({self.keys}) IN (SELECT ({self.keys}) FROM {_TAKEN})"] if taken else []
        self._create(
            _CANDIDATES,
            f"SELECT {self.of.place}, {self.keys} FROM {self.of.rows} "
            f"WHERE {self.judged} AND ({' OR '.join(some)})",
        )
        hit = f"({self.keys}) IN (SELECT ({self.keys}) FROM {_TAKEN})" if taken else "FALSE"
        self._create(
            _REPEATED,
            f"SELECT {self.keys}, count(*) AS {_COUNT}, bool_or({hit}) AS {_IS_TAKEN} "
            f"FROM {_CANDIDATES} GROUP BY {self.keys} HAVING {_COUNT} > 1 OR {_IS_TAKEN}",
        )
        extra = self.of.connection.execute(
            f"SELECT coalesce(sum({_COUNT} - (NOT {_IS_TAKEN})::BIGINT), 0) FROM {_REPEATED}"
        ).fetchall()[0][0]
        places = (
            f"SELECT {self.of.place} FROM {_CANDIDATES} SEMI JOIN {_REPEATED} USING ({self.keys})"
        )
        return Repeats(int(extra), places)

    def _create(self, name: str, query: str) -> None:
        self.of.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")

    def _has_rows(self, name: str) -> bool:
        found = self.of.connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchall()
        return bool(found)


def _repeated_bits(rows: str, column: str, judged: str) -> str:
    """SQL of the neighbourhoods in which a value repeats, with a mask of the values that may.

    A value seen an even number of times is in the `or` of all, and not in their `xor`. Where the
    rows are as many as if these had been seen twice and all others once, it is just so; otherwise
    some value was seen more often, and each of the neighbourhood may be it.
    """
    bit = f"1::UBIGINT << ({column}::BIGINT & 63)::UBIGINT"
    return (
        "SELECT neighbourhood, CASE WHEN "
        "number = bit_count(odd) + 2 * bit_count(xor(seen, odd))::BIGINT "
        "THEN xor(seen, odd) ELSE seen END AS mask "
        f"FROM (SELECT {column}::BIGINT >> 6 AS neighbourhood, count(*) AS number, "
        f"bit_or({bit}) AS seen, bit_xor({bit}) AS odd FROM {rows} WHERE {judged} GROUP BY ALL) "
        "WHERE number <> bit_count(seen)"
    )
