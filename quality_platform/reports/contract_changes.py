"""The changes of a contract as text, as a Markdown table for a pull request, as JSON and JUnit."""

from __future__ import annotations

import json
from collections.abc import Iterator

from quality_platform.contracts.changes import Compatibility, ContractChange, ContractDiff
from quality_platform.reports.junit import Case, junit_xml

_MARKS = {
    Compatibility.COMPATIBLE: "🟢",
    Compatibility.FORWARD_ONLY: "🟡",
    Compatibility.BREAKING: "🔴",
}


def as_text(diff: ContractDiff) -> str:
    """A line for each change with its reason below, the worst first, then the verdict."""
    lines = []
    for change in _worst_first(diff):
        lines.append(f"{change.compatibility.word:<12}  {change.path}: {_what(change)}")
        lines.append(f"{'':<12}  {change.reason}")
    return "\n".join([*lines, *_verdict(diff)]) + "\n"


def as_markdown(diff: ContractDiff) -> str:
    """A heading with the verdict, and a table with the worst changes first."""
    lines = [
        f"### Contract changes: {_MARKS[diff.verdict]} {diff.verdict.word}",
        "",
        "  \n".join(_verdict(diff)),
    ]
    if diff.changes:
        lines += ["", "| | where | what | before | after | why |", "|---|---|---|---|---|---|"]
    for change in _worst_first(diff):
        mark = f"{_MARKS[change.compatibility]} {change.compatibility.word}"
        cells = (change.kind.replace("_", " "), change.old, change.new, change.reason)
        row = (mark, f"`{change.path}`", *map(_cell, cells))
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """The text within a table: a bar would end its cell, an angle bracket begin a tag."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return " ".join(escaped.split())


def as_json(diff: ContractDiff) -> str:
    """The changes in the contract's order, the verdict, and what the version must be."""
    value = {
        "old_version": diff.old_version,
        "new_version": diff.new_version,
        "verdict": diff.verdict.word,
        "needed_bump": diff.bump.name.lower(),
        "least_version": diff.least_version,
        "version_is_high_enough": diff.version_is_high_enough,
        "changes": [
            {
                "path": change.path,
                "kind": change.kind,
                "old": change.old,
                "new": change.new,
                "compatibility": change.compatibility.word,
                "reason": change.reason,
            }
            for change in diff.changes
        ],
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def as_junit(diff: ContractDiff, level: Compatibility | None) -> str:
    """A test case for each change, failed from this level on, and one for the version number.

    For None only the case of the version can fail.
    """
    properties = {"verdict": diff.verdict.word, "old": diff.old_version, "new": diff.new_version}
    return junit_xml("quality-platform diff", "contract", _cases(diff, level), properties)


def _cases(diff: ContractDiff, level: Compatibility | None) -> Iterator[Case]:
    for change in diff.changes:
        text = f"{change.compatibility.word}: {_what(change)}. {change.reason}"
        fails = level is not None and change.compatibility >= level
        yield Case(
            name=f"{change.path} {change.kind}",
            class_name="contract",
            failure=text if fails else "",
            failure_type=change.compatibility.word,
            output="" if fails else text,
        )
    if level is None:
        *_, last = _verdict(diff)
        failure = "" if diff.version_is_high_enough else last
        yield Case("version", "contract", failure, "version", output=last)


def _worst_first(diff: ContractDiff) -> list[ContractChange]:
    return sorted(diff.changes, key=lambda change: -change.compatibility)


def _what(change: ContractChange) -> str:
    words = change.kind.replace("_", " ")
    if change.old and change.new:
        return f"{words}, {change.old} -> {change.new}"
    value = change.new or change.old
    return f"{words}, {value}" if value else words


def _verdict(diff: ContractDiff) -> list[str]:
    count = len(diff.changes)
    first = f"{count} change{'' if count == 1 else 's'}: {diff.verdict.word}"
    versions = f"version {diff.old_version} -> {diff.new_version}"
    if diff.version_is_high_enough:
        return [first, f"{versions}: enough"]
    needed = diff.least_version or "a version with numbers, such as 1.0.0"
    return [first, f"{versions}: not enough, it must be at least {needed}"]
