"""A job's events as its row keeps them: one MessagePack array of what the spool brought, in the order of arrival.

The spool's bytes are put together as they are, so that keeping an event costs no encoding.
"""

from collections.abc import Container, Sequence

import msgspec

from monitor.job import Ended, Event, Sent, Started

# A message that is given out again and again can make one job's events endless: its beginning and its latest are kept.
MOST_EVENTS = 500

_ARRAY = b"\xdc"  # MessagePack's array whose length is the two bytes that follow
_HEAD_BYTES = 3

decode = msgspec.msgpack.Decoder(list[Event]).decode
_split = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode


def join(bodies: Sequence[bytes]) -> bytes:
    """Return the history of these events, each in MessagePack."""
    return b"".join((_ARRAY, len(bodies).to_bytes(2), *bodies))


def extend(history: bytes, bodies: Sequence[bytes]) -> bytes:
    """Return the history with further events at its end."""
    count = int.from_bytes(history[1:_HEAD_BYTES]) + len(bodies)
    return b"".join((_ARRAY, count.to_bytes(2), history[_HEAD_BYTES:], *bodies))


def shorten(history: bytes) -> bytes:
    """Return the history with its latest events, and of the older ones the first sending and the whole first run."""
    told = list(zip(decode(history), map(bytes, _split(history)), strict=True))
    older, latest = told[: 3 - MOST_EVENTS], told[3 - MOST_EVENTS :]
    first_sent = [body for event, body in older if type(event) is Sent][:1]
    by_run: dict[str, list[bytes]] = {}
    for event, body in older:
        if type(event) is Started or type(event) is Ended:
            by_run.setdefault(event.run, []).append(body)
    # A start without its end would be a run that goes on for ever, an end without its start one that nobody knows.
    first_run = next((its_own for its_own in by_run.values() if len(its_own) > 1), [])
    return join([*first_sent, *first_run, *(body for event, body in latest if not _ends_one_of(by_run, event))])


def _ends_one_of(runs: Container[str], event: Event) -> bool:
    return type(event) is Ended and event.run in runs
