"""Sparklines: a gap is a gap, zero is the lowest block, and the highest value of each step counts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from monitor.cli import sparklines
from monitor.cli.sparklines import BLOCKS, Point

MINUTE_S = 60.0
END = 600.0


def each_minute(*values: float | None) -> list[Point]:
    """Return points a minute apart, the last one at END; None is a minute without a point."""
    first = END - MINUTE_S * (len(values) - 1)
    return [(first + MINUTE_S * number, value) for number, value in enumerate(values) if value is not None]


def drawn(*values: float | None, from_zero: bool = True, least_top: float = 0.0) -> str:
    """Draw one point in each of so many cells."""
    span_s, cells = MINUTE_S * len(values), len(values)
    return sparklines.drawn(each_minute(*values), END, span_s, cells, from_zero=from_zero, least_top=least_top)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ((0.0, 0.0, 0.0), "▁▁▁"),
        ((5.0, 5.0, 5.0), "███"),
        ((0.0, None, None, 8.0), "▁  █"),
        ((None, 3.0, None), " █ "),
        ((None, None), "  "),
        ((0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), "▁▂▃▄▅▆▇█"),
        ((0.0, 1.0, 1_000.0), "▁▂█"),
    ],
)
def test_zero_is_the_lowest_block_and_nothing_is_a_blank(values: tuple[float | None, ...], line: str) -> None:
    """A gap is never a zero, and what is little is not drawn as nothing."""
    assert drawn(*values) == line


def test_the_axis_can_reach_higher_than_all_points() -> None:
    """So that a hundredth of a second of lateness does not look like a mountain."""
    assert drawn(0.01, 0.02, least_top=5.0) == "▂▂"
    assert drawn(0.01, 10.0, least_top=5.0) == "▂█"


def test_without_zero_what_hardly_changes_lies_in_the_middle() -> None:
    """And what grows by more than a tenth goes from the bottom to the top."""
    assert drawn(400.0, 401.0, 400.0, from_zero=False) == "▅▅▅"
    assert drawn(400.0, 430.0, 460.0, from_zero=False) == "▁▅█"
    assert drawn(0.0, 0.0, from_zero=False) == "▁▁"


def test_the_highest_value_of_a_step_counts() -> None:
    """A peak does not vanish because the terminal is narrow."""
    points = each_minute(1.0, 9.0, 0.0, 2.0)

    assert sparklines.highest(points, END, step_s=2 * MINUTE_S, cells=2) == [9.0, 2.0]


def test_what_lies_outside_the_span_is_left_out() -> None:
    """Neither points before it, nor those of a clock that is ahead."""
    points = [(END - 3 * MINUTE_S, 7.0), (END, 1.0), (END + 1.0, 9.0)]

    assert sparklines.highest(points, END, step_s=MINUTE_S, cells=3) == [None, None, 1.0]


@given(some.lists(some.none() | some.floats(0, 1e9), min_size=1, max_size=60))
def test_higher_values_have_no_lower_blocks(values: list[float | None]) -> None:
    """One block for each cell, a blank exactly where nothing is known, in the order of the values."""
    line = drawn(*values)

    assert len(line) == len(values)
    assert [block == " " for block in line] == [value is None for value in values]
    pairs = [(value, BLOCKS.index(block)) for value, block in zip(values, line, strict=True) if value is not None]
    assert all(lower[1] <= higher[1] for lower, higher in pairwise(sorted(pairs)))
