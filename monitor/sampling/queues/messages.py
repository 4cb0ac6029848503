"""Reads the ends of messages as kombu keeps them on Redis: from what time they are, and which queue they came from."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from hashlib import blake2b

from monitor.job import SENT_AT
from monitor.sampling.queues.sight import Tail

# Within JSON's strings every quote is escaped, so these match keys only, never what is said in a body. They begin with
# a literal, which `re` looks for 20 times as fast as for anything else.
_SENT = re.compile(rf'"{SENT_AT}": ?(\d+(?:\.\d+)?)\b'.encode())
_DUE = re.compile(rb'"eta": ?"([0-9T:.+Z-]+)"')
_TAG = re.compile(rb'"delivery_tag": ?"([^"\\]+)"')

_ADDRESS_PARTS = 2
_MEMBER_PARTS = 3

Members = set[tuple[str, str, str]]  # what is bound to an exchange: routing key, pattern, queue
Bindings = dict[str, Members]  # by exchange


def is_message(end: bytes) -> bool:
    """Whether this is the end of a message, and not of something else that somebody keeps in a list."""
    return bool(_TAG.search(end))


def tail_of(end: bytes) -> Tail:
    """Return which message this is the end of, and since when it waits: from the later of its sending and due time."""
    tag, sent, due = _TAG.search(end), _SENT.search(end), _DUE.search(end)
    identity = tag[1].decode("utf-8", "replace") if tag else blake2b(end, digest_size=12).hexdigest()
    return Tail(identity, max(float(sent[1]), _moment(due[1].decode()) if due else 0.0) if sent else None)


def members_of(table: Iterable[bytes], sep: str) -> Members:
    """Return what a table of bindings holds."""
    rows = [member.decode("utf-8", "replace").split(sep) for member in table]
    return {(row[0], row[1], row[2]) for row in rows if len(row) == _MEMBER_PARTS and row[2]}


def count_by_queue(
    held: Counter[bytes], bindings_of: Callable[[set[str]], Bindings]
) -> tuple[Counter[str], set[str]] | None:
    """Return how many messages that workers hold came from each queue, and the queues whose number is not clear.

    `held` counts them by address, as it stands at their end: exchange and routing key. None when one cannot be read: it
    may have come from any queue.
    """
    addressed = [(_address(end), count) for end, count in held.items()]
    readable = [(address, count) for address, count in addressed if address]
    if len(readable) < len(addressed):
        return None
    bindings = bindings_of({exchange for (exchange, _), _ in readable if exchange})
    counts: Counter[str] = Counter()
    unclear: set[str] = set()
    for (exchange, routing_key), count in readable:
        members = bindings.get(exchange, set())
        queues = {queue for key, _, queue in members if key == routing_key} if exchange else {routing_key}
        if len(queues) == 1:
            counts[queues.pop()] += count
        else:  # several, or a pattern that may mean any of the exchange's
            unclear |= queues or {queue for _, _, queue in members}
    return counts, unclear


def _address(end: bytes) -> tuple[str, str] | None:
    """Return exchange and routing key, with which what kombu keeps in `unacked` ends: `"exchange", "routing key"]`."""
    try:
        parts = json.loads(b"[" + end)
    except ValueError:
        return None
    return (str(parts[0]), str(parts[1])) if len(parts) == _ADDRESS_PARTS else None


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
