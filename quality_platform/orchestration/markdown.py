"""Markdown for metadata in the Dagster UI."""

from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; cells are shown as text, whatever they contain."""
    lines = [_line(header), _line(["---"] * len(header)), *(_line(row) for row in rows)]
    return "\n".join(lines)


def bullets(texts: Iterable[str]) -> str:
    """A list with one entry for each text."""
    return "\n".join(f"- {' '.join(text.split())}" for text in texts)


def sql_block(query: str) -> str:
    """A query, set as code."""
    return f"```sql\n{query}\n```"


def _line(cells: Sequence[object]) -> str:
    shown = (" ".join(str(cell).split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(shown)} |"
