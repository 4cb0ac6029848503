"""What happens to the rows of jobs and runs when events arrive: each job's life is told anew, from all its events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from monitor.job import Ended, Event, Fate, Job, Run, Started
from monitor.life import life_of
from monitor.store import bulk, history
from monitor.store.tables import jobs, runs

Told = list[tuple[Event, bytes]]  # events with the bytes they were written as

_LOCK = 7_235_022  # any number, the same for all: see _alone


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of a job."""

    events: bytes
    forgotten_runs: int


def tell(connection: Connection, told: Mapping[str, Told]) -> None:
    """Tell the lives of these jobs anew, with what is new of each."""
    if not told:
        return
    _alone(connection)
    known = known_jobs(connection, list(told))
    job_rows: list[bulk.Row] = []
    run_rows: list[bulk.Row] = []
    for id_, news in told.items():
        its_own = known.get(id_)
        if its_own is None:
            events, forgotten_runs = [event for event, _ in news], 0
            kept = history.join([body for _, body in news])
        else:
            kept = history.extend(its_own.events, [body for _, body in news])
            kept, events, forgotten_runs = _bounded(kept, its_own.forgotten_runs)
        job, its_runs = life_of(id_, events)
        job_rows.append(_job_row(job, kept, forgotten_runs))
        run_rows.extend([_run_row(run) for run in its_runs])
    bulk.replace(connection, runs, run_rows, has_old=bool(known))
    bulk.replace(connection, jobs, job_rows, has_old=bool(known))


def known_jobs(connection: Connection, ids: list[str]) -> dict[str, Known]:
    """Return what the store knows of these jobs, by id."""
    found = bulk.about(connection, "SELECT id, events, forgotten_runs FROM monitor_jobs WHERE id", ids)
    return {id_: Known(events, forgotten_runs) for id_, events, forgotten_runs in found}


def _alone(connection: Connection) -> None:
    """Keep other hosts' shippers from telling the same job's life at the same time, each without the other's events.

    SQLite lets one write at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


def _bounded(kept: bytes, forgotten_runs: int) -> tuple[bytes, list[Event], int]:
    """Return a history within its bound, its events, and how many runs are no longer among them."""
    events = history.decode(kept)
    if len(events) <= history.MOST_EVENTS:
        return kept, events, forgotten_runs
    kept = history.shorten(kept)
    fewer = history.decode(kept)
    return kept, fewer, forgotten_runs + len(_runs(events) - _runs(fewer))


def _runs(events: Sequence[Event]) -> set[str]:
    return {event.run for event in events if type(event) is Started or type(event) is Ended}


def _job_row(job: Job, kept: bytes, forgotten_runs: int) -> tuple[Any, ...]:
    return (
        job.id,
        job.task,
        job.queue,
        job.worker,
        _written(job.fate),
        job.error,
        job.fingerprint,
        job.version,
        job.entry,
        job.root if job.root != job.id else None,
        job.sent_at,
        job.due_at,
        job.started_at,
        job.ended_at,
        job.changed_at,
        job.open_runs,
        forgotten_runs,
        kept,
    )


def _run_row(run: Run) -> tuple[Any, ...]:
    return (
        run.id,
        run.job,
        run.task,
        run.queue,
        run.worker,
        run.version,
        run.started_at,
        run.ended_at,
        run.wait_s,
        run.run_s,
        run.cpu_s,
        run.grew_bytes,
        _written(run.fate),
        run.error,
        run.fingerprint,
        run.labels,
    )


def _written(fate: Fate | None) -> str | None:
    return None if fate is None else fate.value  # drivers would store the member's name
