"""The list of jobs: a calm table on a terminal, aligned plain text elsewhere."""

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.segment import SegmentLines
from rich.text import Text

from monitor.cli import layout, tables, words
from monitor.cli.tables import Row, Shape
from monitor.job import Job

COLUMNS = ("id", "task", "state", "queue", "worker", "waited", "ran", "runs", "when", "why")
SHAPE = Shape(
    COLUMNS,
    numbers=frozenset({"waited", "ran", "runs", "when"}),
    cut=frozenset({"task", "why"}),
    spared=("worker", "queue", "waited", "runs"),
)
LONGEST_TASK = 32
ROOM_FOR_WHY = 40


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
    columns = tables.fitted(console, SHAPE, [name for name in COLUMNS if name != "why"], rows)
    table = tables.made(SHAPE, columns, rows)
    if console.width - tables.width_of(console, table) >= ROOM_FOR_WHY + layout.GAP:
        console.print(tables.made(SHAPE, [*columns, "why"], rows))
        return
    # Too narrow for a column of its own, the why stands below its job.
    heading, *lines = console.render_lines(table, pad=False)
    indent = " " * (max(cell_len(row["id"].plain) for row in rows) + layout.GAP)
    screen = [heading]
    for line, row in zip(lines, rows, strict=True):
        screen.append(line)
        if row["why"]:
            screen += console.render_lines(tables.on_one_line(Text(indent) + row["why"]), pad=False)
    console.print(SegmentLines(screen, new_lines=True))


def _print_plain(console: Console, rows: Sequence[Row]) -> None:
    for line in layout.aligned([COLUMNS, *([row[name].plain for name in COLUMNS] for row in rows)]):
        console.print(line)
