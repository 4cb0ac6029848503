"""Totals of jobs and runs: by task, by queue, by minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from monitor.job import CANARY, Event, Fate, Record
from monitor.spool import Reading
from monitor.store import totals, writes
from monitor.store.totals import EndedJob, EndedRun, Flow
from tests.monitor.events import ended, error, sent, started, told

if TYPE_CHECKING:
    from sqlalchemy import Engine


@pytest.fixture
def shop(store: Engine) -> Engine:
    """A store where, from 100 to 110, jobs succeeded, failed, expired and run, and a canary came back."""
    events: list[Event] = [
        *(sent("ok"), started("ok", run="p-1"), ended("ok", run="p-1", labels={"scenario_type": "transport"})),
        *(sent("bad"), started("bad", run="p-2"), ended("bad", run="p-2", fate=Fate.FAILED, error=error())),
        *(sent("late"), told("late", at=109.0, fate=Fate.EXPIRED)),
        *(sent("now"), started("now", run="p-3", at=108.0)),
        *(sent("bird", task=CANARY), started("bird", run="p-4", task=CANARY), ended("bird", run="p-4")),
    ]
    records: list[tuple[int, Record, bytes]] = [
        (at, event, msgspec.msgpack.encode(event)) for at, event in enumerate(events)
    ]
    writes.save(store, "alpha", [Reading("p-000001", 0, len(events), records)])
    return store


def test_runs_that_ended_are_told_with_their_labels(shop: Engine) -> None:
    """The window's end is not part of it, and canaries are nobody's runs."""
    transport = EndedRun("optimize", Fate.SUCCEEDED, run_s=2.0, wait_s=1.0, labels={"scenario_type": "transport"})

    found = list(totals.ended_runs(shop, 103.0, 104.0))

    assert sorted(found, key=lambda run: run.fate) == [EndedRun("optimize", Fate.FAILED, 2.0, 1.0, {}), transport]
    assert totals.ended_runs(shop, 100.0, 103.0) == []


def test_jobs_that_ended_are_told_with_or_without_a_run(shop: Engine) -> None:
    """A job that expired never ran, and is counted all the same."""
    found = totals.ended_jobs(shop, 100.0, 110.0)

    assert sorted(found, key=lambda job: job.fate) == [
        EndedJob("optimize", "optimization", Fate.EXPIRED, None),
        EndedJob("optimize", "optimization", Fate.FAILED, "ValueError"),
        EndedJob("optimize", "optimization", Fate.SUCCEEDED, None),
    ]


def test_the_flow_of_a_queue_is_what_arrived_and_what_ended(shop: Engine) -> None:
    """Four jobs were sent at 100, two runs ended at 103."""
    flows = [totals.flow(shop, 100.0, 103.0), totals.flow(shop, 103.0, 110.0), totals.flow(shop, 100.0, 110.0)]

    assert flows == [
        {"optimization": Flow(arrived=4, ended=0)},
        {"optimization": Flow(arrived=0, ended=2)},
        {"optimization": Flow(arrived=4, ended=2)},
    ]


def test_running_jobs_are_counted_by_queue(shop: Engine) -> None:
    """Only the one that has not ended."""
    assert totals.running_by_queue(shop) == {"optimization": 1}


def test_tasks_are_summed_up(shop: Engine) -> None:
    """By task: how many runs had which fate, how long they took and waited."""
    (summary,) = totals.tasks(shop, since=0.0)

    assert (summary.task, summary.fates) == ("optimize", {"failed": 1, "succeeded": 1})
    assert (summary.run_s, summary.wait_s) == ([2.0, 2.0], [1.0, 1.0])
