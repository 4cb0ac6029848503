"""What the connections of a PostgreSQL server do: their samples, and which job or application holds what."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from monitor.sample import Measured
from monitor.sampling.database.jobnames import PREFIX, job_of

MAX_APPLICATIONS = 20  # different names per database, so that one with a number in it makes no endless series
OTHERS = "(others)"
UNNAMED = "(unnamed)"
NOTED_AFTER_S = 5.0  # what is shorter is everyday life
MAX_NOTED = 3

IN_TRANSACTION = ("idle in transaction", "idle in transaction (aborted)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConnection:
    """One client's connection, as pg_stat_activity shows it; times are Unix seconds of the server's clock.

    `state` and the times are None where there is none, and of another user's connection that is hidden from us.
    """

    pid: int
    application: str
    state: str | None
    is_hidden: bool
    transaction_since: float | None
    statement_since: float | None
    state_since: float | None
    blocked_by: Sequence[int]  # pids; 0 stands for a prepared transaction

    @property
    def is_active(self) -> bool:
        """Whether it runs a statement."""
        return self.state in {"active", "fastpath function call"}

    @property
    def is_idle_in_transaction(self) -> bool:
        """Whether it rests, and keeps what its transaction has locked."""
        return self.state in IN_TRANSACTION


def add_connections(measured: Measured, name: str, at: float, connections: Sequence[ServerConnection]) -> None:
    """Add how many connections there are in all, by application, and how many wait for a lock."""
    measured.add("DatabaseConnections", at, len(connections), Database=name)
    waiting = sum(bool(connection.blocked_by) for connection in connections)
    measured.add("DatabaseLocksWaiting", at, waiting, Database=name)
    for application, count in by_application(connections):
        measured.add("DatabaseConnectionsByApplication", at, count, Database=name, Application=application)


def add_states(measured: Measured, name: str, at: float, connections: Sequence[ServerConnection], now: float) -> None:
    """Add what the connections do; nothing where some of them hide it. `now` is the server's time.

    Where none is active or in a transaction, the longest has lasted for 0 s: that is known, and no gap.
    """
    if any(connection.is_hidden or connection.state == "disabled" for connection in connections):
        return
    active = [connection for connection in connections if connection.is_active]
    in_transaction = [connection for connection in connections if connection.is_idle_in_transaction]
    figures = {
        "DatabaseConnectionsActive": len(active),
        "DatabaseConnectionsIdle": sum(connection.state == "idle" for connection in connections),
        "DatabaseConnectionsIdleInTransaction": len(in_transaction),
        "DatabaseOldestTransaction": _longest_s((one.transaction_since for one in connections), now),
        "DatabaseLongestQuery": _longest_s((one.statement_since for one in active), now),
        "DatabaseLongestIdleInTransaction": _longest_s((one.state_since for one in in_transaction), now),
    }
    for metric, value in figures.items():
        measured.add(metric, at, value, Database=name)


def add_holders(measured: Measured, subject: str, connections: Sequence[ServerConnection], now: float) -> None:
    """Note who has been idle in a transaction, has run a statement, or has waited for a lock, and since when.

    Said with the time it began, and not how long ago: the text of one case stays the same.
    """
    resting = [one for one in connections if one.is_idle_in_transaction]
    measured.note(subject, "idle in transaction", _told(resting, lambda one: one.state_since, now, _who))
    active = [one for one in connections if one.is_active]
    measured.note(subject, "longest query", _told(active, lambda one: one.statement_since, now, _who, most=1))
    known = {one.pid: one for one in connections}
    waiting = [one for one in active if one.blocked_by]
    words = _told(waiting, lambda one: one.statement_since, now, lambda one: _who_waits(one, known))
    measured.note(subject, "waiting for a lock", words)


def by_application(connections: Iterable[ServerConnection]) -> list[tuple[str, int]]:
    """Return how many connections each application has, most first; those of jobs count as their task's."""
    counts = Counter(_application(one.application) for one in connections).most_common()
    counts.sort(key=lambda counted: (-counted[1], counted[0]))
    if len(counts) <= MAX_APPLICATIONS:
        return counts
    shown, rest = counts[: MAX_APPLICATIONS - 1], counts[MAX_APPLICATIONS - 1 :]
    return [*shown, (OTHERS, sum(count for _, count in rest))]


def _application(name: str) -> str:
    job = job_of(name)
    return f"{PREFIX}{job[1]}" if job else name.strip() or UNNAMED


def _longest_s(since: Iterable[float | None], now: float) -> float:
    return max((now - began for began in since if began is not None), default=0.0)


def _told(
    connections: Iterable[ServerConnection],
    since: Callable[[ServerConnection], float | None],
    now: float,
    words: Callable[[ServerConnection], str],
    most: int = MAX_NOTED,
) -> str | None:
    """Return those that have gone on for long, the longest first; None where there are none."""
    dated = ((began, one) for one in connections if (began := since(one)) is not None)
    lasting = sorted(
        ((began, one) for began, one in dated if now - began >= NOTED_AFTER_S), key=lambda pair: (pair[0], pair[1].pid)
    )
    told = [f"{words(one)} since {_utc(began)}" for began, one in lasting[:most]]
    if len(lasting) > most > 1:
        told.append(f"and {len(lasting) - most} more")
    return "; ".join(told) or None


def _who(connection: ServerConnection) -> str:
    job = job_of(connection.application)
    if job:
        return f"job {job[0]} ({job[1]})"
    return f"{connection.application.strip() or UNNAMED} (pid {connection.pid})"


def _who_waits(connection: ServerConnection, known: dict[int, ServerConnection]) -> str:
    blockers = sorted(set(connection.blocked_by))
    named = [_who(known[pid]) if pid in known else _other(pid) for pid in blockers]
    return f"{_who(connection)} for {', '.join(named)}"


def _other(pid: int) -> str:
    return f"pid {pid}" if pid else "a prepared transaction"


def _utc(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
