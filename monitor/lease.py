"""A lease: "I am alive, and here is what I see", renewed every few seconds by workers and beat.

Whoever stops in order says goodbye in its lease; silence says that it did not. Its times are of the store's clock, so
that a host whose own clock is wrong is not taken for dead.
"""

from contextvars import ContextVar
from enum import StrEnum

import msgspec

# The name of the schedule's entry that beat is sending now.
beat_entry: ContextVar[str | None] = ContextVar("monitor_beat_entry", default=None)


class Role(StrEnum):
    """Who holds a lease."""

    WORKER = "worker"
    BEAT = "beat"


class BusySlot(msgspec.Struct, frozen=True):
    """One pool slot that runs a job; `since` is in Unix seconds."""

    job: str
    task: str
    since: float
    pid: int | None


class WorkerState(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker sees of itself. None: it does not exist (a limit, a broker's clock), or could not be told."""

    pool: str  # prefork, threads, solo, gevent …
    slots: int
    busy: list[BusySlot]
    reserved: int  # taken, and not started
    held: dict[str, int]  # taken, and due later (ETA), by queue
    queues: list[str]  # that it consumes now; none while it has lost its broker, or stops
    can_consume: bool | None  # False while prefetch is exhausted; None with brokers that watch over it themselves
    loop_lag_s: float | None  # how late the event loop is; solo's stands still during a job; None where there is none
    brpop_age_s: float | None  # since it last asked Redis for jobs; None with other brokers
    main_mb: float | None  # resident memory of the main process
    children_mb: float | None  # and of its descendants together; pages that they share count for each
    limit_mb: float | None  # what the container may use
    container_mb: float | None  # what it uses, without the files' pages that the kernel would give up at once
    oom_kills: int | None  # processes that the kernel killed in the container, so far
    cpu_percent: float | None  # of one core, main process and descendants, since the last renewal
    clock_ahead_of_broker_s: float | None
    clock_ahead_of_store_s: float | None
    code_version: str
    celery: str
    python: str
    ending: str | None = None  # why it stops, once it knows: told to by SIGTERM, or broken by an error
    unread: list[str] = []  # names of the fields above whose reading failed: their None, 0 or nothing means nothing


class BeatState(msgspec.Struct, frozen=True, kw_only=True):
    """What beat sees of itself."""

    tick_age_s: float  # since it last looked what is due; it may sleep for minutes when nothing is
    tick_overdue_s: float = 0.0  # past the moment when it meant to look again; 0 while there is time
    entries: dict[str, str]  # its entries' names, and their schedules in words
    clock_ahead_of_store_s: float | None = None
    code_version: str
    celery: str
    python: str
    ending: str | None = None  # why it stops, once it knows
    unread: list[str] = []  # names of the fields above whose reading failed


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """One process's lease. `process` is new with each start, so that two lives of one node name are told apart."""

    role: Role
    name: str  # the worker's node name, whole: two workers on one host are two
    process: str
    host: str
    pid: int
    started_at: float
    renewed_at: float
    period_s: float  # within which it means to renew it
    goodbye_at: float | None = None  # when it stopped in order
    state: WorkerState | BeatState | None = None

    def is_fresh(self, now: float) -> bool:
        """Whether its holder is alive, as far as can be told: it did not say goodbye, and missed no three renewals."""
        return self.goodbye_at is None and now - self.renewed_at <= 3 * self.period_s
