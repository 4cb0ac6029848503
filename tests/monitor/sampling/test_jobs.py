"""Jobs are measured by the minute, from the rows: what ended, why it failed, how long it took and waited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from monitor.job import Event, Fate, Record
from monitor.sample import RELATIVE_ERROR, Distribution, Measured, Sample
from monitor.sampling.jobs import CATCH_UP_S, MEASURED_UNTIL, sample_jobs
from monitor.spool import Reading
from monitor.store import writes
from monitor.store.measured import save_measured
from tests.monitor.events import ended, error, sent, started, told

if TYPE_CHECKING:
    from sqlalchemy import Engine

MINUTE = 6_000.0  # a minute's beginning
DUE = MINUTE + 70.0  # when it has closed, and its last events are in the store


def run(store: Engine, job: str, at: float, fate: Fate = Fate.SUCCEEDED, **more: object) -> None:
    """A job that waited 1 s and ran 2 s, until `at`."""
    events: list[Event] = [
        sent(job, at=at - 3, first_sent_at=at - 3),
        started(job, at=at - 2, run=f"p-{job}", sent_at=at - 3),
        ended(job, at=at, run=f"p-{job}", fate=fate, **more),
    ]
    save(store, job, events)


def save(store: Engine, segment: str, events: list[Event]) -> None:
    """Write events to the store."""
    records: list[tuple[int, Record, bytes]] = [
        (at, event, msgspec.msgpack.encode(event)) for at, event in enumerate(events)
    ]
    writes.save(store, "alpha", [Reading(segment, 0, len(events), records)])


def values(measured: Measured, metric: str) -> dict[tuple[str, ...], object]:
    """Return a metric's values by those of its dimensions."""
    return {
        tuple(value for _, value in sample.dimensions): sample.value
        for sample in measured.samples
        if sample.metric == metric
    }


def test_what_ended_in_a_minute_is_counted_by_task_and_fate(store: Engine) -> None:
    """Its first moment is part of it, the next minute's is not."""
    for job, at in (("before", MINUTE - 0.1), ("first", MINUTE), ("last", MINUTE + 59.9), ("after", MINUTE + 60)):
        run(store, job, at)
    run(store, "bad", MINUTE + 1, fate=Fate.FAILED, error=error())

    measured = sample_jobs(store, DUE)

    assert values(measured, "JobsFinished") == {("optimize", "succeeded"): 2.0, ("optimize", "failed"): 1.0}
    assert {sample.at for sample in measured.samples} == {MINUTE}


def test_failures_are_counted_by_queue_and_error(store: Engine) -> None:
    """What went wrong without an exception is named by its fate; what expired did not go wrong."""
    run(store, "bad", MINUTE + 1, fate=Fate.FAILED, error=error("InfeasibleScenario"))
    run(store, "worse", MINUTE + 2, fate=Fate.FAILED, error=error("InfeasibleScenario"))
    run(store, "lost", MINUTE + 3, fate=Fate.LOST)
    save(store, "late", [sent("late", at=MINUTE), told("late", at=MINUTE + 4, fate=Fate.EXPIRED, sent_at=MINUTE)])

    measured = sample_jobs(store, DUE)

    assert values(measured, "JobFailures") == {
        ("optimization", "InfeasibleScenario"): 2.0,
        ("optimization", "lost"): 1.0,
    }


def test_times_are_distributions_in_milliseconds(store: Engine) -> None:
    """By task, and for optimization runs by the type of their scenario."""
    run(store, "small", MINUTE + 1, run_s=0.01, labels={"scenario_type": "transport"})
    run(store, "large", MINUTE + 2, run_s=10.0, labels={"scenario_type": "transport"})
    run(store, "other", MINUTE + 3, run_s=1.0)

    measured = sample_jobs(store, DUE)

    (took,) = values(measured, "JobRunTime").values()
    (waited,) = values(measured, "JobWait").values()
    (solved,) = values(measured, "OptimizationDuration").items()
    assert isinstance(took, Distribution)
    assert isinstance(waited, Distribution)
    assert took.percentile(50) == pytest.approx(1_000, rel=RELATIVE_ERROR)
    assert waited.count == 3
    assert waited.percentile(100) == pytest.approx(1_000, rel=RELATIVE_ERROR)
    assert solved[0] == ("transport",)
    assert isinstance(solved[1], Distribution)
    assert solved[1].count == 2
    assert solved[1].percentile(100) == pytest.approx(10_000, rel=RELATIVE_ERROR)


def test_a_minute_is_measured_once_its_events_have_come_through_the_spool(store: Engine) -> None:
    """Not in its last seconds, nor right after."""
    run(store, "job", MINUTE + 1)

    assert values(sample_jobs(store, MINUTE + 69), "JobsFinished") == {}
    assert values(sample_jobs(store, MINUTE + 70), "JobsFinished") == {("optimize", "succeeded"): 1.0}


def test_minutes_that_nobody_measured_are_caught_up_with(store: Engine) -> None:
    """After ten minutes without a monitoring worker none of them is missing."""
    for minute in range(10):
        run(store, f"job{minute}", MINUTE + 60 * minute + 1)
    save_measured(store, sample_jobs(store, MINUTE + 10), MINUTE + 10)  # what was measured last, before the outage

    measured = sample_jobs(store, DUE + 9 * 60)

    assert [sample.at for sample in measured.samples if sample.metric == "JobsFinished"] == [
        MINUTE + 60 * minute for minute in range(10)
    ]


def test_catching_up_goes_on_tick_by_tick(store: Engine) -> None:
    """A busy day at once would take longer than a tick may, and begin anew for ever."""
    save_measured(store, sample_jobs(store, MINUTE + 10), MINUTE + 10)  # what was measured last, before the outage
    for minute in (0, 30, 60):
        run(store, f"job{minute}", MINUTE + 60 * minute + 1)

    found = []
    for tick in range(3):
        measured = sample_jobs(store, DUE + 60 * (60 + tick))
        save_measured(store, measured, DUE + 60 * (60 + tick))
        found.append([sample.at for sample in measured.samples if sample.metric == "JobsFinished"])

    assert found == [[MINUTE], [MINUTE + 60 * 30], [MINUTE + 60 * 60]]


def test_catching_up_has_an_end(store: Engine) -> None:
    """A monitor that was off for months starts with the last day."""
    save_measured(store, sample_jobs(store, MINUTE + 10), MINUTE + 10)
    run(store, "old", MINUTE + 1)

    measured = sample_jobs(store, DUE + CATCH_UP_S)

    assert values(measured, "JobsFinished") == {}
    assert [note.name for note in measured.notes] == [MEASURED_UNTIL]


def test_a_minute_in_which_nothing_ended_has_no_samples(store: Engine) -> None:
    """There is nothing to tell of it."""
    expected: list[Sample] = []

    assert sample_jobs(store, DUE).samples == expected
