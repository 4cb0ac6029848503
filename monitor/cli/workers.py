"""The workers on the command line: who is gone without a word, who is stuck, and what each runs, holds and uses."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from rich.console import Console
from rich.text import Text

from monitor.cli import beats, leases, records, tables, words
from monitor.cli.series import HOUR_S, Measurements, by_subject, read
from monitor.cli.tables import Line, Shape
from monitor.lease import BusySlot, Lease, Role, WorkerState
from monitor.store import Store
from monitor.store.faults import name_of
from monitor.store.measured import Noted, current_leases, notes_about

SHAPE = Shape(
    (
        *("worker", "state", "slots", "reserved", "held", "memory", "CPU", "lag"),
        *("longest run", "version", "queues"),
    ),
    numbers=frozenset({"slots", "reserved", "held", "memory", "CPU", "lag"}),
    cut=frozenset({"worker"}),
    spared=("queues", "version", "longest run", tables.TREND, "held", "reserved", "lag", "CPU"),
)

# How that is said instead.
IN_WORDS = {
    "longest run": "runs {}",
    "reserved": "{} reserved",
    "held": "{} held",
    "lag": "loop {} late",
    "CPU": "CPU {}",
    "queues": "consumes {}",
    "version": "code {}",
}
NOTHING_TOLD = ("", "0", "none")
TOLD = tuple(name for name in SHAPE.columns if name not in {"worker", "state"})

# Past this the event loop hangs, or Redis is not asked for jobs any more.
STUCK_S = 10.0
LONG_GONE_S = 86_400.0
MOST_RUNS = 3


@dataclass(frozen=True, slots=True)
class View:
    """All workers and beats; those that said goodbye more than a day ago are only counted."""

    workers: Sequence[Lease]  # the worst first
    beats: Sequence[Lease]
    long_gone: int
    memory: Measurements
    notes: Mapping[str, Mapping[str, Noted]]  # by worker and name
    store: str


def look(store: Store, now: float) -> View:
    """Return who has told of itself in the store."""
    found = current_leases(store)
    kept = [lease for lease in found if not _is_long_gone(lease, now)]
    states = {lease.name: state_of(lease, now) for lease in kept if lease.role is Role.WORKER}
    return View(
        workers=leases.in_order((lease for lease in kept if lease.role is Role.WORKER), states),
        beats=[lease for lease in kept if lease.role is Role.BEAT],
        long_gone=len(found) - len(kept),
        memory=Measurements(read(store, now, HOUR_S, ["MemoryUsage"])),
        notes=by_subject(notes_about(store, "worker:"), "worker"),
        store=name_of(store),
    )


def state_of(lease: Lease, now: float) -> str:
    """Return one of the leases' states."""
    of, end = lease.state, leases.end_of(lease, now)
    if end or not isinstance(of, WorkerState):
        return end or "alive"
    if of.pool == "solo" and of.busy:
        return "busy"  # its event loop stands still as long as the job runs
    if (of.loop_lag_s or 0.0) > STUCK_S:
        return "blocked"
    if not _consumes(of) and lease.renewed_at - lease.started_at > 2 * lease.period_s:
        return "not consuming"
    if of.can_consume is False or (len(of.busy) >= of.slots > 0 and of.reserved):
        return "saturated"
    return "busy" if of.busy else "alive"


def show(console: Console, view: View, now: float, *, with_trends: bool) -> None:
    """Print the workers, and beat below them."""
    if view.workers:
        lines = [_line(lease, view, now, is_plain=not console.is_terminal) for lease in view.workers]
        tables.show(console, SHAPE, lines, with_trends=with_trends)
        counts = Counter(state_of(lease, now) for lease in view.workers)
        console.print()
        console.print(Text(f"{words.count(len(view.workers), 'worker')}: ") + words.by_state(counts, leases.LOOKS))
    else:
        console.print(Text(f"No worker has told of itself in this store: {view.store}."))
        console.print(
            Text("A worker is listed moments after its start, in an application that calls install(app).", "dim")
        )
    if view.long_gone:
        console.print(Text(f"Left out: {view.long_gone:,} that said goodbye more than a day ago", "dim"))
    beats.show(console, view.beats, now)


def of_view(view: View, now: float) -> Iterator[records.Record]:
    """Yield the records for JSON: workers, then beats."""
    for lease in view.workers:
        yield _of_worker(lease, now, view.notes.get(lease.name, {}))
    for lease in view.beats:
        yield beats.of_lease(lease, now)


def _is_long_gone(lease: Lease, now: float) -> bool:
    return lease.goodbye_at is not None and now - lease.goodbye_at > LONG_GONE_S


def _consumes(of: WorkerState) -> bool:
    """Whether it takes jobs, as far as can be told; while prefetch is exhausted it need not ask for any."""
    if of.can_consume is False or "queues" in of.unread:
        return True
    return bool(of.queues) and (of.brpop_age_s or 0.0) <= STUCK_S


def _line(lease: Lease, view: View, now: float, *, is_plain: bool) -> Line:
    of, state = lease.state, state_of(lease, now)
    is_told = isinstance(of, WorkerState) and leases.is_alive(lease, now)
    cells = {
        "worker": Text(words.line(words.safe(lease.name))),
        "state": leases.said(lease, state, now, is_plain=is_plain),
        **(_told(lease, of, now) if isinstance(of, WorkerState) and is_told else dict.fromkeys(TOLD, Text())),
    }
    memory = view.memory.series("MemoryUsage", lease.name)
    trend = partial(memory.sparkline, HOUR_S) if memory else None
    remarks = list(_remarks(lease, view.notes.get(lease.name, {}), now))
    return Line(cells, trend, remarks, _in_words(cells) if is_told else {})


