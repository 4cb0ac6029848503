"""What one look at a broker shows: its queues, and what belongs to no single one of them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from monitor.sample import Note

# Queues of one process, or of RabbitMQ itself, whose names come and go: remote control and its replies, events,
# broadcasts, results by `rpc://` (a UUID), and the steps through which RabbitMQ delays jobs.
_PRIVATE = re.compile(
    r"""\.pidbox$ | ^celeryev\. | ^bcast\. | ^amq\.
    | ^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$
    """,
    re.VERBOSE,
)
_DELAYING = re.compile(r"^celery_delayed_\d+$")

# Names can come from anybody who sends: past so many queues, those that neither configuration nor history names are
# left out, and that is noted.
MOST_QUEUES = 1_000


@dataclass(frozen=True, slots=True)
class Tail:
    """The message that has waited longest in a queue, of one priority.

    `since` is when its waiting began, in Unix seconds; None where its sender does not tell. `identity` is another one
    with each message.
    """

    identity: str
    since: float | None


@dataclass(frozen=True, slots=True)
class Look:
    """What the broker tells of one queue; None, or no tail: it does not tell."""

    waiting: int
    unacknowledged: int | None = None
    due_later: int | None = None  # that the broker itself holds back
    consumers: int | None = None
    tails: dict[str, Tail] = field(default_factory=dict)  # by priority step


@dataclass(slots=True)
class Sight:
    """All that one look at a broker shows; None: it does not tell."""

    queues: dict[str, Look] = field(default_factory=dict)
    unseen: dict[str, str] = field(default_factory=dict)  # queues that are known and cannot be seen, and why
    unacknowledged: int | None = None  # of all queues together
    oldest_unacknowledged_s: float | None = None
    private: int | None = None  # messages in queues of single processes
    delayed: int | None = None  # jobs that the broker delays, of all queues together
    notes: list[Note] = field(default_factory=list)


def is_private(name: str) -> bool:
    """Whether the queue belongs to one process, and never holds jobs."""
    return bool(_PRIVATE.search(name))


def is_delaying(name: str) -> bool:
    """Whether the queue is one of those through which RabbitMQ delays jobs (Celery's native delayed delivery)."""
    return bool(_DELAYING.match(name))


def chosen(known: set[str], found: Iterable[str], sight: Sight) -> list[str]:
    """Return the names to look at: all that are known, then what was found in that order, as far as there is room."""
    new = [name for name in dict.fromkeys(found) if not (name in known or is_private(name) or is_delaying(name))]
    room = max(0, MOST_QUEUES - len(known))
    left_out = f"of more than {MOST_QUEUES} queues some are not measured" if len(new) > room else None
    sight.notes.append(Note("broker", "queues left out", left_out))
    return [*sorted(known), *new[:room]]
