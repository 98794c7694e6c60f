"""The columns that a quarantine table has beside the contract's: why each row is there.

They are told without Arrow, so that names can be compared without importing it.
"""

from __future__ import annotations

BROKEN_RULES = "_broken_rules"
"""Column: the names of the error-severity checks that the row breaks."""

META_DOCS = {
    BROKEN_RULES: "Names of the checks that the row breaks.",
    "_reasons": "One text for each broken check.",
    "_warnings": "Names of the warning-severity checks that the row breaks as well.",
    "_raw_record": "The record's text, where it could not be read into the columns.",
    "_source_file": "The file that the row came from.",
    "_source_line": "The line where its record begins, from 1.",
    "_load_id": "The load that read the row.",
    "_attempt": "The attempt of that load.",
    "_run_id": "The Dagster or CLI run.",
    "_contract_id": "The data contract.",
    "_contract_version": "The version of that contract.",
    "_quarantined_at": "When.",
}
"""What each column holds, by its name, in their order."""

META_COLUMNS = tuple(META_DOCS)
