"""What was measured, as the tests of the views need it: complete, with only what matters said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.lease import BeatState, BusySlot, Lease, Role, WorkerState
from monitor.sample import Distribution, Measured
from monitor.store.measured import renew_lease, save_measured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Engine

    from monitor.cli.tables import Row

NOW = 90_000.0  # the second of January 1970, 01:00 UTC
TICK_S = 15.0

QUEUE = {"arrived": 4.0, "ended": 4.0, "oldest": 1.5, "empty": 6.0, "running": 2.0, "held": 0.0, "consumers": 1.0}
METRICS = {
    "arrived": "JobArrivals",
    "ended": "JobCompletions",
    "oldest": "OldestJobAge",
    "empty": "QueueTimeToEmpty",
    "running": "JobsRunning",
    "held": "JobsHeld",
    "consumers": "QueueConsumers",
}


def queue(
    store: Engine,
    name: str,
    depths: Iterable[float] = (1.0, 1.0, 1.0, 1.0, 1.0),
    at: float = NOW,
    *,
    never: bool = False,
    **figures: float | None,
) -> None:
    """Measure a queue in each tick up to `at`; of the last one all is known, but for what is given as None."""
    measured = Measured()
    for ticks_ago, depth in enumerate(reversed(list(depths))):
        measured.add("JobQueueDepth", at - TICK_S * ticks_ago, depth, QueueName=name)
    for field, value in (QUEUE | ({"empty": None} if never else {}) | figures).items():
        measured.add(METRICS[field], at, value, QueueName=name)
    measured.note(f"queue:{name}", "seen", "configured")
    measured.note(f"queue:{name}", "empties", "never" if never else None)
    save_measured(store, measured, at)


def entry(
    store: Engine, name: str, at: float = NOW, *, lateness_s: float | None = 0.02, missed: float = 0.0, **notes: str
) -> None:
    """Measure an entry of the schedule; None: no slot was due yet."""
    measured = Measured()
    measured.add("ScheduleLateness", at, lateness_s, Entry=name)
    measured.add("SchedulesMissed", at, None if lateness_s is None else missed, Entry=name)
    for note, text in ({"defined": "every 15 s"} | notes).items():
        measured.note(f"schedule:{name}", note.replace("_", " "), text)
    save_measured(store, measured, at)


def series(store: Engine, metric: str, values: Mapping[float, float | Distribution], **dimensions: str) -> None:
    """Write a series: values by their time."""
    measured = Measured()
    for at, value in values.items():
        measured.add(metric, at, value, **dimensions)
    save_measured(store, measured, NOW)


def noted(store: Engine, subject: str, name: str, text: str, at: float = NOW) -> None:
    """Write a note."""
    measured = Measured()
    measured.note(subject, name, text)
    save_measured(store, measured, at)


def busy(task: str, since: float, job: str = "92cac785-0000") -> BusySlot:
    """A slot that runs a job."""
    return BusySlot(job=job, task=task, since=since, pid=7)


def worker_state(**told: Any) -> WorkerState:
    """What a worker at rest tells."""
    fields: dict[str, Any] = {
        "pool": "prefork",
        "slots": 2,
        "busy": [],
        "reserved": 0,
        "held": {},
        "queues": ["optimization"],
        "can_consume": True,
        "loop_lag_s": 0.002,
        "brpop_age_s": 0.4,
        "main_mb": 80.0,
        "children_mb": 320.0,
        "limit_mb": 2_000.0,
        "container_mb": 500.0,
        "oom_kills": 0,
        "cpu_percent": 41.0,
        "clock_ahead_of_broker_s": 0.0,
        "clock_ahead_of_store_s": 0.0,
        "code_version": "v7",
        "celery": "5.7.0",
        "python": "3.11.7",
    }
    return WorkerState(**fields | told)


def beat_state(**told: Any) -> BeatState:
    """What a beat tells that ticks."""
    fields: dict[str, Any] = {
        "tick_age_s": 1.0,
        "entries": {"prune": "every day"},
        "code_version": "v7",
        "celery": "5.7.0",
        "python": "3.11.7",
    }
    return BeatState(**fields | told)


def lease(name: str = "w1@alpha", ago_s: float = 2.0, **more: Any) -> Lease:
    """A worker's lease that was renewed so long before NOW; a beat's, where its state is one."""
    state = more.pop("state", None) or worker_state()
    fields: dict[str, Any] = {
        "role": Role.BEAT if isinstance(state, BeatState) else Role.WORKER,
        "process": "one",
        "host": "alpha",
        "pid": 7,
        "started_at": NOW - 40_000.0,
        "renewed_at": NOW - ago_s,
        "period_s": 5.0,
    }
    return Lease(name=name, state=state, **fields | more)


def leased(store: Engine, *leases: Lease) -> None:
    """Write leases."""
    for one in leases:
        renew_lease(store, one)


def texts(row: Row) -> dict[str, str]:
    """Return a row's cells as plain text."""
    return {name: cell.plain for name, cell in row.items()}
