"""What is measured, in the store: samples by series, notes with their since, leases. Written and read here.

Readers give None or nothing where nothing is known: a gap is a gap, never a zero.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, RowMapping, Table, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from monitor.lease import BeatState, Lease, Role, WorkerState
from monitor.sample import Distribution, Measured, Note, Sample
from monitor.store.faults import reading, writing
from monitor.store.tables import leases, notes, samples, series

_of_worker = msgspec.json.Decoder(WorkerState).decode
_of_beat = msgspec.json.Decoder(BeatState).decode
_of_distribution = msgspec.json.Decoder(Distribution).decode


@dataclass(frozen=True, slots=True)
class Noted:
    """A note, since when its text has been the same, and when it was last said; Unix seconds."""

    subject: str
    name: str
    text: str
    since: float
    at: float


def save_measured(engine: Engine, measured: Measured, at: float) -> None:
    """Write samples and notes in one transaction; what is there already adds nothing.

    Raises:
        StoreError: when the store cannot be used.

    """
    with writing(engine) as connection:
        save_samples(connection, measured.samples)
        for note in measured.notes:
            _save_note(connection, note, at)


def save_samples(connection: Connection, told: Sequence[Sample]) -> None:
    """Write samples within somebody else's transaction; those of the same series and time add nothing."""
    if not told:
        return
    ids = _series_ids(connection, {(sample.metric, _written(sample)) for sample in told})
    rows = [
        {"series": ids[sample.metric, _written(sample)], "at": sample.at, **_value(sample.value)} for sample in told
    ]
    connection.execute(_insert(connection, samples).on_conflict_do_nothing(), rows)


def series_since(
    engine: Engine, since: float, metrics: Iterable[str] | None = None
) -> dict[tuple[str, tuple[tuple[str, str], ...]], list[Sample]]:
    """Return the samples since then by metric and dimensions, oldest first; of all metrics, or of these."""
    query = (
        select(series.c.metric, series.c.dimensions, samples.c.at, samples.c.value, samples.c.distribution)
        .join(series, series.c.id == samples.c.series)
        .where(samples.c.at >= since)
        .order_by(series.c.metric, series.c.dimensions, samples.c.at)
    )
    if metrics is not None:
        query = query.where(series.c.metric.in_(list(metrics)))
    found: dict[tuple[str, tuple[tuple[str, str], ...]], list[Sample]] = {}
    with reading(engine) as connection:
        for row in connection.execute(query):
            told = _sample(row)
            found.setdefault((told.metric, told.dimensions), []).append(told)
    return found


def latest_samples(engine: Engine, since: float, metrics: Iterable[str] | None = None) -> list[Sample]:
    """Return the latest sample of each series that has one since then."""
    return [its_own[-1] for its_own in series_since(engine, since, metrics).values()]


def notes_about(engine: Engine, subject_prefix: str = "") -> list[Noted]:
    """Return what is noted about the subjects that begin so, by subject and name."""
    query = (
        select(notes.c.subject, notes.c.name, notes.c.text, notes.c.since, notes.c.at)
        .where(notes.c.subject.startswith(subject_prefix, autoescape=True))
        .order_by(notes.c.subject, notes.c.name)
    )
    with reading(engine) as connection:
        return [Noted(*row) for row in connection.execute(query)]


def renew_lease(engine: Engine, lease: Lease) -> None:
    """Write a lease over the one that the same process wrote before."""
    values = {name: getattr(lease, name) for name in Lease.__struct_fields__ if name not in {"role", "state"}}
    values |= {"role": lease.role.value, "state": msgspec.json.encode(lease.state).decode() if lease.state else None}
    with writing(engine) as connection:
        _upsert(connection, leases, [values], ["role", "name", "process"])


def current_leases(engine: Engine, role: Role | None = None) -> list[Lease]:
    """Return the latest lease of each name, whether it is fresh or not, by role and name."""
    latest: dict[tuple[Role, str], Lease] = {}
    for lease in leases_since(engine, 0.0, role):
        latest[lease.role, lease.name] = lease
    return [latest[key] for key in sorted(latest)]


