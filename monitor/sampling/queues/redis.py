"""Looks at queues on Redis: lists, one for each priority, and one hash of what all workers hold together."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from monitor.sample import Note
from monitor.sampling.queues.messages import Bindings, Members, count_by_queue, is_message, members_of, tail_of
from monitor.sampling.queues.sight import Look, Sight, chosen, is_private

# One command for each key would cost the client 25 µs each, and a message of 1.3 MB takes 2.3 ms to fetch. So a script
# measures all lists, sends the ends of messages only (headers come after the body, the recorder's last of them), and
# stops reading after so many bytes, for each MB costs the server 2 ms. Where it stopped, the next look begins.
END_BYTES = 8_192
MOST_BYTES = 4_000_000

_LISTS = """
local room, sizes, ends = tonumber(ARGV[2]), {}, {}
for n = 0, #KEYS - 1 do
  local i = (n + ARGV[3]) % #KEYS + 1
  local size = redis.pcall('LLEN', KEYS[i])
  sizes[i] = type(size) == 'number' and size or -1
  if sizes[i] > 0 and room > 0 then
    local message = redis.call('LINDEX', KEYS[i], -1)
    room = room - #message
    ends[#ends + 1] = i - 1
    ends[#ends + 1] = string.sub(message, -tonumber(ARGV[1]))
  end
end
return {table.concat(sizes, ' '), ends}
"""

# What workers hold is one hash for the whole database: to tell 1,000 messages of 1 KB apart takes the server 8 ms.
MOST_HELD = 1_000
ADDRESS_BYTES = 1_024

_HELD = """
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[2]) then return false end
local room, counts, told = tonumber(ARGV[3]), {}, {}
for _, tag in ipairs(redis.call('HKEYS', KEYS[1])) do
  room = room - redis.call('HSTRLEN', KEYS[1], tag)
  if room < 0 then return false end
  local message = string.sub(redis.call('HGET', KEYS[1], tag), -tonumber(ARGV[1]))
  local address = string.match(message, '.*}, ?(".*)$') or '?'
  counts[address] = (counts[address] or 0) + 1
end
for address, count in pairs(counts) do
  told[#told + 1] = address
  told[#told + 1] = count
end
return told
"""

# In a database with many other keys, a look goes through so many of them, and the next one goes on from there.
SCAN_KEYS = 1_000
SCAN_STEPS = 20
MOST_LISTS = 1_000

_scanned: dict[str, int] = {}  # how far the keys of each database have been looked through, by this process


def look(channel: Any, known: set[str], candidates: set[str], at: float) -> Sight:
    """Return what the broker shows of these queues, and of those that it knows besides."""
    return _Database(channel).look(known, candidates, at)


@dataclass(frozen=True, slots=True)
class _Lists:
    """What lists hold, in their keys' order: how much, or -1 for what is no list, and the ends of next messages."""

    sizes: list[int]
    ends: dict[int, bytes]
    refused: str | None = None  # why there are no ends


class _Database:
    """One database of Redis, with the names of keys that kombu gives its queues there."""

    def __init__(self, channel: Any) -> None:
        # kombu's own client puts the prefix before the keys of some commands only: here all keys are written whole.
        self._redis: Any = Redis(connection_pool=channel.client.connection_pool)
        self._prefix: str = channel.global_keyprefix
        self._sep: str = channel.sep
        self._suffixes = {str(step): channel._q_for_pri("", step) for step in channel.priority_steps}  # noqa: SLF001
        self._binding: str = self._prefix + channel.keyprefix_queue % ""
        self._unacked: str = self._prefix + channel.unacked_key
        self._unacked_index: str = self._prefix + channel.unacked_index_key
        self._name = f"{channel.connection.client.as_uri()} {self._prefix}"

    def look(self, known: set[str], candidates: set[str], at: float) -> Sight:
        sight = Sight()
        exchanges, listed = self._found()
        bound = self._bound(exchanges | known | candidates)
        names = chosen(known, [*sorted(bound), *sorted(candidates), *sorted(listed)], sight)
        lists, private, held = self._ask(names, sorted(filter(is_private, bound | listed))[:MOST_LISTS], at)
        sight.queues.update(self._looks(names, lists, declared=known | bound))
        sight.private = sum(size for size in private.sizes if size > 0)
        sight.notes.append(Note("broker", "age of jobs", lists.refused))
        self._tell_held(sight, held, at)
        return sight

    def _found(self) -> tuple[set[str], set[str]]:
        """Return the exchanges that have bindings, and the lists that look like queues, as far as this look gets."""
        exchanges: set[str] = set()
        lists: set[str] = set()
        cursor = _scanned.get(self._name, 0)
        for _ in range(SCAN_STEPS):
            pipe = self._redis.pipeline(transaction=False)
            pipe.scan(cursor, match=f"{_escaped(self._binding)}*", count=SCAN_KEYS)
            pipe.scan(cursor, match=f"{_escaped(self._prefix)}*", count=SCAN_KEYS, _type="list")
            (cursor, bindings), second = pipe.execute(raise_on_error=False)
            exchanges.update(_text(key).removeprefix(self._binding) for key in bindings)
            if not isinstance(second, Exception):  # before Redis 6, SCAN knows no types
                lists.update(_text(key).removeprefix(self._prefix).partition(self._sep)[0] for key in second[1])
            if not cursor or len(lists) > MOST_LISTS:
                break
        _scanned[self._name] = cursor
        return exchanges, set(sorted(lists)[:MOST_LISTS])

    def _bound(self, exchanges: Iterable[str]) -> set[str]:
        """Return the queues that are bound to these exchanges; Celery names an exchange as its queue, if not told."""
        keys = [self._binding + exchange for exchange in exchanges]
        return {queue for _, _, queue in members_of(self._redis.sunion(keys), self._sep)} if keys else set()

    def _ask(self, names: list[str], private: list[str], at: float) -> tuple[_Lists, _Lists, list[Any]]:
        """Ask for everything at once: one round trip, whatever the number of queues."""
        keys, others = self._keys(names), self._keys(private)
        pipe = self._redis.pipeline(transaction=False)
        pipe.eval(_LISTS, len(keys), *keys, END_BYTES, MOST_BYTES, int(at) % max(1, len(keys)))
        pipe.eval(_LISTS, len(others), *others, 0, 0, 0)
        pipe.eval(_HELD, 1, self._unacked, ADDRESS_BYTES, MOST_HELD, MOST_BYTES)
        pipe.hlen(self._unacked)
        pipe.zrange(self._unacked_index, 0, 0, withscores=True)
        first, second, *held = pipe.execute(raise_on_error=False)
        return self._lists(keys, first), self._lists(others, second), held

    def _keys(self, queues: list[str]) -> list[str]:
        return [self._prefix + queue + suffix for queue in queues for suffix in self._suffixes.values()]

    def _lists(self, keys: list[str], answer: Any) -> _Lists:
        if not isinstance(answer, Exception):
            sizes, ends = answer
            return _Lists([int(size) for size in sizes.split()], dict(zip(ends[::2], ends[1::2], strict=True)))
        if not isinstance(answer, ResponseError):
            raise answer
        pipe = self._redis.pipeline(transaction=False)
        for key in keys:
            pipe.llen(key)
        sizes = [size if isinstance(size, int) else -1 for size in pipe.execute(raise_on_error=False)]
        return _Lists(sizes, {}, f"it cannot be told: Redis refuses EVAL to this account ({answer})")

    def _looks(self, names: list[str], lists: _Lists, declared: set[str]) -> Iterator[tuple[str, Look]]:
        steps = len(self._suffixes)
        for number, name in enumerate(names):
            places = dict(zip(self._suffixes, range(number * steps, (number + 1) * steps), strict=True))
            sizes = [lists.sizes[place] for place in places.values()]
            ends = {step: lists.ends[place] for step, place in places.items() if place in lists.ends}
            if min(sizes) >= 0 and (name in declared or any(map(is_message, ends.values()))):
                yield name, Look(sum(sizes), tails={step: tail_of(end) for step, end in ends.items()})

    def _tell_held(self, sight: Sight, answers: list[Any], at: float) -> None:
        """Tell what workers hold: of each queue while it is little, and of all together."""
        addresses, total, oldest = answers
        if isinstance(total, int):
            sight.unacknowledged = total
        if isinstance(oldest, list):
            # The score is the time at which it was given out, by the worker's clock.
            sight.oldest_unacknowledged_s = max((max(0.0, at - score) for _, score in oldest), default=0.0)
        if not isinstance(addresses, list):
            return
        held = Counter(dict(zip(addresses[::2], addresses[1::2], strict=True)))
        counted = count_by_queue(held, self._bindings)
        if counted:
            counts, unclear = counted
            for name in sight.queues.keys() - unclear:
                sight.queues[name] = replace(sight.queues[name], unacknowledged=counts[name])

    def _bindings(self, exchanges: Iterable[str]) -> Bindings:
        return {exchange: self._members(exchange) for exchange in exchanges}

    def _members(self, exchange: str) -> Members:
        return members_of(self._redis.smembers(self._binding + exchange), self._sep)


def _escaped(pattern: str) -> str:
    return re.sub(r"([\\*?\[\]])", r"\\\1", pattern)


def _text(key: bytes) -> str:
    return key.decode("utf-8", "replace")
