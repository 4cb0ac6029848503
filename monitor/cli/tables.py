"""Tables that fit: on a terminal the columns that it has room for, elsewhere all of them as aligned plain text."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.segment import SegmentLines
from rich.table import Table
from rich.text import Text

from monitor.cli import layout, words

TREND = "last hour"
REMARKS = "remarks"
UNKNOWN = Text("–", "dim")
INDENT = 2

# How wide a sparkline may be. All divide an hour into whole minutes.
CELLS = (12, 15, 20, 30, 60)

Row = Mapping[str, Text]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a table has, and what gives way where a terminal is too narrow for it."""

    columns: tuple[str, ...]
    numbers: frozenset[str] = frozenset()  # to the right
    cut: frozenset[str] = frozenset()  # whose ends may be cut
    spared: tuple[str, ...] = ()  # these go, in this order
    has_headings: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """One row, a cell of each column, empty where nothing is known; how it went; and what else is to be said of it."""

    row: Row
    trend: Callable[[int], str] | None = None  # draws a sparkline of so many cells
    remarks: Sequence[Text] = ()
    instead: Mapping[str, str] = field(default_factory=dict)  # by column, what is said below the row if that goes

    def told(self, cells: int, unknown: Text) -> Row:
        """Return its row with the sparkline, and with what is to be said where nothing is known."""
        row = {name: cell or unknown for name, cell in self.row.items()}
        return row | {TREND: Text(self.trend(cells) if self.trend else " " * cells)}


def show(console: Console, shape: Shape, lines: Sequence[Line], *, with_trends: bool) -> None:
    """Print the table; `with_trends` says whether sparklines are wanted."""
    columns = [*shape.columns, *([TREND] if with_trends else [])]
    if console.is_terminal:
        print_lines(console, rendered(console, shape, columns, lines))
    else:
        _print_plain(console, [*columns, REMARKS], lines, has_headings=shape.has_headings)


def rendered(
    console: Console, shape: Shape, columns: Sequence[str], lines: Sequence[Line]
) -> list[list[RenderableType]]:
    """Return what is printed for the headings, if there are any, and for each line."""
    rows = [line.told(CELLS[0], UNKNOWN) for line in lines]
    fitting = fitted(console, shape, columns, rows)
    if TREND in fitting:
        room = CELLS[0] + console.width - width_of(console, made(shape, fitting, rows))
        cells = max((number for number in CELLS if number <= room), default=CELLS[0])
        rows = [line.told(cells, UNKNOWN) for line in lines]
    heading_and_rows = console.render_lines(made(shape, fitting, rows), pad=False)
    headings = heading_and_rows[: -len(rows) or None]
    blocks: list[list[RenderableType]] = [[SegmentLines(headings, new_lines=True)]] if headings else []
    for line, row in zip(lines, heading_and_rows[len(headings) :], strict=True):
        below = (Padding(text, (0, 0, 0, INDENT)) for text in _below(line, fitting))
        blocks.append([SegmentLines([row], new_lines=True), *below])
    return blocks


def print_lines(console: Console, blocks: Sequence[Sequence[RenderableType]]) -> None:
    """Print what was rendered."""
    for block in blocks:
        for part in block:
            console.print(part, end="" if isinstance(part, SegmentLines) else "\n")


def fitted(console: Console, shape: Shape, columns: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Return the columns that the terminal has room for."""
    fitting, spared = list(columns), [name for name in shape.spared if name in columns]
    while spared and width_of(console, made(shape, fitting, rows)) > console.width:
        fitting.remove(spared.pop(0))
    return fitting


def width_of(console: Console, table: Table) -> int:
    """Return how wide a table wants to be."""
    unbounded = console.options.update(width=10_000)
    return Measurement.get(console, unbounded, table).maximum


def made(shape: Shape, columns: Sequence[str], rows: Sequence[Row]) -> Table:
    """Return a table in which each row is one line."""
    gap = (0, layout.GAP // 2)
    table = Table(box=None, pad_edge=False, padding=gap, header_style="dim", show_header=shape.has_headings)
    for name in columns:
        table.add_column(name, justify="right" if name in shape.numbers else "left", no_wrap=name not in shape.cut)
    for row in rows:
        table.add_row(*(on_one_line(row[name]) for name in columns))
    return table


def on_one_line(cell: Text) -> Text:
    """Return a text that is cut where it does not fit."""
    one = cell.copy()
    one.no_wrap, one.overflow = True, "ellipsis"
    return one


def _below(line: Line, fitting: Sequence[str]) -> Iterator[Text]:
    said = [text for name, text in line.instead.items() if text and name not in fitting]
    if said:
        yield Text(", ".join(said), "dim")
    yield from line.remarks


def _print_plain(console: Console, columns: Sequence[str], lines: Sequence[Line], *, has_headings: bool) -> None:
    rows = [list(columns)] if has_headings else []
    for line in lines:
        told = {**line.told(CELLS[-1], Text(words.NOTHING)), REMARKS: Text("; ").join(line.remarks)}
        rows.append([told[name].plain for name in columns])
    for text in layout.aligned(rows):
        console.print(text)
