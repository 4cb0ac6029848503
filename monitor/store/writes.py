"""What the shipper writes: batches of events, and what they mean for their jobs; and what is pruned."""

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg
from sqlalchemy import Connection, Engine, Table, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from monitor.job import Dropped, Event, Fate, Job, Run, Told
from monitor.life import life_of
from monitor.spool import Reading
from monitor.store.faults import PositionMovedError, told_plainly, writing
from monitor.store.tables import events, jobs, losses, runs, segments

# A message that is given out again and again can make one job's events endless: its life is told from the latest.
MAX_EVENTS_A_JOB = 500
PRUNE_BATCH = 2_000

_LOCK = 7_235_022  # any number, the same for all: see _of_jobs_alone
_JOB_FATE = jobs.c.keys().index("fate")
_RUN_FATE = runs.c.keys().index("fate")

# In place: REPLACE would delete the old row, and write each of its index entries anew.
_OVER_THE_OLD = {
    table.name: "ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f'"{name}" = excluded."{name}"' for name in table.c.keys() if name != "id")  # noqa: SIM118 (no dict)
    for table in (jobs, runs)
}

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Event).decode


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that could not be kept: how many records, or, where these cannot be told, how many bytes."""

    segment: str
    reason: str
    records: int | None = None
    bytes: int | None = None


def positions(engine: Engine, names: Sequence[str]) -> dict[str, int]:
    """Return how far each segment is in the store, in bytes; those it does not know are left out."""
    with told_plainly(engine), engine.connect().execution_options(reading=True) as connection:
        return {name: position for name, (_, position) in _known_segments(connection, names).items()}


def save(engine: Engine, host: str, readings: Sequence[Reading], more_losses: Iterable[Loss] = ()) -> None:
    """Write a batch, what it means for its jobs, and how far it came, in one transaction.

    Raises:
        PositionMovedError: when the store is not where the readings start.
        RefusedError: when it cannot take something of the batch.
        StoreError: when it cannot be used. In no case anything is written.

    """
    with writing(engine) as connection:
        ids = _advance(connection, readings)
        rows, told = [], defaultdict(list)
        for reading in readings:
            for position, record, body in reading.records:
                if not isinstance(record, Dropped):
                    rows.append((record.job, record.at, ids[reading.segment], position, body))
                    told[record.job].append(record)
        _insert(connection, events, rows)
        _tell_jobs(connection, told)
        _count(connection, host, [*_losses_of(readings), *more_losses])


def lose_open_runs(engine: Engine, process: str, now: float) -> int:
    """Close the runs that a process left open when it went without a word; return how many."""
    with writing(engine) as connection:
        # The ids of its runs are the process, a hyphen and a number; the full stop is the character after the hyphen.
        found = connection.execute(
            select(runs.c.id, runs.c.job, runs.c.pid, runs.c.acks_late).where(
                runs.c.id >= f"{process}-", runs.c.id < f"{process}.", runs.c.fate.is_(None)
            )
        ).all()
        if not found:
            return 0
        tellings = [_lost(*row, now) for row in found]
        # No segment tells this: identity enough is that a run is closed once.
        _insert(connection, events, [(told.job, now, 0, 0, _encode(told)) for told in tellings])
        _tell_jobs(connection, {told.job: [told] for told in tellings})
        return len(found)


def forget_segments(engine: Engine, names: Sequence[str]) -> None:
    """Forget segments whose files are gone."""
    with writing(engine) as connection:
        connection.execute(delete(segments).where(segments.c.name.in_(names)))


def prune(engine: Engine, older_than_days: int, now: float | None = None) -> int:
    """Delete the jobs whose fate is older than that, with their runs and events; return how many.

    In short transactions of PRUNE_BATCH jobs each, so that recording goes on meanwhile. Jobs without a fate are kept:
    nobody has explained them yet.
    """
    before = (time.time() if now is None else now) - older_than_days * 86_400
    pruned = 0
    while count := _prune_batch(engine, before):
        pruned += count
    with writing(engine) as connection:
        connection.execute(delete(losses).where(losses.c.at < before))
    return pruned


def _prune_batch(engine: Engine, before: float) -> int:
    with writing(engine) as connection:
        old = select(jobs.c.id).where(jobs.c.changed_at < before, jobs.c.fate.is_not(None)).limit(PRUNE_BATCH)
        ids = connection.execute(old).scalars().all()
        for table, column in ((events, events.c.job), (runs, runs.c.job), (jobs, jobs.c.id)):
            connection.execute(delete(table).where(column.in_(ids)))
        return len(ids)


def _lost(run: str, job: str, pid: int | None, acks_late: bool, now: float) -> Told:  # noqa: FBT001
    why = f"its process {pid} is gone, and nobody told why"
    why += "; its message goes back to the broker" if acks_late else "; its message was already acknowledged"
    return Told(
        job=job, at=now, fate=Fate.LOST, reason=why, run=run, task=None, queue=None, worker=None,
        sent_at=None, root=None, parent=None, retries=None, returns=acks_late, error=None,
    )  # fmt: skip


def _known_segments(connection: Connection, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    # Locked: the last COMMIT of a shipper that was killed may still be under way in the server, and is waited for.
    found = connection.execute(
        select(segments.c.name, segments.c.id, segments.c.position).where(segments.c.name.in_(names)).with_for_update()
    )
    return {name: (id_, position) for name, id_, position in found}


def _advance(connection: Connection, readings: Sequence[Reading]) -> dict[str, int]:
    """Move the positions on; return the segments' ids by name."""
    known = _known_segments(connection, [reading.segment for reading in readings])
    now = time.time()
    ids = {}
    for reading in readings:
        id_, position = known.get(reading.segment, (None, 0))
        if position != reading.start:
            raise PositionMovedError(f"{reading.segment}: read from {reading.start}, the store is at {position}")
        values = {"name": reading.segment, "position": reading.end, "at": now}
        if id_ is None:
            id_ = connection.execute(insert(segments).values(values).returning(segments.c.id)).scalar_one()
        else:
            connection.execute(update(segments).where(segments.c.id == id_).values(values))
        ids[reading.segment] = id_
    return ids


