"""Series: a value is known until three measurings were missed, and then it is not known any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.cli.series import Measurements, Series, read
from monitor.sample import Distribution, Sample
from tests.monitor.cli.measured import NOW, queue, series

if TYPE_CHECKING:
    from sqlalchemy import Engine

DEPTH = "JobQueueDepth"
EXPORTS = (("QueueName", "exports"),)


def measured(*ages_s: float, metric: str = DEPTH) -> Series:
    """A series with samples of these ages, oldest first."""
    return Series(metric, EXPORTS, [Sample(metric, EXPORTS, NOW - age_s, 3.0) for age_s in ages_s], NOW)


@pytest.mark.parametrize(
    ("ages_s", "is_current"),
    [
        ((60, 45, 30, 15), True),
        ((90, 75, 60, 45), True),
        ((91, 76, 61, 46), False),
        ((230, 170, 110), True),
        ((301, 241, 181), False),
        ((100,), True),
        ((200,), False),
        ((7_000, 3_500), False),
        ((-5,), True),
    ],
)
def test_three_missed_measurings_make_a_value_unknown(ages_s: tuple[float, ...], is_current: bool) -> None:  # noqa: FBT001
    """How often it is measured shows in the series itself; one of a clock that is ahead is of now."""
    assert measured(*ages_s).is_current is is_current


def test_what_happened_in_a_minute_is_not_known_of_the_next() -> None:
    """Where nothing failed there is no sample, so that gaps tell no period."""
    assert measured(2_000, 1_700, 250).is_current
    assert not measured(2_000, 1_700, 250, metric="JobFailures").is_current


def test_a_sparkline_ends_with_the_latest_sample_as_long_as_that_is_known() -> None:
    """The next one is on its way; but where none came for long, that is a gap at the end."""
    recent = Series(DEPTH, EXPORTS, [Sample(DEPTH, EXPORTS, NOW - 59 - 60 * ago, 3.0) for ago in (1, 0)], NOW)

    assert recent.sparkline(600.0, 10) == " " * 8 + "██"
    assert measured(360, 300).sparkline(600.0, 10) == "   ██     "


def test_memory_is_drawn_by_its_changes_and_a_distribution_by_its_percentile() -> None:
    """A leak shows, although it is small beside what a worker needs."""
    leak = [Sample("MemoryUsage", EXPORTS, NOW - 60 * ago, 500.0 - 20 * ago) for ago in (3, 2, 1, 0)]
    times = [Sample("JobRunTime", EXPORTS, NOW - 60 * ago, Distribution.of([ms])) for ago, ms in ((1, 10), (0, 80))]
    none = Sample("JobRunTime", EXPORTS, NOW - 120, Distribution.of([]))

    assert Series("MemoryUsage", EXPORTS, leak, NOW).sparkline(240.0, 4) == "▁▄▆█"
    assert Series("JobRunTime", EXPORTS, [none, *times], NOW).sparkline(180.0, 3) == " ▂█"


def test_what_was_not_told_with_a_tick_is_not_known_of_it(store: Engine) -> None:
    """A value of another time is not taken for one of this."""
    queue(store, "exports", [1.0, 2.0])
    series(store, "JobsHeld", {NOW - 15: 7.0}, QueueName="imports")

    found = Measurements(read(store, NOW, 60.0, [DEPTH, "JobsHeld"]))

    assert (found.at(DEPTH, "exports", NOW), found.at(DEPTH, "exports", NOW - 15)) == (2.0, None)
    assert found.at("JobsHeld", "imports", NOW) is None
    assert found.series(DEPTH, "imports") is None
