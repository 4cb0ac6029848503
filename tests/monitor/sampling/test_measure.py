"""One measurement a tick: kept once, and where it fails, a gap that is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from monitor.sample import Measured
from monitor.sampling import measure
from monitor.store.measured import latest_samples, notes_about

if TYPE_CHECKING:
    from sqlalchemy import Engine


def depth(at: float) -> Measured:
    """A sampler that finds the queue at 3."""
    measured = Measured()
    measured.add("JobQueueDepth", at, 3, QueueName="optimization")
    return measured


def failing(at: float) -> Measured:
    """A sampler whose subject is out of reach."""
    raise ConnectionError(f"no answer at {at:g}")


def hanging(at: float) -> Measured:
    """A sampler that Celery interrupts, since the next tick is due."""
    raise SoftTimeLimitExceeded(at)


def told(store: Engine) -> dict[str, tuple[float, object]]:
    """Return time and value of each metric's latest sample."""
    return {sample.metric: (sample.at, sample.value) for sample in latest_samples(store, since=0.0)}


def test_a_measurement_is_stamped_with_its_tick(store: Engine) -> None:
    """However late in its period it was taken: two workers that take it agree on its time."""
    measure(store, "queues", depth, period_s=15, now=104.9)

    found = told(store)

    assert found["JobQueueDepth"] == (90.0, 3.0)
    assert found["SamplerFailures"] == (90.0, 0.0)
    assert found["SamplerDuration"][0] == 90.0


def test_a_tick_that_several_take_is_kept_once(store: Engine) -> None:
    """Two beats, or a beat that was started again, send it twice."""
    for now in (91.0, 92.0):
        measure(store, "queues", depth, period_s=15, now=now)

    assert told(store)["JobQueueDepth"] == (90.0, 3.0)


def test_a_sampler_that_fails_leaves_a_gap_and_a_count(store: Engine) -> None:
    """No zero stands where nothing is known, and what went wrong is noted until it works again."""
    with pytest.raises(ConnectionError):
        measure(store, "queues", failing, period_s=15, now=104.9)

    found = told(store)
    (noted,) = notes_about(store, "sampler:")

    assert list(found) == ["SamplerFailures"]
    assert found["SamplerFailures"] == (90.0, 1.0)
    assert (noted.subject, noted.text) == ("sampler:queues", "ConnectionError: no answer at 90")


def test_a_sampler_that_hangs_is_counted_like_one_that_fails(store: Engine) -> None:
    """Beat gives each measuring no longer than its period."""
    with pytest.raises(SoftTimeLimitExceeded):
        measure(store, "queues", hanging, period_s=15, now=104.9)

    assert told(store) == {"SamplerFailures": (90.0, 1.0)}


def test_what_failed_is_forgotten_once_it_works(store: Engine) -> None:
    """The note ends with the fault."""
    with pytest.raises(ConnectionError):
        measure(store, "queues", failing, period_s=15, now=91.0)

    measure(store, "queues", depth, period_s=15, now=106.0)

    assert notes_about(store, "sampler:") == []
    assert told(store)["SamplerFailures"] == (105.0, 0.0)