def _tell_jobs(connection: Connection, told: dict[str, list[Event]]) -> None:
    """Tell the lives of these jobs anew from all their events."""
    if not told:
        return
    _of_jobs_alone(connection)
    known = _known_jobs(connection, list(told))
    all_told = {**told, **_events_of(connection, known)}
    job_rows: list[list[Any]] = []
    run_rows: list[list[Any]] = []
    for id_, its_events in all_told.items():
        job, its_runs = life_of(id_, its_events)
        if len(its_events) >= MAX_EVENTS_A_JOB:
            _keep_the_beginning(connection, job)
        job_rows.append(_row(job, _JOB_FATE))
        run_rows.extend(_row(run, _RUN_FATE) for run in its_runs)
    _replace(connection, runs, run_rows, has_old=bool(known))
    _replace(connection, jobs, job_rows, has_old=bool(known))


def _of_jobs_alone(connection: Connection) -> None:
    """Keep other hosts' shippers from telling the same job's life at the same time, each without the other's events.

    Their events are inserted side by side before; SQLite lets one write at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


def _known_jobs(connection: Connection, ids: list[str]) -> list[str]:
    return [row[0] for row in _about(connection, "SELECT id FROM monitor_jobs WHERE id", ids)]


def _events_of(connection: Connection, ids: list[str]) -> dict[str, list[Event]]:
    """Return the latest events of each job."""
    query = """
        SELECT job, body FROM (
            SELECT job, body, row_number() OVER (PARTITION BY job ORDER BY at DESC) AS nth
              FROM monitor_events
             WHERE job"""
    found = defaultdict(list)
    latest = f") AS numbered WHERE nth <= {MAX_EVENTS_A_JOB}"
    for id_, body in _about(connection, query, ids, latest) if ids else ():
        found[id_].append(_decode(body))
    return found


def _about(connection: Connection, query: str, ids: list[str], rest: str = "") -> Iterable[Any]:
    """Return the rows of a query about many ids, passed as one parameter."""
    if connection.dialect.name == "postgresql":
        return connection.exec_driver_sql(f"{query} = ANY(%s) {rest}", (ids,))
    among = "IN (SELECT value FROM json_each(?))"
    return connection.exec_driver_sql(f"{query} {among} {rest}", (json.dumps(ids),))


def _keep_the_beginning(connection: Connection, job: Job) -> None:
    """Take over what the events that are no longer read said of the job."""
    old = connection.execute(select(jobs).where(jobs.c.id == job.id)).mappings().first()
    if old is None:
        return
    job.runs = max(job.runs, old["runs"])
    for name in ("first_sent_at", "started_at"):
        setattr(job, name, min(filter(None, (getattr(job, name), old[name])), default=None))
    for name in ("sent_at", "root", "parent", "group", "sender", "arguments"):
        if getattr(job, name) is None:
            setattr(job, name, old[name])


def _row(told: Job | Run, fate: int) -> list[Any]:
    row = list(msgspec.structs.astuple(told))
    row[fate] = row[fate] and row[fate].value  # drivers would store the member's name
    return row


def _replace(connection: Connection, table: Table, rows: list[list[Any]], *, has_old: bool) -> None:
    """Insert rows in place of those of the same id."""
    if connection.dialect.name != "postgresql":
        _insert(connection, table, rows, _OVER_THE_OLD[table.name])
        return
    if has_old:
        connection.exec_driver_sql(f"DELETE FROM {table.name} WHERE id = ANY(%s)", ([row[0] for row in rows],))  # noqa: S608
    _insert(connection, table, rows)


def _insert(connection: Connection, table: Table, rows: Sequence[Sequence[Any]], over_the_old: str = "") -> None:
    """Insert many rows of all the table's columns, the fastest way the database has."""
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        marks = ", ".join("?" * len(table.c))
        statement = f"INSERT INTO {table.name} VALUES ({marks}) {over_the_old}"  # noqa: S608 (our own names)
        connection.exec_driver_sql(statement, [tuple(row) for row in rows])
        return
    _copy(connection, table, rows)


def _copy(connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """COPY rows through the driver, which SQLAlchemy has no word for; its errors are raised as SQLAlchemy's."""
    # Binary, a row takes the driver less than half of its time as text (psycopg 3.3); it must be told the types then.
    statement = f"COPY {table.name} FROM STDIN (FORMAT BINARY)"
    types = [column.type.compile(connection.dialect).lower() for column in table.c]
    cursor = connection.connection.driver_connection.cursor()  # type: ignore[union-attr]
    try:
        with cursor.copy(statement) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as fault:
        raise DBAPIError.instance(statement, None, fault, psycopg.Error, dialect=connection.dialect) from fault


def _losses_of(readings: Iterable[Reading]) -> Iterable[Loss]:
    for reading in readings:
        if reading.damaged_bytes:
            yield Loss(reading.segment, "damaged in the spool", bytes=reading.damaged_bytes)
        if reading.unreadable:
            yield Loss(reading.segment, "written by another version", records=reading.unreadable)
        for _, record, _ in reading.records:
            if isinstance(record, Dropped):
                yield Loss(reading.segment, record.reason, records=record.records)


def _count(connection: Connection, host: str, lost: Sequence[Loss]) -> None:
    if lost:
        now = time.time()
        rows = [
            {"at": now, "host": host, "segment": loss.segment, "reason": loss.reason,
             "records": loss.records, "bytes": loss.bytes}
            for loss in lost
        ]  # fmt: skip
        connection.execute(insert(losses), rows)
