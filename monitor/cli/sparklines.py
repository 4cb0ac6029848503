"""Sparklines: how a number went in the course of time, drawn within one line of text."""

import math
from collections.abc import Iterable, Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
GAP = " "

# Where the axis does not begin at zero it spans at least this part of the highest value: noise stays small.
LEAST_SPAN = 0.1

Point = tuple[float, float]  # when, in Unix seconds, and how much
Value = float | None


def drawn(  # noqa: PLR0913 (what is drawn, and how, all by name)
    points: Iterable[Point],
    end: float,
    span_s: float,
    cells: int,
    *,
    from_zero: bool = True,
    least_top: float = 0.0,
) -> str:
    """Return the points of the time before `end` in so many blocks; where there is no point there is a gap.

    The axis begins at zero, unless only changes matter, and reaches up to the highest point and to `least_top`.
    """
    values = highest(points, end, span_s / cells, cells)
    known = [value for value in values if value is not None]
    if not known:
        return GAP * cells
    low, high = (min(0.0, *known), max(least_top, *known)) if from_zero else _changes(known)
    return "".join(GAP if value is None else BLOCKS[_level(value, low, high)] for value in values)


def highest(points: Iterable[Point], end: float, step_s: float, cells: int) -> Sequence[Value]:
    """Return the highest value of each step, oldest first; None where nothing is known. A step includes its end."""
    values: list[Value] = [None] * cells
    for at, value in points:
        steps_ago = int((end - at) // step_s)
        if at <= end and steps_ago < cells:
            known = values[-1 - steps_ago]
            values[-1 - steps_ago] = value if known is None else max(known, value)
    return values


def _changes(known: Sequence[float]) -> tuple[float, float]:
    """Return an axis for what hardly changes: that lies in its middle."""
    low, high = min(known), max(known)
    margin = max(0.0, LEAST_SPAN * abs(high) - (high - low)) / 2
    return low - margin, high + margin


def _level(value: float, low: float, high: float) -> int:
    """Return a block's number: the lowest is for the bottom of the axis alone, so that 1 of 1,000 is no 0."""
    return math.ceil((value - low) / (high - low) * (len(BLOCKS) - 1)) if value > low else 0
