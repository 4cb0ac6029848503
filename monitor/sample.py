"""What is measured: samples, and METRICS, the one table of every metric's name, unit, dimensions and meaning."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec


class Unit(StrEnum):
    """The units, by CloudWatch's names."""

    COUNT = "Count"
    MILLISECONDS = "Milliseconds"
    SECONDS = "Seconds"
    MEGABYTES = "Megabytes"  # 1,000,000 bytes
    PERCENT = "Percent"


class Rollup(StrEnum):
    """How the values of a metric's several dimension sets become one without dimensions."""

    SUM = "sum"
    MAX = "max"
    MERGE = "merge"  # distributions are put together


class Metric(msgspec.Struct, frozen=True):
    """One metric: `dimensions` are the names that each of its samples gives a value to.

    `rollup` is None where the values of different dimensions cannot be put together in a way that means anything.
    """

    name: str
    unit: Unit
    dimensions: tuple[str, ...]
    rollup: Rollup | None
    emitter: str  # the module that measures it
    meaning: str


class Distribution(msgspec.Struct, frozen=True):
    """Many values, kept as counts of exponential buckets, so that percentiles can be told from it.

    A bucket's value is at most RELATIVE_ERROR away from each value that fell into it (DDSketch, Masson, Rim and Lee,
    VLDB 2019, section 2.1). Values are at least 0; `counts` is in ascending order of the buckets' values.
    """

    counts: tuple[tuple[float, int], ...]  # a bucket's value, how many fell into it

    @classmethod
    def of(cls, values: Iterable[float]) -> "Distribution":
        """Return the distribution of these values; negative ones, which only clocks set back make, count as 0."""
        buckets = Counter(map(_bucket, values))
        return cls(tuple((_value(bucket), count) for bucket, count in sorted(buckets.items())))

    @property
    def count(self) -> int:
        """How many values it holds."""
        return sum(count for _, count in self.counts)

    def percentile(self, percent: float) -> float:
        """Return the value that so many percent of the values do not exceed.

        Raises:
            ValueError: of a distribution without values, or a percentage that is not from 0 to 100.

        """
        if not self.counts or not 0 <= percent <= 100:  # noqa: PLR2004 (percent)
            raise ValueError(f"expected values, and a percentage from 0 to 100, got {self.count} values, {percent!r}")
        wanted = max(1, math.ceil(self.count * percent / 100))
        for value, count in self.counts:
            wanted -= count
            if wanted <= 0:
                return value
        return self.counts[-1][0]

    def merged(self, other: "Distribution") -> "Distribution":
        """Return the distribution of the values of both."""
        counts = Counter(dict(self.counts))
        counts.update(dict(other.counts))
        return Distribution(tuple(sorted(counts.items())))


RELATIVE_ERROR = 0.025
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = math.log(_GAMMA)
_SMALLEST = 1e-9  # what is smaller counts as 0
_ZERO = -(2**31)  # the bucket of 0, below all others


def _bucket(value: float) -> int:
    return math.ceil(math.log(value) / _LOG_GAMMA) if value > _SMALLEST else _ZERO


def _value(bucket: int) -> float:
    return 0.0 if bucket == _ZERO else 2 * _GAMMA**bucket / (_GAMMA + 1)


class Sample(msgspec.Struct, frozen=True):
    """One measurement of one metric. `at` is when it was taken, in Unix seconds.

    A repeated measurement of the same metric, dimensions and time adds nothing.
    """

    metric: str
    dimensions: tuple[tuple[str, str], ...]  # in METRICS' order
    at: float
    value: float | Distribution


class Note(msgspec.Struct, frozen=True):
    """Something about a subject that is no number, as `Note("broker", "eviction policy", "allkeys-lru")`.

    The store remembers since when the text has been the same. None says that there is nothing to say any more.
    """

    subject: str  # what it is about: "broker", "queue:optimization", "database:orders"
    name: str
    text: str | None


class Measured(msgspec.Struct):
    """What one measuring brought: samples, and what is no number."""

    samples: list[Sample] = msgspec.field(default_factory=list)
    notes: list[Note] = msgspec.field(default_factory=list)

    def add(self, metric: str, at: float, value: float | Distribution | None, **dimensions: str) -> None:
        """Add a sample; None, what could not be told, adds none: a gap is a gap, never a zero.

        Raises:
            ValueError: when METRICS has no such metric, or it has other dimensions.

        """
        if value is not None:
            self.samples.append(sample(metric, at, value, dimensions))

    def note(self, subject: str, name: str, text: str | None) -> None:
        """Add a note."""
        self.notes.append(Note(subject, name, text))


