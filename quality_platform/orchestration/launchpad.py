"""What the launchpad offers."""

import hashlib

import dagster as dg

from quality_platform.flows.platform import Platform


def choice_of_table(platform: Platform, name: str) -> dg.Enum:
    """The tables there are, as values of a configuration; `name` is what they are called there.

    Within a process Dagster takes enums of one name for the same, whatever their values are: two
    platforms would offer each other's tables. So the values are part of the name.
    """
    tables = sorted(platform.table_names)
    digest = hashlib.sha256("\0".join(tables).encode()).hexdigest()[:8]
    return dg.Enum(f"{name}_{digest}", [dg.EnumValue(table) for table in tables])
