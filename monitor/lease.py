"""A lease: "I am alive, and here is what I see", renewed every few seconds by workers, beat and shippers.

Whoever stops in order says goodbye in its lease; silence says that it did not.
"""

from enum import StrEnum

import msgspec


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
    """What a worker sees of itself. None: it cannot be told, or does not exist (a limit, a broker that has no clock)."""

    pool: str  # prefork, threads, solo, gevent …
    slots: int
    busy: list[BusySlot]
    reserved: int  # taken, and not started
    held: dict[str, int]  # taken, and due later (ETA), by queue
    queues: list[str]  # that it consumes now
    can_consume: bool | None  # False while prefetch is exhausted
    loop_lag_s: (
        float | None
    )  # how late the event loop is; None in pools without one (solo, gevent, threads may have none)
    brpop_age_s: float | None  # since it last asked Redis for jobs; None with other brokers
    main_mb: float  # resident memory of the main process
    children_mb: float  # and of its children together
    limit_mb: float | None  # what the container may use
    container_mb: float | None  # what it uses
    oom_kills: int | None  # processes that the kernel killed in the container, so far
    cpu_percent: float  # of one core, main process and children, since the last renewal
    clock_ahead_of_broker_s: float | None
    clock_ahead_of_store_s: float | None
    code_version: str
    celery: str
    python: str


class BeatState(msgspec.Struct, frozen=True, kw_only=True):
    """What beat sees of itself."""

    tick_age_s: float  # since it last looked what is due
    entries: dict[str, str]  # its entries' names, and their schedules in words
    code_version: str
    celery: str
    python: str


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