def sample(metric: str, at: float, value: float | Distribution, dimensions: Mapping[str, str]) -> Sample:
    """Return a sample, checked.

    Raises:
        ValueError: when METRICS has no such metric, it has other dimensions, or the value is no finite number.

    """
    known = METRICS.get(metric)
    if known is None:
        raise ValueError(f"expected a metric that METRICS names, got {metric!r}")
    if set(dimensions) != set(known.dimensions):
        raise ValueError(f"expected {metric} with dimensions {known.dimensions}, got {tuple(dimensions)}")
    if not isinstance(value, Distribution) and not math.isfinite(value):
        raise ValueError(f"expected a finite value of {metric}, got {value!r}")
    ordered = tuple((name, dimensions[name]) for name in known.dimensions)
    return Sample(metric, ordered, at, value if isinstance(value, Distribution) else float(value))


def _table(*rows: tuple[str, Unit, tuple[str, ...], Rollup | None, str, str]) -> dict[str, Metric]:
    return {row[0]: Metric(*row) for row in rows}


_COUNT, _MS, _S, _MB, _PERCENT = Unit.COUNT, Unit.MILLISECONDS, Unit.SECONDS, Unit.MEGABYTES, Unit.PERCENT
_SUM, _MAX, _MERGE = Rollup.SUM, Rollup.MAX, Rollup.MERGE
_QUEUE, _DATABASE, _WORKER = ("QueueName",), ("Database",), ("Worker",)

