"""The store's tables: the only schema. Times are Unix seconds (UTC) in double precision."""

from sqlalchemy import (
    BigInteger,
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
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),  # bytes of the segment that are in the store
    Column("at", Double, nullable=False),
)

# One row for each run, of what runs are searched, counted and measured by; the rest is told from its job's events.
runs = Table(
    "monitor_runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("job", Text, nullable=False),
    Column("task", Text),
    Column("queue", Text),
    Column("worker", Text),
    Column("version", Text),
    _time("started_at"),
    _time("ended_at"),
    Column("wait_s", Double),
    Column("run_s", Double),
    Column("cpu_s", Double),
    Column("grew_bytes", BigInteger),
    Column("fate", Text),
    Column("error", Text),
    Column("fingerprint", Text),
    Column("labels", Text),
    Index("monitor_runs_ended", "ended_at"),
)
_is_open = runs.c.fate.is_(None)
_goes_on = runs.c.fate.in_(("replaced", "requeued", "retried"))
# Of the few runs that are open, or did not end their job: an index over the ids of all jobs would cost each of them.
Index("monitor_runs_open", runs.c.id, postgresql_where=_is_open, sqlite_where=_is_open)
Index("monitor_runs_going_on", runs.c.job, runs.c.fate, postgresql_where=_goes_on, sqlite_where=_goes_on)

# One row for each job: all its events, and what jobs are searched and counted by.
jobs = Table(
    "monitor_jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("task", Text),
    Column("queue", Text),
    Column("worker", Text),
    Column("fate", Text),
    Column("error", Text),
    Column("fingerprint", Text),
    Column("version", Text),
    Column("entry", Text),
    Column("root", Text),  # null where the job is its own
    _time("sent_at"),
    _time("due_at"),
    _time("started_at"),
    _time("ended_at"),
    Column("changed_at", Double, nullable=False),  # when the last of its events happened
    Column("open_runs", BigInteger, nullable=False),
    Column("forgotten_runs", BigInteger, nullable=False),  # those whose events are no longer kept
    Column("events", LargeBinary, nullable=False),  # MessagePack, an array of monitor.job.Event in order of arrival
    Index("monitor_jobs_changed", "changed_at"),
    Index("monitor_jobs_fate", "fate", "changed_at"),
    Index("monitor_jobs_task", "task", "changed_at"),
)
_is_child = jobs.c.root.is_not(None)
Index("monitor_jobs_root", jobs.c.root, postgresql_where=_is_child, sqlite_where=_is_child)
_has_entry = jobs.c.entry.is_not(None)
Index("monitor_jobs_entry", jobs.c.entry, jobs.c.sent_at, postgresql_where=_has_entry, sqlite_where=_has_entry)

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