def _in_words(cells: Mapping[str, Text]) -> dict[str, str]:
    """Return how to say what stands in the columns that may go; nothing where it is unknown, or nothing."""
    told = {name: cells[name].plain for name in IN_WORDS if cells[name].plain not in NOTHING_TOLD}
    return {name: IN_WORDS[name].format(text) for name, text in told.items()}


def _told(lease: Lease, of: WorkerState, now: float) -> dict[str, Text]:
    """Return the cells of what a worker that is alive tells of itself."""
    runs = _runs(lease, of, now)
    longest = f"{_task(runs[0].task)} for {words.length(_running_s(lease, of, runs[0], now))}" if runs else "none"
    cells = {
        "slots": None if {"slots", "busy"} & {*of.unread} else f"{len(of.busy)}/{of.slots}",
        "reserved": None if "reserved" in of.unread else f"{of.reserved:,}",
        "held": None if "held" in of.unread else f"{sum(of.held.values()):,}",
        "memory": _memory(of),
        "CPU": None if of.cpu_percent is None else f"{of.cpu_percent:.0f} %",
        "lag": None if of.loop_lag_s is None else words.length(of.loop_lag_s),
        "longest run": None if "busy" in of.unread else longest,
        "version": of.code_version,
        "queues": None if "queues" in of.unread else ", ".join(of.queues) or "none",
    }
    return {name: Text(words.line(words.safe(text or ""))) for name, text in cells.items()}


def _memory(of: WorkerState) -> str | None:
    resident_mb = _resident_mb(of)
    if resident_mb is None:
        return None
    limit = f" of {words.megabytes(of.limit_mb)}" if of.limit_mb else ""
    return words.megabytes(resident_mb) + limit


def _resident_mb(of: WorkerState) -> float | None:
    return None if of.main_mb is None or of.children_mb is None else of.main_mb + of.children_mb


def _runs(lease: Lease, of: WorkerState, now: float) -> list[BusySlot]:
    """Return the jobs that it runs, those that run longest first."""
    return sorted(of.busy, key=lambda slot: -_running_s(lease, of, slot, now))


def _running_s(lease: Lease, of: WorkerState, slot: BusySlot, now: float) -> float:
    """Return how long a job has run; by the store's clock, and no longer than its worker was heard of."""
    until = now if leases.is_alive(lease, now) else lease.renewed_at
    return max(0.0, until - (slot.since - (of.clock_ahead_of_store_s or 0.0)))


def _task(name: str) -> str:
    """Return the last two parts of a task's name: its beginning tells the least."""
    return ".".join(name.rsplit(".", 2)[-2:])


def _remarks(lease: Lease, notes: Mapping[str, Noted], now: float) -> Iterator[Text]:
    of = lease.state
    yield from leases.remarks(lease, now)
    if isinstance(of, WorkerState) and not leases.is_alive(lease, now) and lease.goodbye_at is None:
        yield Text(_last_seen(lease, of))
    if not isinstance(of, WorkerState) or not leases.is_alive(lease, now):
        return
    state = state_of(lease, now)
    if state == "not consuming":
        asked = "" if of.brpop_age_s is None else f": it asked Redis for jobs {words.ago(of.brpop_age_s)}"
        yield Text(f"it takes no jobs though it is alive{asked}", "yellow")
    if state == "blocked":
        yield Text("its event loop hangs: it takes no jobs and answers nobody", "yellow")
    if of.oom_kills:
        yield Text(
            f"{words.count(of.oom_kills, 'process', 'processes')} of its container killed for want of memory so far",
            "yellow",
        )
    if "node name" in notes:
        yield Text(words.line(words.safe(notes["node name"].text)), "yellow")


def _last_seen(lease: Lease, of: WorkerState) -> str:
    runs = _runs(lease, of, lease.renewed_at)
    queues = f"it consumed {', '.join(of.queues)}" if of.queues else "it consumed no queue"
    if not runs:
        return words.safe(f"{queues}, and ran no job")
    took = (words.length(_running_s(lease, of, run, lease.renewed_at)) for run in runs)
    named = [f"{_task(run.task)} ({run.job[:8]}) for {length}" for run, length in zip(runs, took, strict=True)]
    more = f" and {len(named) - MOST_RUNS:,} more" if len(named) > MOST_RUNS else ""
    return words.line(words.safe(f"{queues}, and ran {', '.join(named[:MOST_RUNS])}{more}"))


def _of_worker(lease: Lease, now: float, notes: Mapping[str, Noted]) -> records.Record:
    of = lease.state
    told = leases.fields(lease, state_of(lease, now))
    if isinstance(of, WorkerState):
        is_alive = leases.is_alive(lease, now)
        runs = [
            records.of({"job": run.job, "task": run.task, "running_s": _running_s(lease, of, run, now), "pid": run.pid})
            for run in _runs(lease, of, now)
        ]
        figures = _figures(of)
        told |= figures if is_alive else dict.fromkeys(figures)
        told |= {"runs": runs if is_alive else None, "ran_when_last_seen": None if is_alive else runs}
    return records.of({**told, "remarks": records.of_notes(notes.values())})


def _figures(of: WorkerState) -> dict[str, object]:
    """Return for JSON the numbers that a worker tells; None for what it could not read."""
    names = (
        *("pool", "slots", "reserved", "held", "queues", "can_consume", "loop_lag_s", "brpop_age_s"),
        *("limit_mb", "container_mb", "oom_kills", "cpu_percent", "clock_ahead_of_broker_s"),
    )
    figures = {name: None if name in of.unread else getattr(of, name) for name in names}
    return figures | {"memory_mb": _resident_mb(of)}
