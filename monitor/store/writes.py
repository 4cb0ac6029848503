"""What the shipper writes: batches of events, and what they mean for their jobs; and what is pruned."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, Engine, Select, Table, delete, insert, select, update

from monitor.job import Dropped, Fate, Observed, Started, Told
from monitor.sample import Sample
from monitor.spool import Reading
from monitor.store import history, lives
from monitor.store.faults import PositionMovedError, reading, writing
from monitor.store.measured import save_samples
from monitor.store.tables import jobs, losses, runs, segments

PRUNE_BATCH = 2_000

_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that could not be kept: how many records, or, where these cannot be told, how many bytes."""

    segment: str
    reason: str
    records: int | None = None
    bytes: int | None = None


def positions(engine: Engine, names: Sequence[str]) -> dict[str, int]:
    """Return how far each segment is in the store, in bytes; those it does not know are left out."""
    with reading(engine) as connection:
        return _known_positions(connection, names)


def save(engine: Engine, host: str, readings: Sequence[Reading], more_losses: Iterable[Loss] = ()) -> None:
    """Write a batch, what it means for its jobs, and how far it came, in one transaction.

    Raises:
        PositionMovedError: when the store is not where the readings start.
        RefusedError: when it cannot take something of the batch.
        StoreError: when it cannot be used. In no case anything is written.

    """
    told: dict[str, lives.Told] = defaultdict(list)
    samples: list[Sample] = []
    for batch in readings:
        for _, record, body in batch.records:
            if isinstance(record, Observed):
                samples += record.samples
            elif not isinstance(record, Dropped):
                told[record.job].append((record, body))
    with writing(engine) as connection:
        _advance(connection, readings)
        lives.tell(connection, told)
        save_samples(connection, samples)
        _count(connection, host, [*_losses_of(readings), *more_losses])


def lose_open_runs(engine: Engine, process: str, now: float) -> int:
    """Close the runs that a process left open when it went without a word; return how many."""
    with writing(engine) as connection:
        # The ids of its runs are the process, a hyphen and a number; the full stop is the character after the hyphen.
        are_its_own = (runs.c.id >= f"{process}-") & (runs.c.id < f"{process}.") & runs.c.fate.is_(None)
        open_runs = dict(connection.execute(select(runs.c.id, runs.c.job).where(are_its_own)).all())
        if open_runs:
            lives.tell(connection, _losses_told(connection, open_runs, now))
            # What is left has its start no longer kept with its job.
            connection.execute(update(runs).where(are_its_own).values(fate=Fate.LOST.value, ended_at=now))
        return len(open_runs)


def _losses_told(connection: Connection, open_runs: Mapping[str, str], now: float) -> dict[str, lives.Told]:
    """Return the losses of these runs, known with their jobs, by job."""
    told: dict[str, lives.Told] = defaultdict(list)
    for id_, known in lives.known_jobs(connection, list(set(open_runs.values()))).items():
        for event in history.decode(known.events):
            if type(event) is Started and event.run in open_runs:
                lost = _lost(event, now)
                told[id_].append((lost, _encode(lost)))
    return told


def forget_segments(engine: Engine, names: Sequence[str]) -> None:
    """Forget segments whose files are gone."""
    with writing(engine) as connection:
        connection.execute(delete(segments).where(segments.c.name.in_(names)))


def prune(engine: Engine, older_than_days: int, now: float | None = None) -> int:
    """Delete the jobs whose fate is older than that, and the runs that ended before; return how many jobs.

    In short transactions of PRUNE_BATCH rows each, so that recording goes on meanwhile. Jobs without a fate are kept
    with all that was told of them: nobody has explained them yet.
    """
    before = (time.time() if now is None else now) - older_than_days * 86_400
    old_jobs = select(jobs.c.id).where(jobs.c.changed_at < before, jobs.c.fate.is_not(None))
    pruned = 0
    while count := _delete_batch(engine, jobs, old_jobs):
        pruned += count
    while _delete_batch(engine, runs, select(runs.c.id).where(runs.c.ended_at < before)):
        pass
    with writing(engine) as connection:
        connection.execute(delete(losses).where(losses.c.at < before))
    return pruned


def _delete_batch(engine: Engine, table: Table, ids: Select[tuple[str]]) -> int:
    with writing(engine) as connection:
        batch = connection.execute(ids.limit(PRUNE_BATCH)).scalars().all()
        connection.execute(delete(table).where(table.c.id.in_(batch)))
        return len(batch)


def _lost(start: Started, now: float) -> Told:
    why = f"its process {start.pid} is gone, and nobody told why"
    why += "; its message goes back to the broker" if start.acks_late else "; its message was already acknowledged"
    return Told(
        job=start.job, at=now, fate=Fate.LOST, reason=why, run=start.run, task=None, queue=None, worker=None,
        sent_at=None, root=None, parent=None, retries=None, returns=start.acks_late, error=None,
    )  # fmt: skip


def _known_positions(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    # Locked: the last COMMIT of a shipper that was killed may still be under way in the server, and is waited for.
    query = select(segments.c.name, segments.c.position).where(segments.c.name.in_(names)).with_for_update()
    return dict(connection.execute(query).all())


def _advance(connection: Connection, readings: Sequence[Reading]) -> None:
    """Move the positions on."""
    known = _known_positions(connection, [batch.segment for batch in readings])
    now = time.time()
    for batch in readings:
        position = known.get(batch.segment, 0)
        if position != batch.start:
            raise PositionMovedError(f"{batch.segment}: read from {batch.start}, the store is at {position}")
        values = {"name": batch.segment, "position": batch.end, "at": now}
        if batch.segment in known:
            connection.execute(update(segments).where(segments.c.name == batch.segment).values(values))
        else:
            connection.execute(insert(segments).values(values))


def _losses_of(readings: Iterable[Reading]) -> Iterable[Loss]:
    for batch in readings:
        if batch.damaged_bytes:
            yield Loss(batch.segment, "damaged in the spool", bytes=batch.damaged_bytes)
        if batch.unreadable:
            yield Loss(batch.segment, "written by another version", records=batch.unreadable)
        for _, record, _ in batch.records:
            if isinstance(record, Dropped):
                yield Loss(batch.segment, record.reason, records=record.records)


def _count(connection: Connection, host: str, lost: Sequence[Loss]) -> None:
    if lost:
        now = time.time()
        rows = [
            {"at": now, "host": host, "segment": loss.segment, "reason": loss.reason,
             "records": loss.records, "bytes": loss.bytes}
            for loss in lost
        ]  # fmt: skip
        connection.execute(insert(losses), rows)
