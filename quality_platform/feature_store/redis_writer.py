"""Rows into Feast's Redis online store, some hundred in one command.

The layout is Feast's: one hash for each entity key and project, with a field for each feature and
one for the event time of each view. Redis runs the guard itself, with the writing, in a script:
nothing comes between reading a row's time and replacing it, whoever else writes.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quality_platform.feature_store import redis_scripts as scripts
from quality_platform.feature_store import wire_format as wire
from quality_platform.feature_store.key_encoding import encoded_key, has_key, key_prefix
from quality_platform.feature_store.online_rows import (
    Claimed,
    Materialized,
    OnlineRows,
    OnlineView,
    superseded,
)
from quality_platform.feature_store.wire_format import Column

if TYPE_CHECKING:
    from redis import Redis

_ROWS_AT_ONCE = 100
"""Rows of one command: Redis serves nobody else for about a millisecond."""

_COMMANDS_UNDER_WAY = 64
"""Commands that are sent before the first answer is read."""

MOST_FEATURES = 3000
"""More cannot be passed to one command within a script."""

_SHORT = 32
"""MessagePack tells the length of texts below it in the same byte."""

_KEYS_AT_ONCE = 1000
"""Keys that Redis is asked for, or told to remove, at once."""


class RedisWriter:
    """Writes one view through a client of Feast's Redis online store.

    `key_ttl` is in seconds, 0 for entities that do not expire.
    """

    def __init__(self, client: Redis, view: OnlineView, key_ttl: int = 0) -> None:
        self._client, self._view = client, view
        self._token = uuid.uuid4().hex
        self._state = state_key(view)
        self._stamp = f"_ts:{view.name}".encode()
        self._created = f"_created:{view.name}".encode() if view.created_timestamp else b""
        self._constants = (self._token.encode(), b"%d" % key_ttl, self._stamp, self._created)
        self._connection: Any = None
        self._under_way = 0

    def claim(self, begun: int | None = None, *, rebuild: bool = False) -> Claimed:
        """Takes over the view; see `OnlineWriter`."""
        for script in (scripts.WRITE, scripts.PUT):
            self._client.script_load(script)
        noted: dict[Any, Any] = {"token": self._token}
        if begun is not None:
            noted[f"{scripts.BEGUN}{begun}"] = "1"
        if rebuild:
            noted[scripts.REBUILD] = "1"
        with self._client.pipeline(transaction=True) as pipe:
            pipe.hgetall(self._state)
            pipe.hset(self._state, mapping=noted)
            known = {_text(name): _text(value) for name, value in pipe.execute()[0].items()}
        return replace(_claimed(known), rebuild=rebuild or scripts.REBUILD in known)

    def write(self, rows: OnlineRows) -> None:
        """Sends rows; errors may come with later ones, or with `finish`; see `OnlineWriter`."""
        self._send(scripts.WRITE, rows, rows)

    def overwrite(self, rows: OnlineRows, taken: OnlineRows | None = None) -> None:
        """Sends rows, as `write`, over newer ones; see `OnlineEraser`."""
        if taken is None:
            self._send(scripts.PUT, rows, rows)
        else:
            self._send(scripts.WRITE, rows, taken)

    def _send(self, script: str, rows: OnlineRows, until: OnlineRows) -> None:
        connection = self._opened()
        for command in self._commands(script, rows, until):
            connection.send_packed_command(command)
            self._under_way += 1
            if self._under_way > _COMMANDS_UNDER_WAY:
                self._read_answer()

    def finish(self, done: Materialized | None) -> None:
        """Waits for all answers, then notes the snapshot; see `OnlineWriter`."""
        while self._under_way:
            self._read_answer()
        if done is None:
            return
        arguments = (self._token, str(done.snapshot_id), done.definition)
        if self._client.eval(scripts.FINISH, 1, self._state, *arguments) == scripts.SUPERSEDED:
            raise superseded(self._view)

    def remove(self, keys: Sequence[bytes], taken: OnlineRows | None = None) -> None:
        """Removes the view's fields, and hashes that no view uses; see `OnlineEraser`."""
        fields = [field_of(self._view, feature) for feature in self._view.features]
        # Also where the view has no created timestamp any more.
        fields.append(f"_created:{self._view.name}".encode())
        head: list[Any] = [
            *(self._token, self._stamp, self._created, "0" if taken is None else "1"),
            *(len(fields), *fields),
        ]
        times: list[bytes] = []
        if taken is not None:
            pairs = zip(
                wire.objects_of(timestamps(taken)),
                wire.objects_of(_as_texts(taken.created)),
                strict=True,
            )
            times = [part for pair in pairs for part in pair]
        project = self._view.project.encode()
        for first in range(0, len(keys), _ROWS_AT_ONCE):
            some = [key + project for key in keys[first : first + _ROWS_AT_ONCE]]
            until = times[2 * first : 2 * (first + _ROWS_AT_ONCE)]
            given = [self._state, *some, *head, *until]
            if self._client.eval(scripts.REMOVE, 1 + len(some), *given) == scripts.SUPERSEDED:
                raise superseded(self._view)

    def stored_keys(self) -> Iterator[list[bytes]]:
        """The keys of all entities with these join keys; see `OnlineEraser`."""
        project = len(self._view.project.encode())
        found = self._keys_with({})
        while some := [key[:-project] for key in islice(found, _KEYS_AT_ONCE)]:
            yield some

    def erase(self, key: Mapping[str, str | int], *, dry_run: bool) -> int:
        """Removes entities; see `OnlineEraser`."""
        project = len(self._view.project.encode())
        found = self._keys_with(key)
        keys = [each for each in found if self._client.hexists(each, self._stamp.decode())]
        if not dry_run:
            self.remove([each[:-project] for each in keys])
        return len(keys)

    def _keys_with(self, key: Mapping[str, str | int]) -> Iterator[bytes]:
        project = self._view.project.encode()
        if set(key) == set(self._view.keys):
            yield encoded_key(key, self._view.keys) + project
            return
        prefix = re.sub(rb"([\\*?\[\]])", rb"\\\1", key_prefix(list(self._view.keys)))
        for found in self._client.scan_iter(prefix + b"*" + project, count=_KEYS_AT_ONCE):
            stored = _bytes(found)
            # Another project's name may end as this one's.
            if has_key(stored, key, self._view.keys, project):
                yield stored

    def close(self) -> None:
        """Gives the connection back, or closes it where answers are missing."""
        if self._connection is None:
            return
        if self._under_way:
            self._connection.disconnect()
        self._client.connection_pool.release(self._connection)
        self._connection = None

    def _read_answer(self) -> None:
        self._under_way -= 1
        if self._connection.read_response() == scripts.SUPERSEDED:
            raise superseded(self._view)

    def _opened(self) -> Any:
        if self._connection is None:
            self._connection = self._client.connection_pool.get_connection()
        return self._connection

    def _commands(self, script: str, rows: OnlineRows, until: OnlineRows) -> Iterator[list[Any]]:
        count, name = rows.batch.num_rows, scripts.name_of(script)
        keys = _words_of([wire.joined([rows.keys, self._view.project.encode()])])
        columns = self._columns(rows, until)
        arguments, constants = _words_of(columns), _words(*self._constants)
        key_ends, argument_ends = wire.offsets_of(keys), wire.offsets_of(arguments)
        key_bytes, argument_bytes = _memory(keys), _memory(arguments)
        for first, last in pairwise([*range(0, count, _ROWS_AT_ONCE), count]):
            number = last - first
            size = 4 + number + len(self._constants) + number * len(columns)
            head = (b"EVALSHA", name, b"%d" % (number + 1), self._state.encode())
            yield [
                b"*%d\r\n" % size + _words(*head),
                key_bytes[key_ends[first] : key_ends[last]],
                constants,
                argument_bytes[argument_ends[first] : argument_ends[last]],
            ]

    def _columns(self, rows: OnlineRows, until: OnlineRows) -> list[Column]:
        """For each row the times that guard it, and all fields with their values."""
        stamps, created = timestamps(rows), _as_texts(rows.created)
        fields: list[tuple[bytes, Column]] = [(self._stamp, stamps)]
        fields += [(field_of(self._view, name), value) for name, value in rows.values.items()]
        if self._created:
            fields.append((self._created, created))
        if until is not rows:
            stamps, created = timestamps(until), _as_texts(until.created)
        return [stamps, created, _packed(fields)]


