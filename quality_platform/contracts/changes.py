"""What changed between two versions of a contract, and who is hurt by it. See docs/evolution.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from quality_platform.contracts.versions import Version


class Compatibility(IntEnum):
    """Who is hurt by a change; a greater level is worse.

    `COMPATIBLE` nobody: data of the old contract keeps the new one, and readers of the old contract
    get from new data all that they were promised. `FORWARD_ONLY` those who deliver: readers lose
    nothing, but data that kept the old contract may break the new one. `BREAKING` the readers: they
    lose a column or a promise, or what was published cannot be read as the new contract says.
    """

    COMPATIBLE = 0
    FORWARD_ONLY = 1
    BREAKING = 2

    @property
    def word(self) -> str:
        """The level as it is written: `forward-only`."""
        return self.name.lower().replace("_", "-")


class Bump(IntEnum):
    """The number of the version that a change must raise."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3


@dataclass(frozen=True)
class ContractChange:
    """One change.

    `path` is where it stands, such as `schema.orders.properties.amount`; `kind` a word such as
    `column_removed`; `old` and `new` are for people, "" for nothing; `reason` says in a sentence
    why the change has its level. `is_prose` tells that nothing but texts for people changed.
    """

    path: str
    kind: str
    old: str
    new: str
    compatibility: Compatibility
    reason: str
    is_prose: bool = False

    @property
    def bump(self) -> Bump:
        """The number of the version that it must raise: breaking major, prose patch, else minor."""
        if self.compatibility is Compatibility.BREAKING:
            return Bump.MAJOR
        return Bump.PATCH if self.is_prose else Bump.MINOR


@dataclass(frozen=True)
class ContractDiff:
    """All changes from one version of a contract to another."""

    old_version: str
    new_version: str
    changes: tuple[ContractChange, ...]

    @property
    def verdict(self) -> Compatibility:
        """The worst level of all changes."""
        return max((c.compatibility for c in self.changes), default=Compatibility.COMPATIBLE)

    @property
    def bump(self) -> Bump:
        """The number of the version that must be raised."""
        return max((change.bump for change in self.changes), default=Bump.NONE)

    @property
    def least_version(self) -> str:
        """The least version that is high enough; "" where the old one has no numbers.

        In versions 0.y.z nothing is promised yet: what breaks raises y, all else z.
        """
        old = Version.of(self.old_version)
        if old is None:
            return ""
        bump = self.bump
        if old.major == 0 and bump > Bump.PATCH:
            bump = Bump(bump - 1)
        match bump:
            case Bump.MAJOR:
                return str(Version(old.major + 1))
            case Bump.MINOR:
                return str(Version(old.major, old.minor + 1))
            case Bump.PATCH:
                return str(Version(old.major, old.minor, old.patch + 1))
            case _:
                return str(old)

    @property
    def version_is_high_enough(self) -> bool:
        """Whether the version rose as much as the changes need, or is the same for none."""
        new, least = Version.of(self.new_version), Version.of(self.least_version)
        return new is not None and least is not None and new >= least

    def at_least(self, level: Compatibility) -> Sequence[ContractChange]:
        """The changes of this level and worse."""
        return [change for change in self.changes if change.compatibility >= level]
