"""A platform of which only some tables and feature views are read: what one run is about.

Reading all contracts takes as long as there are many, and every run's worker has to. What a run
asks for beyond its own tables is read then, with everything else: nothing is missing, only late.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TypeVar

from quality_platform.config.broken import NAMED_SECTIONS, BrokenPart
from quality_platform.config.environment import environment, runner_path
from quality_platform.config.loading import RunnerFile, read_runner
from quality_platform.errors import QualityPlatformError
from quality_platform.flows.building import Built, built, contract_of
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.secrets.opening import secret_store

Part = TypeVar("Part")

_NEEDED = ("tenants", "connections")
"""The sections that tables and views refer to."""


class PartlyRead(Mapping[str, Part]):
    """Parts by name, of which some are at hand; the others are read when they are asked for.

    Attributes:
        ready: The parts at hand.
        others: The names that may be among the others.
    """

    def __init__(
        self,
        ready: Mapping[str, Part],
        others: Collection[str],
        read: Callable[[], Mapping[str, Part]],
    ) -> None:
        """`read` gives all parts, those at hand among them."""
        self.ready = ready
        self.others = others
        self._read = read

    def __getitem__(self, name: str) -> Part:
        """The part of this name; the others are read where it may be one of them."""
        if name in self.ready:
            return self.ready[name]
        if name not in self.others:
            raise KeyError(name)
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        """The names of all parts."""
        return iter(self._all())

    def __len__(self) -> int:
        """The number of all parts."""
        return len(self._all())

    def _all(self) -> Mapping[str, Part]:
        return self._read() if self.others else self.ready


@dataclass(frozen=True)
class PlatformPart(Platform):
    """A platform of which some tables and views are at hand, and the whole when it is needed."""

    whole: Callable[[], Platform] = field(repr=False, compare=False)

    @property
    def table_names(self) -> Collection[str]:
        """The names of all tables; those whose contracts turn out to be broken are among them."""
        return self.runner.config.tables.keys()

    def about(self, names: Collection[str]) -> Platform:
        """The same part with these tables and views, and what they refer to, as `open_part`."""
        wanted = self.at_hand.union(names)
        return self if wanted == self.at_hand else _part(self.runner, wanted)

    @property
    def broken(self) -> tuple[BrokenPart, ...]:
        """The parts of runner.yaml that cannot be used; everything is read for it."""
        return self.whole().broken

    @cached_property
    def broken_tables(self) -> Mapping[str, BrokenPart]:
        """The tables and views that cannot be used, by name; none of those at hand is one."""
        config = self.runner.config
        written = {part.name for part in self.runner.broken}
        others = {*config.tables, *config.feature_views, *written} - self.at_hand
        return PartlyRead({}, others, lambda: self.whole().broken_tables)

    @property
    def at_hand(self) -> frozenset[str]:
        """The tables and views that are read already."""
        parts = (self.tables, self.feature_tables)
        return frozenset(n for part in parts if isinstance(part, PartlyRead) for n in part.ready)


def open_part(names: Collection[str], runner: Path | None = None) -> Platform:
    """Reads runner.yaml, and of its tables and views those of these names and what they refer to.

    The result behaves as that of `open_platform`. It is that where reading a part would not do:
    because a name leads nowhere, a part is broken, or most of the tables are asked for.

    Raises:
        ConfigurationError: something cannot be used that concerns everything.
    """
    variables = environment()
    return _part(read_runner((runner or runner_path(variables)).absolute(), variables), names)


def _part(file: RunnerFile, names: Collection[str]) -> Platform:
    path = file.document.path
    known = {**file.config.tables, **file.config.feature_views}
    if not known.keys() >= set(names) or 2 * len(names) > len(known):
        return open_platform(path)
    file.secrets.bind(secret_store(file.config.secrets, file.resolve))
    found = _built(file, names)
    if found is None:
        return open_platform(path)
    whole = cache(lambda: open_platform(path))
    config = file.config
    return PlatformPart(
        file,
        PartlyRead(found.tables, config.tables.keys() - found.tables, lambda: whole().tables),
        PartlyRead(
            found.views,
            config.feature_views.keys() - found.views,
            lambda: whole().feature_tables,
        ),
        Path(environment()["QUALITY_PLATFORM_HOME"]),
        whole,
    )


def _built(file: RunnerFile, names: Collection[str]) -> Built | None:
    """The tables and views of these names; None where something is wrong with any of them."""
    try:
        wanted = _needed(file, names)
        found = built(_only(file, wanted))
    except QualityPlatformError:
        # Told with all others of its kind when the whole is read.
        return None
    is_complete = {*found.tables, *found.views} == wanted
    return found if is_complete and not found.faults else None


def _only(file: RunnerFile, names: Collection[str]) -> RunnerFile:
    """The file as if it had these tables and views, and nothing that needs another one."""
    config = file.config
    only: dict[str, Mapping[str, object]] = {
        section: {} for section in NAMED_SECTIONS if section not in _NEEDED
    }
    only["tables"] = {name: table for name, table in config.tables.items() if name in names}
    only["feature_views"] = {n: view for n, view in config.feature_views.items() if n in names}
    return replace(file, config=config.model_copy(update=only))


def _needed(file: RunnerFile, names: Collection[str]) -> set[str]:
    """These tables and views, and all that they refer to or compute from, at any distance."""
    texts = _Texts(file)
    needed: set[str] = set()
    waiting = [*names]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += _next(file, name, texts)
    return needed


def _next(file: RunnerFile, name: str, texts: _Texts) -> Iterator[str]:
    view = file.config.feature_views.get(name)
    if view is not None and name not in file.config.tables:
        yield from view.inputs
    _, described = contract_of(file, name)
    for link in described.relationships:
        yield from texts.that_may_describe(link.to_object)


class _Texts:
    """The contracts of all tables and views as they are written."""

    def __init__(self, file: RunnerFile) -> None:
        self._file = file

    def that_may_describe(self, name: str) -> Iterator[str]:
        """The tables and views whose object may have this name.

        A contract that does not contain the name does not: only a few have to be understood. One
        that writes it with escapes is not found; then the foreign key leads nowhere, and the whole
        is read.
        """
        config = self._file.config
        wanted = name.encode()
        for table, text in self._contracts.items():
            entry = config.tables.get(table)
            if wanted in text or name in (table, entry.schema_object if entry else None):
                yield table

    @cached_property
    def _contracts(self) -> Mapping[str, bytes]:
        config = self._file.config
        paths = [("tables", name, entry.contract) for name, entry in config.tables.items()]
        paths += [("feature_views", n, view.contract) for n, view in config.feature_views.items()]
        return {
            name: _bytes(self._file.resolver(section, name)(path)) for section, name, path in paths
        }


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        # It is broken; nothing can refer to it.
        return b""
