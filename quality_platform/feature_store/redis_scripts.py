"""What Redis runs itself, in Lua: a script is never interrupted, whoever else writes.

The first key is that of the view's state, whose token tells which materialization writes the view.
Every script answers `SUPERSEDED` where that is another one.
"""

from __future__ import annotations

import hashlib

SUPERSEDED = -1

BEGUN, REBUILD = "begun:", "rebuild"
"""Fields of the state: one of each snapshot that was begun, and that a rebuild was."""

_CLAIMED = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return -1 end
"""

_GUARD = """
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

-- Whether a row of this time is as new as the stored one, whose time is `old`.
local function is_as_new(key, old, time, created_field, created)
  local newer = order(time, old)
  if newer == 0 and created_field ~= '' then
    local known = redis.call('HGET', key, created_field)
    if known and tonumber(created) < tonumber(known) then newer = -1 end
  end
  return newer >= 0
end
"""

WRITE = f"""{_GUARD}{_CLAIMED}
local ttl, stamp, created, at, written = tonumber(ARGV[2]), ARGV[3], ARGV[4], 4, 0
for n = 2, #KEYS do
  local key = KEYS[n]
  local old = redis.call('HGET', key, stamp)
  if not old or is_as_new(key, old, ARGV[at + 1], created, ARGV[at + 2]) then
    redis.call('HSET', key, cmsgpack.unpack(ARGV[at + 3]))
    if ttl > 0 then redis.call('EXPIRE', key, ttl) end
    written = written + 1
  end
  at = at + 3
end
return written
"""
"""Writes rows. Arguments: token, seconds to live, the fields of event and created time; for each
row the event and created time up to which it takes the place of another, and what is written."""

PUT = f"""{_CLAIMED}
local ttl, at = tonumber(ARGV[2]), 4
for n = 2, #KEYS do
  if redis.call('TYPE', KEYS[n]).ok ~= 'hash' then redis.call('DEL', KEYS[n]) end
  redis.call('HSET', KEYS[n], cmsgpack.unpack(ARGV[at + 3]))
  if ttl > 0 then redis.call('EXPIRE', KEYS[n], ttl) end
  at = at + 3
end
return #KEYS - 1
"""
"""Writes rows, whatever is there. Arguments as for `WRITE`."""

REMOVE = f"""{_GUARD}{_CLAIMED}
local stamp, created, guarded, count = ARGV[2], ARGV[3], ARGV[4] == '1', tonumber(ARGV[5])
local fields, at, removed = {{}}, 5 + count, 0
for n = 1, count do fields[n] = ARGV[5 + n] end
for n = 2, #KEYS do
  local key = KEYS[n]
  local old = redis.call('HGET', key, stamp)
  if old and (not guarded or is_as_new(key, old, ARGV[at + 1], created, ARGV[at + 2])) then
    redis.call('HDEL', key, stamp, unpack(fields))
    removed = removed + 1
    -- What is left may be of features that the view no longer has.
    local is_used = false
    for _, name in ipairs(redis.call('HKEYS', key)) do
      if name:sub(1, 4) == '_ts:' then is_used = true end
    end
    if not is_used then redis.call('DEL', key) end
  end
  at = at + 2
end
return removed
"""
"""Removes the view's fields, and hashes that no view uses. Arguments: token, the fields of event
and created time, `1` for a guard, the number of other fields and these; with a guard for each key
the event and created time up to which it goes."""

FINISH = f"""{_CLAIMED}
redis.call('HSET', KEYS[1], 'snapshot_id', ARGV[2], 'definition', ARGV[3])
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if field == '{REBUILD}' or field:sub(1, {len(BEGUN)}) == '{BEGUN}' then
    redis.call('HDEL', KEYS[1], field)
  end
end
return 1
"""
"""Notes what was materialized. Arguments: token, snapshot, definition."""


def name_of(script: str) -> bytes:
    """How Redis names a script that was loaded into it."""
    return hashlib.sha1(script.encode()).hexdigest().encode()  # noqa: S324 - Redis's own choice
