"""Reading mappings of other formats so that nothing of them goes missing unnoticed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quality_platform.documents.yaml_documents import YamlDocument
from quality_platform.errors import ConfigurationError
from quality_platform.exchange.results import Loss

NO_PLACE = "a data contract has no place for it"


class Entry:
    """A mapping of the input that remembers which of its keys were read.

    `close` lists the others as losses: what an importer does not know is lost, but never silently.
    """

    def __init__(
        self,
        data: Any,
        losses: list[Loss],
        path: Sequence[str | int] = (),
        source: YamlDocument | None = None,
    ) -> None:
        """Raises ConfigurationError where the data is no mapping."""
        self.losses, self.path, self._source = losses, tuple(path), source
        if not isinstance(data, Mapping):
            raise ConfigurationError(
                f"{self.where}: must be a mapping",
                received=type(data).__name__,
                action="check that the file is of the format that you named",
            )
        self._data = data
        self._read: set[str] = set()

    @property
    def where(self) -> str:
        """The entry's place: file and line where they are known, else the path of keys."""
        return self.place()

    def place(self, *more: str | int) -> str:
        """The place of a part of the entry."""
        path = (*self.path, *more)
        keys = ".".join(str(step) for step in path)
        if self._source is None:
            return keys or "the document"
        return f"{self._source.location(path)}: {keys}" if keys else str(self._source.path)

    def __contains__(self, key: str) -> bool:
        return self._data.get(key) is not None

    @property
    def names(self) -> list[str]:
        """The keys, read or not."""
        return [str(key) for key in self._data]

    def take(self, key: str, default: Any = None) -> Any:
        """The value of a key, which counts as read."""
        self._read.add(key)
        value = self._data.get(key)
        return default if value is None else value

    def take_text(self, key: str) -> str:
        """The value as text without spaces at its ends; "" where there is none."""
        return str(self.take(key, "")).strip()

    def take_mapping(self, key: str) -> dict[str, Any]:
        """The mapping under a key, {} where there is none; ConfigurationError for anything else."""
        return dict(self._checked(key, Mapping, "a mapping") or {})

    def take_list(self, key: str) -> list[Any]:
        """The list under a key, [] where there is none; ConfigurationError for anything else."""
        return list(self._checked(key, list, "a list") or [])

    def take_texts(self, key: str) -> list[str]:
        """A list of texts; one text alone counts as a list of one."""
        listed = [self.take(key)] if isinstance(self._data.get(key), str) else self.take_list(key)
        return [str(item) for item in listed]

    def _checked(self, key: str, kind: type, name: str) -> Any:
        value = self.take(key)
        if value is not None and not isinstance(value, kind):
            raise ConfigurationError(
                f"{self.place(key)}: must be {name}", received=type(value).__name__
            )
        return value

    def take_first(self, *keys: str) -> Any:
        """The value of the first key that has one; the others are left to be losses."""
        for key in keys:
            if key in self:
                return self.take(key)
        return None

    def entry(self, key: str) -> Entry:
        """The mapping under a key, empty where there is none."""
        return self.below(self.take(key, {}), key)

    def entries(self, key: str) -> Iterator[Entry]:
        """The mappings of the list under a key."""
        for n, item in enumerate(self.take_list(key)):
            yield self.below(item, key, n)

    def below(self, data: Any, *steps: str | int) -> Entry:
        """An entry at a place under this one."""
        return Entry(data, self.losses, (*self.path, *steps), self._source)

    def lose(self, key: str, why: str = NO_PLACE) -> None:
        """Lists a key as lost, where it is there."""
        if key in self:
            self._read.add(key)
            self.losses.append(Loss(self.place(key), _shown(key, self._data[key]), why))

    def close(self, why: str = NO_PLACE) -> None:
        """Lists every key that was not read."""
        for key in self._data:
            if key not in self._read:
                self.lose(key, why)


def _shown(key: str, value: Any) -> str:
    """A key with its value, where that is short and no collection."""
    if isinstance(value, Mapping | list):
        return key
    text = str(value)
    return f"{key}: {text}" if len(text) <= 60 else key
