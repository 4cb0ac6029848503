"""The store's tables: the only schema. Times are Unix seconds (UTC) in double precision."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only what it calls INTEGER


def _time(name: str) -> Column[float]:
    return Column(name, Double)


segments = Table(
    "monitor_segments",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("position", BigInteger, nullable=False),  # bytes of the segment that are in the store
    Column("at", Double, nullable=False),
    sqlite_autoincrement=True,
)

# An event's identity is its segment and its position there: it can be in the store only once.
events = Table(
    "monitor_events",
    metadata,
    Column("job", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("segment", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),  # the event in MessagePack
    Index("monitor_events_job", "job"),
)

# In the order of monitor.job.Run, and of monitor.job.Job below.
runs = Table(
    "monitor_runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("job", Text, nullable=False),
    Column("task", Text),
    Column("queue", Text),
    Column("worker", Text),
    Column("pid", BigInteger),
    Column("version", Text),
    Column("retries", BigInteger, nullable=False),
    Column("acks_late", Boolean, nullable=False),
    _time("sent_at"),
    _time("received_at"),
    _time("due_at"),
    _time("started_at"),
    _time("ended_at"),
    Column("wait_s", Double),
    Column("run_s", Double),
    Column("cpu_s", Double),
    Column("grew_bytes", BigInteger),
    Column("fate", Text),
    Column("reason", Text),
    Column("error", Text),
    Column("message", Text),
    Column("traceback", Text),
    Column("fingerprint", Text),
    Column("labels", Text),
    Index("monitor_runs_job", "job"),
    Index("monitor_runs_ended", "ended_at"),
)
Index("monitor_runs_open", runs.c.id, postgresql_where=runs.c.fate.is_(None), sqlite_where=runs.c.fate.is_(None))

jobs = Table(
    "monitor_jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("task", Text),
    Column("queue", Text),
    Column("worker", Text),
    Column("fate", Text),
    Column("reason", Text),
    Column("error", Text),
    Column("message", Text),
    Column("fingerprint", Text),
    _time("first_sent_at"),
    _time("sent_at"),
    _time("due_at"),
    _time("expires_at"),
    _time("started_at"),
    _time("ended_at"),
    Column("changed_at", Double, nullable=False),  # when the last of its events happened
    Column("wait_s", Double),
    Column("run_s", Double),
    Column("runs", BigInteger, nullable=False),
    Column("open_runs", BigInteger, nullable=False),
    Column("retries", BigInteger, nullable=False),
    Column("root", Text),
    Column("parent", Text),
    Column("group", Text),
    Column("sender", Text),
    Column("version", Text),
    Column("arguments", Text),
    Column("labels", Text),
    Index("monitor_jobs_changed", "changed_at"),
    Index("monitor_jobs_fate", "fate", "changed_at"),
    Index("monitor_jobs_task", "task", "changed_at"),
    Index("monitor_jobs_root", "root"),
)

# What could not be kept, counted: dropped, damaged or refused records.
losses = Table(
    "monitor_losses",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("host", Text, nullable=False),
    Column("segment", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("records", BigInteger),  # unknown (null) where only bytes can be counted
    Column("bytes", BigInteger),
    sqlite_autoincrement=True,
)

# One series for each metric and set of dimensions, so that a sample is small.
series = Table(
    "monitor_series",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("metric", Text, nullable=False),
    Column("dimensions", Text, nullable=False),  # JSON [[name, value], …], in METRICS' order
    UniqueConstraint("metric", "dimensions", name="monitor_series_key"),
    sqlite_autoincrement=True,
)

# A repeated measurement of the same moment adds nothing: series and time are the key.
samples = Table(
    "monitor_samples",
    metadata,
    Column("series", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Double, primary_key=True),
    Column("value", Double),
    Column("distribution", Text),  # JSON; null where there is a value
    Index("monitor_samples_at", "at"),
    sqlite_with_rowid=False,
)

# What is no number: `since` is when the text became what it is, `at` when it was last said.
notes = Table(
    "monitor_notes",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("since", Double, nullable=False),
    Column("at", Double, nullable=False),
)

# One row for each life of a worker or beat. Columns by monitor.lease.Lease.
leases = Table(
    "monitor_leases",
    metadata,
    Column("role", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("process", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("renewed_at", Double, nullable=False),
    Column("period_s", Double, nullable=False),
    Column("goodbye_at", Double),
    Column("state", Text),  # JSON
    Index("monitor_leases_renewed", "renewed_at"),
)
