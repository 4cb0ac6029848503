"""Looks at queues by the one question that each broker answers: a passive declaration, which makes nothing."""

from collections.abc import Iterable, Iterator
from typing import Any

from monitor.sampling.queues.sight import Look, Sight, chosen


def look(channel: Any, known: set[str], candidates: set[str]) -> Sight:
    """Return what the broker shows of these queues."""
    sight = Sight()
    names = chosen(known, sorted(candidates), sight)
    # The number of consumers is 0 on all transports that are not AMQP, whatever there is.
    sight.queues = {name: Look(waiting) for name, waiting, _ in declared(channel, names, sight)}
    return sight


def declared(channel: Any, names: Iterable[str], sight: Sight) -> Iterator[tuple[str, int, int]]:
    """Give each queue's name, its waiting messages and its consumers; tell those that cannot be seen, and why.

    Each is asked for on a channel that a missing queue may close, as AMQP does. SQLAlchemy's transport knows no missing
    queue: it makes it (kombu 5.7), as the first worker or sender would.
    """
    connection = channel.connection.client
    scratch = connection.channel()
    for name in names:
        try:
            answer = scratch.queue_declare(name, passive=True)
        except connection.channel_errors as fault:
            sight.unseen[name] = _why(fault)
            scratch = connection.channel()
        else:
            yield name, answer.message_count, answer.consumer_count
    scratch.close()


def _why(fault: Exception) -> str:
    """Return in words that stay the same why a queue cannot be seen; faults of other kinds are raised again."""
    code = str(getattr(fault, "reply_code", None) or getattr(fault, "code", None) or "")
    if code == "404":
        return "the broker has no such queue"
    if code in {"403", "405"}:
        return f"the broker does not show it: {getattr(fault, 'reply_text', fault)}"
    raise fault