def state_key(view: OnlineView) -> str:
    """Where Redis keeps which materialization writes the view, and what was materialized last."""
    return f"quality_platform:materialized:{view.table}"


def field_of(view: OnlineView, feature: str) -> bytes:
    """The field of a feature within an entity's hash."""
    from feast.infra.online_stores.helpers import _mmh3

    found: bytes = _mmh3(f"{view.name}:{feature}")
    return found


def timestamps(rows: OnlineRows) -> Column:
    """The event times as serialized `google.protobuf.Timestamp` messages."""
    seconds, rest = np.divmod(rows.event, 1_000_000)
    return wire.joined(
        [
            wire.varints(seconds, seconds != 0, wire.tag(1, wire.VARINT)),
            wire.varints(rest * 1000, rest != 0, wire.tag(2, wire.VARINT)),
        ]
    )


def _claimed(known: Mapping[str, str]) -> Claimed:
    """What the state's fields tell."""
    names = (name for name in known if name.startswith(scripts.BEGUN))
    begun = tuple(sorted(int(name.removeprefix(scripts.BEGUN)) for name in names))
    if "snapshot_id" not in known or "definition" not in known:
        return Claimed(None, begun)
    return Claimed(Materialized(int(known["snapshot_id"]), known["definition"]), begun)


def _as_texts(numbers: NDArray[np.int64]) -> Column:
    return wire.as_bytes(pa.array(numbers).cast(pa.string()))


def _words(*words: bytes) -> bytes:
    return b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def _words_of(columns: list[Column]) -> Column:
    """Each row's values as words of Redis's protocol, one behind the other."""
    parts: list[Column | bytes] = []
    for column in columns:
        sizes = wire.as_bytes(pa.array(wire.lengths_of(column)).cast(pa.string()))
        parts += [b"$", sizes, b"\r\n", column, b"\r\n"]
    return wire.joined(parts)


def _packed(fields: list[tuple[bytes, Column]]) -> Column:
    """Each row's names and values in MessagePack: one word for Redis to read instead of many."""
    parts: list[Column | bytes] = []
    for name, column in fields:
        parts += [_head(len(name)), name, _heads(wire.lengths_of(column)), column]
    return wire.joined(parts)


def _head(length: int) -> bytes:
    """What MessagePack writes before a text."""
    if length < _SHORT:
        return bytes([0xA0 | length])
    if length < 2**16:
        return b"\xda" + length.to_bytes(2)
    return b"\xdb" + length.to_bytes(4)


def _heads(lengths: NDArray[np.int64]) -> Column:
    known, place = np.unique(lengths, return_inverse=True)
    return cast(Column, pa.array(map(_head, known.tolist()), pa.large_binary()).take(place))


def _memory(column: Column) -> memoryview:
    return memoryview(column.buffers()[2] or b"")


def _bytes(value: Any) -> bytes:
    """Whatever the client makes of Redis's answers."""
    return value if isinstance(value, bytes) else str(value).encode()


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