METRICS = _table(
    # Jobs, told from the rows of each closed minute.
    ("OptimizationDuration", _MS, ("ScenarioType",), _MERGE, "jobs", "run time of finished optimization runs"),
    ("JobFailures", _COUNT, ("JobType", "ErrorCode"), _SUM, "jobs", "jobs that failed, timed out or were lost"),
    ("JobsFinished", _COUNT, ("Task", "Fate"), _SUM, "jobs", "jobs that ended, whatever their fate"),
    ("JobRunTime", _MS, ("Task",), _MERGE, "jobs", "run time of finished runs"),
    ("JobWait", _MS, ("Task",), _MERGE, "jobs", "from the later of sending and due time to the start of a run"),
    # Queues.
    ("JobQueueDepth", _COUNT, _QUEUE, _MAX, "queues", "jobs that wait in the queue, of all priorities"),
    ("JobsUnacknowledged", _COUNT, _QUEUE, _SUM, "queues", "messages that workers hold: reserved, running or due later"),
    ("JobsHeld", _COUNT, _QUEUE, _SUM, "queues", "jobs that workers, or SQS, hold until their due time (ETA)"),
    ("JobsRunning", _COUNT, _QUEUE, _SUM, "queues", "jobs of the queue that run now"),
    ("OldestJobAge", _S, _QUEUE, _MAX, "queues", "how long the oldest waiting job has waited, 0 where none waits; a lower bound for foreign senders"),
    ("JobArrivals", _COUNT, _QUEUE, _SUM, "queues", "messages that arrived, a minute"),
    ("JobCompletions", _COUNT, _QUEUE, _SUM, "queues", "runs that ended, a minute"),
    ("QueueTimeToEmpty", _S, _QUEUE, _MAX, "queues", "until the queue is empty at the last minute's rate, 0 where it is; no sample where it never will be"),
    ("QueueConsumers", _COUNT, _QUEUE, _SUM, "queues", "workers that consume the queue"),
    ("MessagesUnacknowledged", _COUNT, (), None, "queues", "messages that workers hold, of all queues together"),
    ("OldestUnacknowledgedAge", _S, (), None, "queues", "how long ago the oldest of them was given out, where it can be told"),
    ("JobsDelayed", _COUNT, (), None, "queues", "jobs that RabbitMQ delays until their due time, of all queues together"),
    ("PrivateMessages", _COUNT, (), None, "queues", "messages in queues of single processes: replies, events, remote control"),
    # The broker.
    ("BrokerLatency", _MS, (), None, "broker", "round trip of a ping, or of the cheapest question it has"),
    ("BrokerMemory", _MB, (), None, "broker", "memory that it uses"),
    ("BrokerMemoryLimit", _MB, (), None, "broker", "memory that it may use; no sample where there is no limit"),
    ("BrokerMemoryUsed", _PERCENT, (), None, "broker", "memory that it uses, of its limit"),
    ("BrokerFragmentation", _PERCENT, (), None, "broker", "resident memory, of what is stored"),
    ("BrokerEvictedKeys", _COUNT, (), None, "broker", "keys it threw away since it started, to make room"),
    ("BrokerClients", _COUNT, (), None, "broker", "connections to it"),
    ("BrokerBlockedClients", _COUNT, (), None, "broker", "connections that wait in a blocking command: workers at rest"),
    ("BrokerReplicas", _COUNT, (), None, "broker", "replicas that are connected"),
    ("BrokerDiskFree", _MB, (), None, "broker", "free disk space, where it tells"),
    # Databases.
    ("DatabaseConnections", _COUNT, _DATABASE, _SUM, "database", "connections to the server, of everybody but this measuring"),
    ("DatabaseConnectionsActive", _COUNT, _DATABASE, _SUM, "database", "connections that run a statement"),
    ("DatabaseConnectionsIdle", _COUNT, _DATABASE, _SUM, "database", "connections at rest"),
    ("DatabaseConnectionsIdleInTransaction", _COUNT, _DATABASE, _SUM, "database", "connections at rest within a transaction"),
    ("DatabaseConnectionsByApplication", _COUNT, ("Database", "Application"), None, "database", "connections by application name; those of jobs by task"),
    ("DatabaseConnectionLimit", _COUNT, _DATABASE, None, "database", "connections that ordinary users may have in all"),
    ("DatabaseConnectionsUsed", _PERCENT, _DATABASE, _MAX, "database", "connections, of the limit"),
    ("DatabaseConnectTime", _MS, _DATABASE, _MAX, "database", "to open a connection: name, network, encryption, password"),
    ("DatabaseLatency", _MS, _DATABASE, _MAX, "database", "round trip of SELECT 1 on an open connection; of SQLite, of a read of the file"),
    ("DatabaseOldestTransaction", _S, _DATABASE, _MAX, "database", "age of the oldest open transaction; 0 where none is open"),
    ("DatabaseLongestIdleInTransaction", _S, _DATABASE, _MAX, "database", "how long the longest rest within a transaction has lasted; 0 where none rests"),
    ("DatabaseLongestQuery", _S, _DATABASE, _MAX, "database", "how long the longest running statement has run; 0 where none runs"),
    ("DatabaseLocksWaiting", _COUNT, _DATABASE, _SUM, "database", "connections that wait for a lock"),
    ("DatabaseSize", _MB, _DATABASE, None, "database", "size on disk"),
    ("DatabaseReplicationLag", _S, _DATABASE, _MAX, "database", "how far the slowest replica is behind"),
    # An application's own connection pools, each told by every process that has one.
    ("PoolSize", _COUNT, ("Pool",), _MAX, "database", "connections that a process's pool keeps"),
    ("PoolCheckedOut", _COUNT, ("Pool",), _MAX, "database", "the most connections that a process used at once, since it last told"),
    ("PoolOverflow", _COUNT, ("Pool",), _MAX, "database", "the most connections that a process opened beyond the pool's size, since it last told"),
    ("PoolCheckoutTime", _MS, ("Pool",), _MERGE, "database", "until a connection was given out, or refused"),
    # Workers, told from their leases.
    ("MemoryUsage", _MB, _WORKER, _MAX, "memory", "resident memory of a worker's main process and its descendants"),
    ("MemoryLimit", _MB, _WORKER, None, "memory", "what its container may use; no sample where there is no limit"),
    ("MemoryUsed", _PERCENT, _WORKER, _MAX, "memory", "memory of the container that is in use, of its limit"),
    ("OutOfMemoryKills", _COUNT, _WORKER, _MAX, "memory", "processes that the kernel killed in its container, so far"),
    ("WorkerLoopLag", _MS, _WORKER, _MAX, "workers", "how late the event loop of the main process is"),
    ("WorkerSlotsBusy", _COUNT, _WORKER, _SUM, "workers", "pool slots that run a job"),
    ("WorkerSlots", _COUNT, _WORKER, _SUM, "workers", "pool slots in all"),
    ("WorkerReserved", _COUNT, _WORKER, _SUM, "workers", "jobs that it took and has not started"),
    ("WorkerCpu", _PERCENT, _WORKER, _MAX, "workers", "processor time of its main process and descendants, of one core"),
    ("WorkersAlive", _COUNT, (), None, "workers", "workers with a fresh lease"),
    # Schedules.
    ("ScheduleLateness", _S, ("Entry",), _MAX, "schedules", "from an entry's latest slot to its sending; until now, where nothing was sent in time"),
    ("SchedulesMissed", _COUNT, ("Entry",), _SUM, "schedules", "slots of the last hour, at least the latest, in which nothing was sent"),
    ("BeatTickAge", _S, (), None, "schedules", "how long ago the beat that looked last looked what is due"),
    # Canaries.
    ("CanaryReceived", _MS, _QUEUE, _MAX, "canaries", "from sending a canary to its receipt by a worker, which only a canary tells that was started"),
    ("CanaryStarted", _MS, _QUEUE, _MAX, "canaries", "from sending a canary to its being started by a worker"),
    # The measuring itself.
    ("SamplerFailures", _COUNT, ("Sampler",), _SUM, "sampling", "measurings that failed or hung"),
    ("SamplerDuration", _MS, ("Sampler",), _MAX, "sampling", "how long a measuring took"),
)  # fmt: skip
