"""Measures by canaries: a job that does nothing, sent to a queue to see whether and when it comes back.

What can be told: a start names the worker, and when it received the canary and started it. Receipt alone leaves no
trace (a worker's main process only stamps the time into the request), but for a canary that ended without a start:
expired, unknown or revoked, whoever received it tells. Of the others is told whether anybody consumes the queue, and
whether it is still in the queue.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from celery import Celery
from kombu.exceptions import OperationalError

from monitor.job import CANARY, Fate, Run
from monitor.sample import Measured
from monitor.sampling.workers import fresh_leases, states_of
from monitor.store import Store
from monitor.store.measured import latest_samples, notes_about

# A canary that nobody takes stays in the queue, and would be counted in its depth: while one may wait there, only each
# 20th of the others is sent. Whoever takes the old one tells that it expired, and so the next one goes at once.
WAITING_EVERY = 20
LOOK_BACK_PERIODS = 4
MAX_REASON = 300

# Asked for the latest run of each canary that something happened to since then; of one without a run, for a run without
# a start that says what its job does.
CanariesOf = Callable[[float], Sequence[Run]]

# Samples are of the beginning of a tick, and canaries are sent a moment after it: so much of the period is the whole.
NEARLY = 0.8

_PASSWORD = re.compile(r"(?<=//)[^/@\s]+(?=@)")
_STAMP = "sent at %Y-%m-%d %H:%M:%S UTC"
_NOBODY = "received by nobody: no worker that the monitor knows consumes the queue"
_HELD_BACK = "not started: it waits in the queue, or its workers hold it back"
_MAY_WAIT = (_NOBODY, _HELD_BACK)


def due_queues(store: Store, queues: Sequence[str], period_s: float, now: float) -> list[str]:
    """Return the queues that get a canary now: those in which the last one may still wait get one only now and then."""
    notes = _notes(store)

    def is_due(queue: str) -> bool:
        text = notes.get(queue, "")
        waits_since = _first_sent_at(text) if text.endswith(_MAY_WAIT) else None
        return waits_since is None or (now - waits_since) // period_s % WAITING_EVERY == 0

    return [queue for queue in queues if is_due(queue)]


def send_canaries(app: Celery, queues: Sequence[str], period_s: float, now: float) -> Measured | None:
    """Send one canary to each queue; return what went wrong with which, None where there are no queues.

    It goes with the default priority, and expires with its period. Where the broker cannot be reached for one queue,
    the others are not tried.
    """
    measured = Measured()
    expires = datetime.fromtimestamp(now + period_s, UTC)
    faults: dict[str, str] = {}
    for queue in queues:
        try:
            # Celery makes a message's time to live of it as well (5.7): RabbitMQ drops a canary that nobody takes.
            app.send_task(CANARY, queue=queue, expires=expires, ignore_result=True)
        except OperationalError as fault:
            faults |= dict.fromkeys(queues[queues.index(queue) :], _said(fault))
            break
        except Exception as fault:  # noqa: BLE001 (a queue that cannot be sent to is what this is to find)
            faults[queue] = _said(fault)
    for queue in queues:
        measured.note(f"queue:{queue}", "canary not sent", faults.get(queue))
    return measured if queues else None


def sample_canaries(
    store: Store, queues: Sequence[str], period_s: float, at: float, canaries_of: CanariesOf
) -> Measured:
    """Return how long the latest canary of each queue took, and which did not come back within its period.

    Where none came back there is no sample. Its note stays until one does.
    """
    measured = Measured()
    by_queue = _by_queue(canaries_of(at - LOOK_BACK_PERIODS * period_s), at)
    before = _notes(store)
    for queue in queues:
        runs = by_queue.get(queue, [])
        back = [run for run in runs if run.started_at is not None]
        back_at = max(map(_sent_at, back), default=0.0)
        missing = [run for run in runs if _sent_at(run) > back_at and _is_missing(run, at, period_s)]
        missing_since = _missing_since(before.get(queue, ""), back_at, missing)
        if back_at > at - 2 * period_s:  # a time of long ago would only look like news
            _add_times(measured, queue, back[-1], at)
        if missing:
            text = f"{_stamp(missing_since)}, {_whereabouts(store, queue, missing[-1], at)}"
            measured.note(f"queue:{queue}", "canary", text)
        elif missing_since:
            measured.note(f"queue:{queue}", "canary", before[queue])  # nothing new is known
        elif back:
            measured.note(f"queue:{queue}", "canary", None)
    return measured


def _by_queue(runs: Sequence[Run], at: float) -> dict[str | None, list[Run]]:
    """Return the canaries that were sent until then by queue, oldest first."""
    found: dict[str | None, list[Run]] = {}
    for run in sorted(runs, key=_sent_at):
        if run.sent_at is not None and run.sent_at <= at:
            found.setdefault(run.queue, []).append(run)
    return found


def _missing_since(before: str, back_at: float, missing: Sequence[Run]) -> float:
    """Return when the first that is missing was sent, which a note from before may know better; 0 for none."""
    noted = _first_sent_at(before) or 0.0
    return noted if noted > back_at else min(map(_sent_at, missing), default=0.0)


def _add_times(measured: Measured, queue: str, run: Run, at: float) -> None:
    measured.add("CanaryStarted", at, _ms_since_sending(run, run.started_at), QueueName=queue)
    measured.add("CanaryReceived", at, _ms_since_sending(run, run.received_at), QueueName=queue)


def _is_missing(run: Run, at: float, period_s: float) -> bool:
    return run.started_at is None and (run.fate is not None or _sent_at(run) + NEARLY * period_s <= at)


def _whereabouts(store: Store, queue: str, run: Run, at: float) -> str:
    """Return what can be told of a canary that was not started; in words that change only with what they tell."""
    if run.fate is Fate.EXPIRED:
        return f"received by {run.worker or 'a worker'}, which could not start it before it expired"
    if run.fate is not None:
        return f"received by {run.worker or 'a worker'} and not started: {run.fate}"
    if run.received_at is not None:
        return f"received by {run.worker or 'a worker'} and not started"
    consumers = [lease.name for lease, state in states_of(fresh_leases(store, at)) if queue in state.queues]
    if not consumers:
        return _NOBODY
    if _is_empty_since(store, queue, _sent_at(run)):
        return f"no longer in the queue and not started: {' or '.join(consumers)} took it, or it vanished"
    return _HELD_BACK


def _is_empty_since(store: Store, queue: str, since: float) -> bool:
    """Whether the queue was empty when it was last measured, after that time."""
    depths = latest_samples(store, since, ["JobQueueDepth"])
    return any(depth.dimensions == (("QueueName", queue),) and depth.value == 0 for depth in depths)


def _notes(store: Store) -> dict[str, str]:
    """Return what is noted about unanswered canaries, by queue."""
    return {
        noted.subject.removeprefix("queue:"): noted.text
        for noted in notes_about(store, "queue:")
        if noted.name == "canary"
    }


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime(_STAMP)


def _first_sent_at(text: str) -> float | None:
    """Return the time that a note begins with: the canary of then is no longer read once it is long ago."""
    try:
        return datetime.strptime(text.partition(",")[0], _STAMP).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _ms_since_sending(run: Run, at: float | None) -> float | None:
    """Return the milliseconds from sending until then; a clock that is behind the sender's makes no negative ones."""
    return None if at is None else max(0.0, at - _sent_at(run)) * 1e3


def _sent_at(run: Run) -> float:
    return run.sent_at or 0.0


def _said(fault: BaseException) -> str:
    return _PASSWORD.sub("…", f"{type(fault).__name__}: {fault}")[:MAX_REASON]
