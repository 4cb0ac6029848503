"""How a screen is laid out: headings, and rows in columns."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

GAP = 2


def head(console: Console, title: str, note: str = "") -> None:
    """Print a blank line and a section's heading."""
    console.print()
    console.print(Text.assemble((title, "bold"), "   " if note else "", (note, "dim")))


def columns(console: Console, rows: Sequence[Sequence[Text]]) -> None:
    """Print rows in columns: on a terminal the last column is folded, elsewhere each row is one line."""
    if not rows:
        return
    if console.is_terminal:
        grid = Table.grid(padding=(0, GAP, 0, 0))
        for at in range(len(rows[0])):
            is_last = at == len(rows[0]) - 1
            grid.add_column(no_wrap=not is_last, overflow="fold")
        for row in rows:
            grid.add_row(*row)
        console.print(grid)
        return
    for line in aligned([[cell.plain for cell in row] for row in rows]):
        console.print(line)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines with their columns aligned."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        lines.append((" " * GAP).join(cells).rstrip())
    return lines