def leases_since(engine: Engine, since: float, role: Role | None = None) -> list[Lease]:
    """Return all leases that were renewed since then, in order of their processes' start."""
    query = select(leases).where(leases.c.renewed_at >= since).order_by(leases.c.started_at)
    if role:
        query = query.where(leases.c.role == role.value)
    with reading(engine) as connection:
        return [_lease(row) for row in connection.execute(query).mappings()]


def forget_leases(engine: Engine, role: Role, name: str) -> int:
    """Forget a worker or beat that is gone on purpose; return how many leases that were."""
    with writing(engine) as connection:
        gone = connection.execute(delete(leases).where(leases.c.role == role.value, leases.c.name == name))
        return gone.rowcount


def clock(engine: Engine) -> float:
    """Return the time of the store's own clock in Unix seconds; of SQLite, which has none, the host's."""
    if engine.dialect.name != "postgresql":
        return time.time()
    with reading(engine) as connection:
        return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())


def prune_measured(engine: Engine, older_than_days: int, now: float | None = None) -> None:
    """Delete the samples and leases that are older than that, and notes that nobody has said again since."""
    before = (time.time() if now is None else now) - older_than_days * 86_400
    with writing(engine) as connection:
        connection.execute(delete(samples).where(samples.c.at < before))
        has_samples = select(samples.c.series).where(samples.c.series == series.c.id).exists()
        connection.execute(delete(series).where(~has_samples))
        connection.execute(delete(leases).where(leases.c.renewed_at < before))
        connection.execute(delete(notes).where(notes.c.at < before))


def _series_ids(connection: Connection, keys: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    rows = [{"metric": metric, "dimensions": dimensions} for metric, dimensions in sorted(keys)]
    connection.execute(_insert(connection, series).on_conflict_do_nothing(), rows)
    found = connection.execute(
        select(series.c.metric, series.c.dimensions, series.c.id).where(series.c.metric.in_({key[0] for key in keys}))
    )
    return {(metric, dimensions): id_ for metric, dimensions, id_ in found}


def _save_note(connection: Connection, note: Note, at: float) -> None:
    this = (notes.c.subject == note.subject) & (notes.c.name == note.name)
    if note.text is None:
        connection.execute(delete(notes).where(this))
        return
    same = connection.execute(update(notes).where(this, notes.c.text == note.text).values(at=at))
    if not same.rowcount:
        row = {"subject": note.subject, "name": note.name, "text": note.text, "since": at, "at": at}
        _upsert(connection, notes, [row], ["subject", "name"])


def _value(value: float | Distribution) -> Mapping[str, float | str | None]:
    if isinstance(value, Distribution):
        return {"value": None, "distribution": msgspec.json.encode(value).decode()}
    return {"value": value, "distribution": None}


def _written(sample: Sample) -> str:
    return json.dumps(sample.dimensions, separators=(",", ":"))


def _sample(row: Any) -> Sample:
    value = _of_distribution(row.distribution) if row.distribution is not None else row.value
    return Sample(row.metric, _dimensions(row.dimensions), row.at, value)


@lru_cache(maxsize=10_000)  # an hour of one series has the same ones 240 times
def _dimensions(written: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in json.loads(written))


def _lease(row: RowMapping) -> Lease:
    fields = {str(name): value for name, value in row.items()}
    role = Role(str(fields.pop("role")))
    written = fields.pop("state")
    decode = _of_worker if role is Role.WORKER else _of_beat
    state = decode(str(written)) if written else None
    return Lease(role=role, state=state, **fields)


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return the database's own INSERT, which knows what to do about rows that are there already."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def _upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]], key: Sequence[str]) -> None:
    statement = _insert(connection, table)
    others = {name: statement.excluded[name] for name in rows[0] if name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=others), list(rows))
