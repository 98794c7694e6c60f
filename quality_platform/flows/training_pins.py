"""Pins: tags that keep the snapshots which a training set was made of.

Every attempt has tags of its own, so that attempts at the same version do not get into each other's
way: the version that is made names those of its attempt, and all others are left behind by attempts
that failed. The moment of an attempt stands in its name: what is old was left behind for sure.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from quality_platform.errors import LakeError, TableNotFoundError, TrainingSetError
from quality_platform.flows.platform import Platform
from quality_platform.flows.training_definitions import TrainingSet
from quality_platform.flows.training_manifest import Manifest, PinnedTable
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.reading import published_snapshot
from quality_platform.lake.tags import remove_tags, set_tag, tags_of

TAG = r"(?!main$)[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""A version of a training set."""

_MOMENT = "%Y%m%dT%H%M%SZ"
_PIN = re.compile(
    rf"training-set\.(?P<name>\w+)\.(?P<tag>{TAG})\.(?P<at>\d{{8}}T\d{{6}}Z)-[0-9a-f]{{8}}"
)


@dataclass(frozen=True)
class Pin:
    """A pin by its name: the training set, the version, and when its attempt began."""

    name: str
    tag: str
    at: datetime

    @classmethod
    def of(cls, ref: str) -> Pin | None:
        """The pin that a tag is; None where it is none."""
        found = _PIN.fullmatch(ref)
        if found is None:
            return None
        at = datetime.strptime(found["at"], _MOMENT).replace(tzinfo=UTC)
        return cls(found["name"], found["tag"], at)


def new_attempt() -> str:
    """The name of an attempt, with the moment at which it began."""
    return f"{datetime.now(UTC).strftime(_MOMENT)}-{secrets.token_hex(4)}"


def heads(platform: Platform, identifiers: Iterable[str]) -> dict[str, PinnedTable]:
    """What the tables of the lake hold now, by identifier; nothing is pinned yet.

    Raises:
        TrainingSetError: nothing has been published to one of them.
    """
    found = {}
    for identifier in dict.fromkeys(identifiers):
        table = platform.lake.find_table(identifier)
        snapshot = published_snapshot(table)
        if table is None or snapshot is None:
            raise TrainingSetError(
                f"nothing has been published to {identifier} yet",
                action=f"run {identifier.rpartition('.')[2]} first",
            )
        found[identifier] = PinnedTable("", snapshot.snapshot_id, str(table.metadata.table_uuid))
    return found


def pin(
    lake: Lake, wanted: TrainingSet, version: tuple[str, str], tables: Mapping[str, PinnedTable]
) -> dict[str, PinnedTable]:
    """Keeps the snapshots by tags, all or none; `version` are the tag and the attempt.

    Raises:
        TableNotFoundError: a snapshot is gone already.
        ConcurrentLoadError: other runs were faster each time.
    """
    ref = ".".join(("training-set", wanted.name, *version))
    done = {name: PinnedTable(ref, t.snapshot_id, t.uuid) for name, t in tables.items()}
    try:
        for identifier, table in done.items():
            set_tag(lake, identifier, table.tag, table.snapshot_id)
    except BaseException:
        unpin(lake, done)
        raise
    return done


def unpin(lake: Lake, tables: Mapping[str, PinnedTable]) -> int:
    """Removes pins; how many there were. What cannot be removed is left to upkeep."""
    removed = 0
    for identifier, table in tables.items():
        with suppress(LakeError):
            where = holder(lake, identifier, table)
            removed += len(remove_tags(lake, where, [table.tag]))
    return removed


def holder(lake: Lake, identifier: str, pinned: PinnedTable) -> str:
    """The table that has a pin: the one that was pinned, whatever it is called today.

    A contract of a new major version can set a table aside, which then has another name.

    Raises:
        TableNotFoundError: there is no such pin: its snapshot was removed, by retention or by hand.
    """
    namespace, _, name = identifier.rpartition(".")
    aside = re.compile(rf"{re.escape(namespace)}\.{re.escape(name)}_v\d+")
    others = [other for other in lake.identifiers_in(namespace) if aside.fullmatch(other)]
    for candidate in (identifier, *others):
        table = lake.find_table(candidate)
        if table is not None and tags_of(table).get(pinned.tag) == pinned.snapshot_id:
            return candidate
    raise TableNotFoundError(
        f"the snapshot of {identifier} that the training set was made of is gone",
        received=f"tag {pinned.tag}, snapshot {pinned.snapshot_id}",
        action="it cannot be made again; retention, a rollback of the catalog, or somebody removed "
        "the tag",
    )


def orphans(
    table: Table, made: Mapping[str, Mapping[str, Manifest]], before: datetime
) -> Sequence[str]:
    """Pins of a table that no version names, of attempts that began before a moment.

    `made` are the manifests of all training sets, by name and tag.
    """
    return list(_orphans(table, made, before))


def _orphans(
    table: Table, made: Mapping[str, Mapping[str, Manifest]], before: datetime
) -> Iterator[str]:
    for ref in tags_of(table):
        found = Pin.of(ref)
        if found is None or found.at >= before:
            continue
        manifest = made.get(found.name, {}).get(found.tag)
        named = {pinned.tag for pinned in manifest.refs.values()} if manifest else set()
        if ref not in named:
            yield ref
