"""Which rows of a quarantine are meant: by run, rule, time, load, or a condition of a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from quality_platform.checks.sql_guard import checked_predicate
from quality_platform.errors import ConfigurationError
from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.lake.query import quote_literal
from quality_platform.quarantine.columns import BROKEN_RULES, META_COLUMNS


@dataclass(frozen=True)
class Selection:
    """Rows of a quarantine; all parts must hold, and "" asks for nothing.

    Attributes:
        run: The run that read the row.
        rule: The name of a check that the row breaks.
        since: Held at this moment or later, in ISO 8601; UTC where it names no zone.
        load: The load that read the row.
        where: A SQL condition over the quarantine's columns, in the language of row predicates.
    """

    run: str = ""
    rule: str = ""
    since: str = ""
    load: str = ""
    where: str = ""

    def condition(self, table: ContractedTable) -> str:
        """The selection as SQL over the quarantine's columns; never NULL.

        Raises:
            ConfigurationError: `since` is no time.
            PredicateError: `where` is not allowed, or reads what is no column of the quarantine.
        """
        return " AND ".join(self._parts(table)) or "TRUE"

    def _parts(self, table: ContractedTable) -> Iterator[str]:
        if self.run:
            yield f"_run_id = {quote_literal(self.run)}"
        if self.load:
            yield f"_load_id = {quote_literal(self.load)}"
        if self.rule:
            yield f"list_contains({BROKEN_RULES}, {quote_literal(self.rule)})"
        if self.since:
            yield f"_quarantined_at >= TIMESTAMPTZ '{_moment(self.since).isoformat()}'"
        if self.where:
            columns = (*table.object.column_names, *META_COLUMNS)
            predicate, _ = checked_predicate(self.where, columns, None)
            yield f"(({predicate}) IS TRUE)"


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            "this is no time",
            field="since",
            received=text,
            allowed="a date or time of ISO 8601, such as 2026-05-31 or 2026-05-31T12:00:00Z",
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
