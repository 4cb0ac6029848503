"""Tables: on a terminal as many columns as there is room for, elsewhere all of them in plain lines."""

from __future__ import annotations

import pytest
from rich.text import Text

from monitor.cli import tables
from monitor.cli.tables import Line, Shape
from tests.monitor.cli.screens import plain, printed, terminal

SHAPE = Shape(
    ("name", "state", "waiting", "held"),
    numbers=frozenset({"waiting", "held"}),
    cut=frozenset({"name"}),
    spared=("held", tables.TREND, "waiting"),
)


def line(name: str = "exports", waiting: str = "12", held: str = "3", remark: str = "") -> Line:
    """A line with a sparkline, that says what it holds if it has no column for it."""
    cells = {"name": name, "state": "moving", "waiting": waiting, "held": held}
    row = {column: Text(text) for column, text in cells.items()}
    return Line(row, lambda cells: "▅" * cells, [Text(remark)] if remark else [], {"held": f"{held} held"})


def on_terminal(width: int, *lines: Line, with_trends: bool = True) -> list[str]:
    """Return what a terminal of that width shows."""
    console = terminal(width)
    tables.show(console, SHAPE, lines, with_trends=with_trends)
    return printed(console)


@pytest.mark.parametrize(("width", "cells"), [(44, 12), (47, 15), (52, 20), (91, 30), (92, 60)])
def test_a_sparkline_takes_the_room_there_is(width: int, cells: int) -> None:
    """In steps that divide an hour into whole minutes."""
    heading, row = on_terminal(width, line())

    assert heading.split() == ["name", "state", "waiting", "held", "last", "hour"]
    assert row.count("▅") == cells


def test_where_there_is_no_room_columns_go_and_are_told_below() -> None:
    """In the order that the table says; remarks stay."""
    heading, row, below, remark = on_terminal(40, line(remark="canary: lost"))
    narrowest = on_terminal(20, line())

    assert heading.split() == ["name", "state", "waiting", "last", "hour"]
    assert "▅" * 12 in row
    assert (below, remark) == ("  3 held", "  canary: lost")
    assert narrowest[0].split() == ["name", "state"]


def test_without_sparklines_there_is_no_column_for_them() -> None:
    """As was asked for."""
    assert on_terminal(200, line(), with_trends=False)[0].split() == ["name", "state", "waiting", "held"]


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """A long name is cut, a long remark folded and indented."""
    lines = on_terminal(width, line(), line(name="a" * 300, remark="why " * 60), line(name="日本" * 9))

    assert max(map(len, lines)) <= width
    assert all(text.startswith("  ") for text in lines if "why" in text)


def test_what_is_unknown_is_a_dash() -> None:
    """Neither a zero nor a blank; ASCII where programs read it."""
    console = plain()
    tables.show(console, SHAPE, [line(waiting="")], with_trends=False)

    assert on_terminal(100, line(waiting=""))[1].split()[:4] == ["exports", "moving", "–", "3"]
    assert printed(console)[1].split() == ["exports", "moving", "-", "3"]


def test_elsewhere_each_row_is_one_whole_line() -> None:
    """Nothing cut, nothing wrapped, remarks at the end; a sparkline only where it is asked for."""
    console = plain()
    tables.show(console, SHAPE, [line(), line(name="a" * 300, remark="lost")], with_trends=False)
    drawing = plain()
    tables.show(drawing, SHAPE, [line()], with_trends=True)

    heading, first, second = printed(console)
    assert heading.split() == ["name", "state", "waiting", "held", "remarks"]
    assert first.split() == ["exports", "moving", "12", "3"]
    assert second.split() == ["a" * 300, "moving", "12", "3", "lost"]
    assert heading.index("state") == first.index("moving") == second.index("moving")
    assert "▅" * 60 in printed(drawing)[1]
