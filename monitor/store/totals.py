"""Figures told from the rows of jobs and runs: how many, how long, by task, queue and fate.

The monitor's own jobs are left out everywhere here.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, Table, func, select

from monitor.job import OWN, Fate
from monitor.store.faults import reading
from monitor.store.tables import jobs, runs


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """What became of the runs of one task: counts by fate, and the run time and wait of each run in seconds."""

    task: str
    fates: dict[str, int]
    run_s: list[float]
    wait_s: list[float]


@dataclass(frozen=True, slots=True)
class EndedRun:
    """One run that ended, as far as it is measured. Labels are what the job said it is about."""

    task: str
    fate: Fate
    run_s: float | None
    wait_s: float | None
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class EndedJob:
    """One job that ended; `error` is the class of what it raised, where it raised anything."""

    task: str
    queue: str | None
    fate: Fate
    error: str | None


@dataclass(frozen=True, slots=True)
class Flow:
    """How many jobs arrived in a queue, and how many of its runs ended, within some time."""

    arrived: int
    ended: int


def tasks(engine: Engine, since: float) -> list[TaskSummary]:
    """Return what became of the runs that ended since then, by task."""
    query = select(runs.c.task, runs.c.fate, runs.c.run_s, runs.c.wait_s).where(
        runs.c.ended_at >= since, ~_is_own(runs)
    )
    found: dict[str, TaskSummary] = {}
    with reading(engine) as connection:
        for task, fate, run_s, wait_s in connection.execute(query):
            name = task or "unknown"
            summary = found.setdefault(name, TaskSummary(name, {}, [], []))
            summary.fates[fate] = summary.fates.get(fate, 0) + 1
            summary.run_s.extend([run_s] if run_s is not None else [])
            summary.wait_s.extend([wait_s] if wait_s is not None else [])
    return sorted(found.values(), key=lambda summary: summary.task)


def ended_runs(engine: Engine, since: float, until: float) -> Iterable[EndedRun]:
    """Return the runs that ended in [since, until)."""
    query = select(runs.c.task, runs.c.fate, runs.c.run_s, runs.c.wait_s, runs.c.labels).where(
        runs.c.ended_at >= since, runs.c.ended_at < until, ~_is_own(runs)
    )
    with reading(engine) as connection:
        return [
            EndedRun(task or "unknown", Fate(fate), run_s, wait_s, json.loads(labels) if labels else {})
            for task, fate, run_s, wait_s, labels in connection.execute(query)
        ]


def ended_jobs(engine: Engine, since: float, until: float) -> Iterable[EndedJob]:
    """Return the jobs that ended in [since, until)."""
    query = select(jobs.c.task, jobs.c.queue, jobs.c.fate, jobs.c.error).where(
        # A job that ended changed then or later, and that is what there is an index of.
        jobs.c.changed_at >= since,
        jobs.c.ended_at >= since,
        jobs.c.ended_at < until,
        jobs.c.fate.is_not(None),
        ~_is_own(jobs),
    )
    with reading(engine) as connection:
        return [
            EndedJob(task or "unknown", queue, Fate(fate), error)
            for task, queue, fate, error in connection.execute(query)
        ]


def flow(engine: Engine, since: float, until: float) -> dict[str, Flow]:
    """Return what arrived in each queue and ended in [since, until)."""
    arrived = (
        select(jobs.c.queue, func.count())
        .where(jobs.c.changed_at >= since, jobs.c.sent_at >= since, jobs.c.sent_at < until, ~_is_own(jobs))
        .group_by(jobs.c.queue)
    )
    ended = (
        select(runs.c.queue, func.count())
        .where(runs.c.ended_at >= since, runs.c.ended_at < until, ~_is_own(runs))
        .group_by(runs.c.queue)
    )
    with reading(engine) as connection:
        counts: list[dict[str | None, int]] = [dict(connection.execute(query).all()) for query in (arrived, ended)]
    return {
        queue: Flow(counts[0].get(queue, 0), counts[1].get(queue, 0))
        for queue in {*counts[0], *counts[1]}
        if queue is not None
    }


def running_by_queue(engine: Engine) -> dict[str, int]:
    """Return how many jobs run now, by queue."""
    query = select(runs.c.queue, func.count()).where(runs.c.fate.is_(None), ~_is_own(runs)).group_by(runs.c.queue)
    with reading(engine) as connection:
        return {queue: count for queue, count in connection.execute(query) if queue is not None}


def _is_own(table: Table) -> ColumnElement[bool]:
    return func.coalesce(table.c.task, "").in_(OWN)
