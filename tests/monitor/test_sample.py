"""Samples are checked against METRICS; distributions keep percentiles within their error."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sample import METRICS, RELATIVE_ERROR, Distribution, Measured, Rollup, Unit

# The six of the platform's first monitor, which its dashboards and alarms know.
USERS_SIX = {
    "OptimizationDuration": (Unit.MILLISECONDS, ("ScenarioType",)),
    "JobQueueDepth": (Unit.COUNT, ("QueueName",)),
    "JobFailures": (Unit.COUNT, ("JobType", "ErrorCode")),
}
TIMES_MS = st.lists(st.floats(min_value=0.001, max_value=1e8), min_size=1, max_size=200)


@pytest.mark.parametrize("name", USERS_SIX)
def test_the_metrics_that_dashboards_know_keep_their_unit_and_dimensions(name: str) -> None:
    """A renamed one would leave them empty."""
    assert (METRICS[name].unit, METRICS[name].dimensions) == USERS_SIX[name]


@pytest.mark.parametrize("name", ["DatabaseConnections", "MemoryUsage"])
def test_metrics_that_were_known_without_dimensions_are_rolled_up(name: str) -> None:
    """They are published for each database and worker, and for all together."""
    assert METRICS[name].rollup is not None


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_every_metric_says_what_it_means(metric: object) -> None:
    """Distributions are merged, never added up."""
    assert metric.meaning  # type: ignore[attr-defined]
    assert metric.rollup in {None, *Rollup}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("metric", "value", "dimensions", "fault"),
    [
        ("JobQueueDeph", 1, {}, "a metric that METRICS names, got 'JobQueueDeph'"),
        ("JobQueueDepth", 1, {"Queue": "a"}, "JobQueueDepth with dimensions ('QueueName',), got ('Queue',)"),
        ("BrokerLatency", math.nan, {}, "a finite value of BrokerLatency, got nan"),
    ],
)
def test_a_sample_that_metrics_does_not_know_is_refused(
    metric: str, value: float, dimensions: dict[str, str], fault: str
) -> None:
    """What no table lists would be in no alarm and on no page."""
    with pytest.raises(ValueError, match="expected") as raised:
        Measured().add(metric, 0.0, value, **dimensions)

    assert fault in str(raised.value)


def test_what_cannot_be_told_is_no_sample() -> None:
    """A gap is a gap, never a zero."""
    measured = Measured()

    measured.add("BrokerLatency", 0.0, None)

    assert measured.samples == []


@given(values=TIMES_MS, percent=st.floats(min_value=0, max_value=100))
def test_a_percentile_is_within_the_relative_error(values: list[float], percent: float) -> None:
    """Against the value at that rank of the sorted list."""
    exact = sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]

    told = Distribution.of(values).percentile(percent)

    assert told == pytest.approx(exact, rel=RELATIVE_ERROR * 1.000001)


@given(values=TIMES_MS, others=TIMES_MS)
def test_merged_distributions_are_that_of_all_values(values: list[float], others: list[float]) -> None:
    """Buckets are the same everywhere, so that minutes and workers can be put together."""
    assert Distribution.of(values).merged(Distribution.of(others)) == Distribution.of(values + others)


def test_zeros_and_negative_values_have_a_bucket_of_their_own() -> None:
    """A clock that was set back makes a negative wait; it counts as none."""
    assert Distribution.of([0.0, -5.0, 1.0]).percentile(50) == 0.0


def test_a_percentile_of_nothing_is_refused() -> None:
    """There is no such value."""
    with pytest.raises(ValueError, match="expected values"):
        Distribution.of([]).percentile(50)
