"""Rows into Feast's Redis online store, some hundred in one command.

The layout is Feast's: one hash for each entity key and project, with a field for each feature and
one for the event time of each view. Redis runs the guard itself, with the writing, in a script:
nothing comes between reading a row's time and replacing it, whoever else writes.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quality_platform.feature_store import wire_format as wire
from quality_platform.feature_store.key_encoding import encoded_key, has_key, key_prefix
from quality_platform.feature_store.online_rows import (
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

_SUPERSEDED = -1
_SHORT = 32
"""MessagePack tells the length of texts below it in the same byte."""

_SCRIPT = """
-- The seconds and nanoseconds of a serialized google.protobuf.Timestamp.
local function time_of(bytes)
  local parts, at = {0, 0}, 1
  while at <= #bytes do
    local field, sum, inverse, factor, group = bytes:byte(at) == 8 and 1 or 2, 0, 0, 1, 0
    repeat
      at = at + 1
      group = bytes:byte(at)
      if factor < 2 ^ 63 then
        sum = sum + group % 128 * factor
        inverse = inverse + (127 - group % 128) * factor
      end
      factor = factor * 128
    until group < 128
    at = at + 1
    -- Ten groups are a negative number, in the complement of two.
    if factor > 2 ^ 63 then sum = -inverse - 1 end
    parts[field] = sum
  end
  return parts[1], parts[2]
end

local function order(one, other)
  if one == other then return 0 end
  local second, nano = time_of(one)
  local other_second, other_nano = time_of(other)
  if second == other_second then second, other_second = nano, other_nano end
  if second < other_second then return -1 end
  return 1
end

if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return -1 end
local ttl, stamp, created, at, written = tonumber(ARGV[2]), ARGV[3], ARGV[4], 4, 0
for n = 2, #KEYS do
  local key, old = KEYS[n], redis.call('HGET', KEYS[n], stamp)
  local newer = 1
  if old then
    newer = order(ARGV[at + 1], old)
    if newer == 0 and created ~= '' then
      local known = redis.call('HGET', key, created)
      if known and tonumber(ARGV[at + 2]) < tonumber(known) then newer = -1 end
    end
  end
  if newer >= 0 then
    redis.call('HSET', key, cmsgpack.unpack(ARGV[at + 3]))
    if ttl > 0 then redis.call('EXPIRE', key, ttl) end
    written = written + 1
  end
  at = at + 3
end
return written
"""

_FINISH = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return -1 end
redis.call('HSET', KEYS[1], 'snapshot_id', ARGV[2], 'definition', ARGV[3])
return 1
"""


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

    def claim(self) -> Materialized | None:
        """Takes over the view; see `OnlineWriter`."""
        self._client.script_load(_SCRIPT)
        with self._client.pipeline(transaction=True) as pipe:
            pipe.hset(self._state, "token", self._token)
            pipe.hmget(self._state, ["snapshot_id", "definition"])
            snapshot_id, definition = pipe.execute()[1]
        if snapshot_id is None or definition is None:
            return None
        return Materialized(int(snapshot_id), _text(definition))

    def write(self, rows: OnlineRows) -> None:
        """Sends rows; errors may come with later ones, or with `finish`; see `OnlineWriter`."""
        connection = self._opened()
        for command in self._commands(rows):
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
        if self._client.eval(_FINISH, 1, self._state, *arguments) == _SUPERSEDED:
            raise superseded(self._view)

    def erase(self, key: Mapping[str, str | int], *, dry_run: bool) -> int:
        """Removes the view's fields, and hashes that no view uses; see `OnlineEraser`."""
        stamp = f"_ts:{self._view.name}"
        fields = [stamp, f"_created:{self._view.name}"]
        features = [field_of(self._view, feature) for feature in self._view.features]
        keys = [k for k in self._keys_with(key) if self._client.hexists(k, stamp)]
        for each in () if dry_run else keys:
            self._client.hdel(each, *fields, *features)
            # What is left may be of features that the view no longer has.
            rest: Any = self._client.hkeys(each)
            if not any(_bytes(name).startswith(b"_ts:") for name in rest):
                self._client.delete(each)
        return len(keys)

    def _keys_with(self, key: Mapping[str, str | int]) -> Iterator[bytes]:
        project = self._view.project.encode()
        if set(key) == set(self._view.keys):
            yield encoded_key(key, self._view.keys) + project
            return
        prefix = re.sub(rb"([\\*?\[\]])", rb"\\\1", key_prefix(list(self._view.keys)))
        for found in self._client.scan_iter(prefix + b"*" + project, count=1000):
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
        if self._connection.read_response() == _SUPERSEDED:
            raise superseded(self._view)

    def _opened(self) -> Any:
        if self._connection is None:
            self._connection = self._client.connection_pool.get_connection()
        return self._connection

    def _commands(self, rows: OnlineRows) -> Iterator[list[Any]]:
        count = rows.batch.num_rows
        keys = _words_of([wire.joined([rows.keys, self._view.project.encode()])])
        columns = self._columns(rows)
        arguments, constants = _words_of(columns), _words(*self._constants)
        key_ends, argument_ends = wire.offsets_of(keys), wire.offsets_of(arguments)
        key_bytes, argument_bytes = _memory(keys), _memory(arguments)
        for first, last in pairwise([*range(0, count, _ROWS_AT_ONCE), count]):
            number = last - first
            size = 4 + number + len(self._constants) + number * len(columns)
            head = (b"EVALSHA", _SHA, b"%d" % (number + 1), self._state.encode())
            yield [
                b"*%d\r\n" % size + _words(*head),
                key_bytes[key_ends[first] : key_ends[last]],
                constants,
                argument_bytes[argument_ends[first] : argument_ends[last]],
            ]

    def _columns(self, rows: OnlineRows) -> list[Column]:
        """For each row the event time, the created time, and all fields with their values."""
        stamps = timestamps(rows)
        created = wire.as_bytes(pa.array(rows.created).cast(pa.string()))
        fields: list[tuple[bytes, Column]] = [(self._stamp, stamps)]
        fields += [(field_of(self._view, name), value) for name, value in rows.values.items()]
        if self._created:
            fields.append((self._created, created))
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


_SHA = hashlib.sha1(_SCRIPT.encode()).hexdigest().encode()  # noqa: S324 - how Redis names scripts


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
