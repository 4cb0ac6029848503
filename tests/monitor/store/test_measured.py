"""Samples, notes and leases in the store: kept once, with their since, and forgotten in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.lease import BeatState, Lease, Role
from monitor.sample import Distribution, Measured, Sample
from monitor.store import measured as kept

if TYPE_CHECKING:
    from sqlalchemy import Engine

QUEUE = (("QueueName", "optimization"),)


def depth(at: float, value: float) -> Measured:
    """One sample of a queue's depth."""
    measured = Measured()
    measured.add("JobQueueDepth", at, value, QueueName="optimization")
    return measured


def noted(text: str | None) -> Measured:
    """One note about the broker."""
    measured = Measured()
    measured.note("broker", "eviction policy", text)
    return measured


def lease(process: str = "one", renewed_at: float = 100.0, **more: object) -> Lease:
    """A beat's lease."""
    fields: dict[str, object] = {"role": Role.BEAT, "name": "beat@alpha", "host": "alpha", "pid": 7, "period_s": 5.0}
    return Lease(**fields | {"process": process, "started_at": 90.0, "renewed_at": renewed_at} | more)  # type: ignore[arg-type]


def test_a_repeated_measurement_adds_nothing(store: Engine) -> None:
    """Two beats, or two workers, that measure one tick leave one sample: the first."""
    for value in (3, 4):
        kept.save_measured(store, depth(at=100.0, value=value), at=100.5)

    assert kept.latest_samples(store, since=0.0) == [Sample("JobQueueDepth", QUEUE, 100.0, 3.0)]


def test_series_are_told_apart_and_in_order(store: Engine) -> None:
    """By metric and dimensions, oldest first, from a time on."""
    for at in (130.0, 100.0, 115.0):
        kept.save_measured(store, depth(at, at), at)

    found = kept.series_since(store, since=115.0, metrics=["JobQueueDepth"])

    assert [sample.at for sample in found["JobQueueDepth", QUEUE]] == [115.0, 130.0]
    assert kept.series_since(store, since=0.0, metrics=["BrokerLatency"]) == {}


def test_a_distribution_comes_back_as_it_was(store: Engine) -> None:
    """Its buckets and counts are kept, not a mean."""
    distribution = Distribution.of([1.0, 1.0, 250.0])
    measured = Measured()
    measured.add("JobRunTime", 60.0, distribution, Task="optimize")

    kept.save_measured(store, measured, at=70.0)

    (sample,) = kept.latest_samples(store, since=0.0)
    assert sample.value == distribution


def test_a_note_knows_since_when_it_says_the_same(store: Engine) -> None:
    """Said again, it only is newer; another text begins anew, and none ends it."""
    seen = []
    for at, text in ((10.0, "noeviction"), (20.0, "noeviction"), (30.0, "allkeys-lru"), (40.0, None)):
        kept.save_measured(store, noted(text), at)
        seen.append([(note.text, note.since, note.at) for note in kept.notes_about(store, "broker")])

    assert seen == [
        [("noeviction", 10.0, 10.0)],
        [("noeviction", 10.0, 20.0)],
        [("allkeys-lru", 30.0, 30.0)],
        [],
    ]


def test_each_life_of_a_name_has_a_lease_and_the_latest_counts(store: Engine) -> None:
    """A beat that was started again is the same name and another process."""
    state = BeatState(tick_age_s=0.5, entries={"prune": "daily"}, code_version="v1", celery="5.7", python="3.11")
    kept.renew_lease(store, lease("one", renewed_at=100.0))
    kept.renew_lease(store, lease("one", renewed_at=105.0, state=state))
    kept.renew_lease(store, lease("two", renewed_at=120.0, started_at=119.0))

    assert [found.process for found in kept.leases_since(store, since=0.0)] == ["one", "two"]
    assert kept.leases_since(store, since=0.0)[0].state == state
    assert [found.process for found in kept.current_leases(store, Role.BEAT)] == ["two"]
    assert kept.current_leases(store, Role.WORKER) == []


@pytest.mark.parametrize(("now", "is_fresh"), [(104.0, True), (115.0, True), (116.0, False)])
def test_a_lease_is_fresh_until_three_renewals_are_missed(now: float, is_fresh: bool) -> None:  # noqa: FBT001
    """Whoever said goodbye is not fresh either."""
    assert lease(renewed_at=100.0).is_fresh(now) is is_fresh
    assert not lease(renewed_at=100.0, goodbye_at=100.0).is_fresh(now)


def test_what_is_old_is_forgotten(store: Engine) -> None:
    """Samples with their series, leases, and notes that nobody says any more."""
    for at in (100.0, 200_000.0):
        kept.save_measured(store, depth(at, 1), at)
    kept.save_measured(store, noted("noeviction"), at=100.0)
    kept.renew_lease(store, lease(renewed_at=100.0))

    kept.prune_measured(store, older_than_days=2, now=200_000.0)

    assert [sample.at for sample in kept.latest_samples(store, since=0.0)] == [200_000.0]
    assert kept.notes_about(store) == []
    assert kept.current_leases(store) == []
