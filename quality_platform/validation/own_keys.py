"""Foreign keys of a table to itself: a row may refer to a row of the same batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quality_platform.checks.specs import CheckSpec, ForeignKey, Scope, Severity
from quality_platform.lake.query import quote_identifier as q
from quality_platform.lake.query import quote_literal
from quality_platform.validation.bad_rows import BadRows
from quality_platform.validation.reference_keys import own

_KEYS = "own_keys"


@dataclass(frozen=True)
class OwnKeys:
    """Where a table's own keys are: rows of the batch that stay, and rows published before.

    `held` are files of rows that do not stay, `row_rules` the rules of the batch; rows that break
    one of severity error do not stay either. `published` is a relation, "" for none.
    """

    bad: BadRows
    held: Sequence[str]
    row_rules: Sequence[CheckSpec]
    published: str = ""

    def dangling(self, spec: CheckSpec, claim: ForeignKey) -> int:
        """Labels the rows that refer to no row, and counts them; a gate only counts.

        A row that goes takes along those that refer to it, and so on.
        """
        self._gather(claim)
        if spec.scope is Scope.GATE:
            return int(self._run(f"SELECT count(*) FROM ({self._places(claim)})"))
        found = -1
        while (count := self.bad.number([spec.name])) > found:
            found = count
            self._gather(claim)
            self.bad.add(spec.name, self._places(claim, without=spec.name))
            if spec.severity is not Severity.ERROR:
                return self.bad.number([spec.name])
        return found

    def _gather(self, claim: ForeignKey) -> None:
        """Makes the table of the keys that can be referred to."""
        columns = [f"{q(c)} AS {own(f'key{n}')}" for n, c in enumerate(claim.to_columns)]
        held = ", ".join(quote_literal(file) for file in self.held)
        kept = f"WHERE {own('file')} NOT IN ({held})" if held else ""
        going = [s.name for s in self.row_rules if s.severity is Severity.ERROR]
        sources = [
            f"SELECT {', '.join(columns)} FROM {self.bad.rows} "
            f"ANTI JOIN ({self.bad.places(going)}) USING ({own('file')}, {own('position')}) {kept}"
        ]
        if self.published:
            sources.append(f"SELECT {', '.join(columns)} FROM {self.published}")
        self.bad.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {_KEYS} AS {' UNION '.join(sources)}"
        )

    def _places(self, claim: ForeignKey, without: str = "") -> str:
        """SQL of the places of rows whose key is nowhere, but for those labelled already."""
        on = " AND ".join(
            f"b.{q(c)} = {_KEYS}.{own(f'key{n}')}" for n, c in enumerate(claim.columns)
        )
        present = " AND ".join(f"b.{q(c)} IS NOT NULL" for c in claim.columns)
        place = f"{own('file')}, {own('position')}"
        return (
            f"SELECT {place} FROM (SELECT b.* FROM {self.bad.rows} b ANTI JOIN {_KEYS} ON {on} "
            f"WHERE {present}) ANTI JOIN ({self.bad.places([without])}) USING ({place})"
        )

    def _run(self, query: str) -> int:
        return int(self.bad.connection.execute(query).fetchall()[0][0])
