"""What can happen to a job: the events that tell it, and the runs and the fate they amount to.

All times are Unix seconds (UTC), from the clock of the host that told the event.
"""

from enum import StrEnum

import msgspec

from monitor.sample import Sample

# The monitor's own jobs measure, and prove that queues are consumed: they are in no figure about jobs.
CANARY = "monitoring.canary"
OWN = (
    "monitoring.broker",
    CANARY,
    "monitoring.canaries",
    "monitoring.databases",
    "monitoring.jobs",
    "monitoring.prune_store",
    "monitoring.queues",
    "monitoring.schedules",
    "monitoring.workers",
)

# The headers that the recorder writes into messages, with names that no application uses for its own.
SENT_AT = "monitor_sent_at"
FIRST_SENT_AT = "monitor_first_sent_at"
RECEIVED_AT = "monitor_received_at"


class Fate(StrEnum):
    """How a run or a job ended. A closed set."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"  # the hard time limit
    RETRIED = "retried"  # the run gave up; the job goes on with another run
    REPLACED = "replaced"  # the run put another task in its place; the job goes on
    REQUEUED = "requeued"  # the run gave the message back to the broker; the job goes on
    REJECTED = "rejected"  # the run refused the message for good
    IGNORED = "ignored"  # the run asked that its result be ignored
    REVOKED = "revoked"  # somebody revoked or terminated the job
    EXPIRED = "expired"  # it was too late when a worker took it
    UNKNOWN = "unknown"  # no worker that took it knows the task
    UNREADABLE = "unreadable"  # the message could not be decoded, or was refused
    LOST = "lost"  # its process is gone; the reason says how

    @property
    def ends_the_job(self) -> bool:
        """Whether a job whose latest run has this fate is over."""
        return self not in {Fate.RETRIED, Fate.REPLACED, Fate.REQUEUED}


class Error(msgspec.Struct, frozen=True, array_like=True):
    """What went wrong, in words: the exception's class, its message, its traceback; all bounded.

    `fingerprint` is the same for the same fault: class and place, numbers and ids taken out.
    """

    kind: str
    message: str
    traceback: str | None
    fingerprint: str


class Sent(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="sent"):
    """A message for the job was accepted by the broker. `at` is stamped into the message and names it later."""

    job: str
    at: float
    task: str
    queue: str | None
    first_sent_at: float
    eta: str | None  # ISO 8601
    expires: str | None  # ISO 8601
    retries: int
    root: str | None
    parent: str | None
    group: str | None
    sender: str | None
    arguments: str | None  # JSON {"args": […], "kwargs": {…}}, secrets hidden; None where they are not stored
    entry: str | None = None  # the entry of beat's schedule that sent it


class Started(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="started"):
    """A run of the job began. `arguments` is set only for messages that no monitored process sent.

    `acks_late` says that the message is acknowledged only after the run, so that it outlives the process.
    """

    job: str
    at: float
    run: str
    task: str
    queue: str | None
    worker: str | None
    pid: int
    version: str
    sent_at: float | None
    first_sent_at: float | None
    received_at: float | None
    eta: str | None
    retries: int
    root: str | None
    parent: str | None
    group: str | None
    acks_late: bool
    arguments: str | None


class Ended(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="ended"):
    """A run of the job ended, as its own process saw it. `fate` is LOST where the run was cut off from outside.

    `returns` says that the broker gives the message out again, so that the job is not over.
    """

    job: str
    at: float
    run: str
    fate: Fate
    run_s: float  # monotonic clock
    cpu_s: float | None  # of the run's thread; None under gevent and eventlet, where it cannot be told
    grew_bytes: int | None  # growth of the process's peak resident memory during the run
    reason: str | None
    error: Error | None
    labels: dict[str, str] | None
    returns: bool = False


class Told(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="told"):
    """A fate that only somebody else than the run could tell: the worker's main process, or the shipper.

    `returns` says that the broker gives the message out again, so that the job is not over.
    """

    job: str
    at: float
    fate: Fate
    reason: str | None
    run: str | None  # where known; else the run is found by worker and message
    task: str | None
    queue: str | None
    worker: str | None
    sent_at: float | None
    root: str | None
    parent: str | None
    retries: int | None
    returns: bool
    error: Error | None


class Dropped(msgspec.Struct, frozen=True, array_like=True, tag="dropped"):
    """Records that this process could not append, counted once it could append again."""

    at: float
    records: int
    reason: str


class Observed(msgspec.Struct, frozen=True, array_like=True, tag="observed"):
    """Samples that a process of the application took of itself."""

    at: float
    samples: list[Sample]


Event = Sent | Started | Ended | Told
Record = Event | Observed | Dropped


class Run(msgspec.Struct):
    """One start of a job on a worker.

    `wait_s` counts from the later of sending and due time to the start. `fate` is None while it runs.
    """

    id: str
    job: str
    task: str | None = None
    queue: str | None = None
    worker: str | None = None
    pid: int | None = None
    version: str | None = None
    retries: int = 0
    acks_late: bool = False
    sent_at: float | None = None
    received_at: float | None = None
    due_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    wait_s: float | None = None
    run_s: float | None = None
    cpu_s: float | None = None
    grew_bytes: int | None = None
    fate: Fate | None = None
    reason: str | None = None
    error: str | None = None
    message: str | None = None
    traceback: str | None = None
    fingerprint: str | None = None
    labels: str | None = None  # JSON object


class Job(msgspec.Struct):
    """One job from its first sending to its fate.

    `fate` is None while the job waits or runs; `open_runs` tells which. Times and error are those of the latest run.
    """

    id: str
    task: str | None = None
    queue: str | None = None
    worker: str | None = None
    fate: Fate | None = None
    reason: str | None = None
    error: str | None = None
    message: str | None = None
    fingerprint: str | None = None
    first_sent_at: float | None = None
    sent_at: float | None = None
    due_at: float | None = None
    expires_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    changed_at: float = 0.0
    wait_s: float | None = None
    run_s: float | None = None
    runs: int = 0
    open_runs: int = 0
    retries: int = 0
    root: str | None = None
    parent: str | None = None
    group: str | None = None
    sender: str | None = None
    entry: str | None = None
    version: str | None = None
    arguments: str | None = None
    labels: str | None = None

    @property
    def state(self) -> str:
        """Its fate, or `running`, or `waiting`."""
        return self.fate or ("running" if self.open_runs else "waiting")
