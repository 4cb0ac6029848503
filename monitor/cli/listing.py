"""The list of jobs: a calm table on a terminal, aligned plain text elsewhere."""

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.segment import SegmentLines
from rich.table import Table
from rich.text import Text

from monitor.cli import layout, words
from monitor.job import Job

COLUMNS = ("id", "task", "state", "queue", "worker", "waited", "ran", "runs", "when", "why")
NUMBERS = frozenset({"waited", "ran", "runs", "when"})

# Where the terminal is too narrow for all columns these go, in this order.
SPARED = ("worker", "queue", "waited", "runs")
LONGEST_TASK = 32
ROOM_FOR_WHY = 40

Row = Mapping[str, Text]


def show(console: Console, jobs: Sequence[Job], ids: Mapping[str, str], now: float) -> None:
    """Print the jobs; `ids` holds the short ids of those that have one."""
    is_plain = not console.is_terminal
    rows = [_row(words.safely(job), ids.get(job.id, job.id), now, is_plain=is_plain) for job in jobs]
    if is_plain:
        _print_plain(console, rows)
    else:
        _print_table(console, rows)


def sum_up(shown: int, counts: Mapping[str, int]) -> Text:
    """Say how many jobs there are by state, and how many of them were shown."""
    total = sum(counts.values())
    # More may have come since they were read.
    of = f"The latest {shown:,} of {words.count(total, 'job')}: " if shown < total else f"{words.count(total, 'job')}: "
    return Text(of) + words.by_state(counts)


def _row(job: Job, id_: str, now: float, *, is_plain: bool) -> Row:
    task = words.line(job.task or "")
    cells = {
        "id": Text(words.line(words.safe(id_)), "dim"),
        "task": Text(task if is_plain else _end_of(task)),
        "state": words.state(job.state, is_plain=is_plain),
        "queue": Text(words.line(job.queue or "")),
        "worker": Text(words.line(job.worker or "")),
        "waited": Text(words.waited(job, now) or ""),
        "ran": Text(words.ran(job, now) or ""),
        "runs": Text(str(job.runs)),
        "when": Text(words.ago(now - job.changed_at), "dim"),
        "why": Text(words.why(job) or ""),
    }
    return {name: cell if cell or name == "why" else Text(words.NOTHING, "dim") for name, cell in cells.items()}


def _end_of(task: str) -> str:
    """Return a long task name's end, which tells more than its beginning."""
    return task if len(task) <= LONGEST_TASK else f"…{task[1 - LONGEST_TASK :]}"


def _print_table(console: Console, rows: Sequence[Row]) -> None:
    columns = [name for name in COLUMNS if name != "why"]
    spared = list(SPARED)
    while (width := _width(console, _table(columns, rows))) > console.width and spared:
        columns.remove(spared.pop(0))
    if console.width - width >= ROOM_FOR_WHY + layout.GAP:
        console.print(_table([*columns, "why"], rows))
        return
    # Too narrow for a column of its own, the why stands below its job.
    heading, *lines = console.render_lines(_table(columns, rows), pad=False)
    indent = " " * (max(cell_len(row["id"].plain) for row in rows) + layout.GAP)
    screen = [heading]
    for line, row in zip(lines, rows, strict=True):
        screen.append(line)
        if row["why"]:
            screen += console.render_lines(_on_one_line(Text(indent) + row["why"]), pad=False)
    console.print(SegmentLines(screen, new_lines=True))


def _width(console: Console, table: Table) -> int:
    unbounded = console.options.update(width=10_000)
    return Measurement.get(console, unbounded, table).maximum


def _table(columns: Sequence[str], rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, layout.GAP // 2), header_style="dim")
    for name in columns:
        # Of all columns the task, and then the why, may be cut.
        is_fixed = name not in {"task", "why"}
        table.add_column(name, justify="right" if name in NUMBERS else "left", no_wrap=is_fixed)
    for row in rows:
        table.add_row(*(_on_one_line(row[name]) for name in columns))
    return table


def _on_one_line(cell: Text) -> Text:
    cell.no_wrap, cell.overflow = True, "ellipsis"
    return cell


def _print_plain(console: Console, rows: Sequence[Row]) -> None:
    for line in layout.aligned([COLUMNS, *([row[name].plain for name in COLUMNS] for row in rows)]):
        console.print(line)
