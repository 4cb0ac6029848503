"""How figures look: tables and lines for a terminal of 80 columns or more."""

import time
from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from monitor.job import Fate, Job
from workers.demo.figures import TIMES_OF_LATEST_S, Figures, Spread, TaskFigures

USUAL = ("waiting", "running", Fate.SUCCEEDED, Fate.FAILED)
OTHERS = tuple(fate for fate in Fate if fate not in USUAL)

# Colour for what deviates; what goes well stays calm.
COLOURS = {"waiting": "", "running": "", Fate.SUCCEEDED: "green", Fate.FAILED: "red", Fate.LOST: "bold red"}
OTHER_COLOUR = "yellow"


def screenful(status: str, figures: Figures, rows: int) -> RenderableType:
    """Return all that the terminal shows at once, with so many of the latest jobs."""
    headline = Text(f"{_clock(time.time())}  {status}")
    if not figures.tasks:
        return Group(headline, "")
    # The cursor rests on the last line, and what is typed appears there (^C): it is left empty.
    ended = figures.ended[:rows]
    times = note(f"seconds, of the runs that ended in the last {TIMES_OF_LATEST_S / 60:.0f} minutes")
    return Group(headline, "", by_task(figures), times, "", _waiting(figures.waiting), "", _latest(ended), "")


def by_task(figures: Figures) -> Table:
    """Return the jobs by task and state, with how long runs took and waited."""
    has_others = any(figures.total.states[fate] for fate in OTHERS)
    table = _table()
    table.add_column("task", no_wrap=True)
    for state in (*USUAL, *(["other"] if has_others else [])):
        table.add_column(state, justify="right", min_width=len(state))
    for name in ("run s\np50", "\np95", "wait s\np50", "\np95"):
        table.add_column(name, justify="right", min_width=4)
    for task in (*figures.tasks, figures.total):
        table.add_row(*_cells(task, has_others=has_others), style="bold" if task is figures.total else "")
    return table


def counts(states: Mapping[str, int]) -> str:
    """Return counts in words: 12 succeeded, 1 failed, 2 running."""
    order = (Fate.SUCCEEDED, Fate.FAILED, *OTHERS, "running", "waiting")
    return ", ".join(f"{states[state]} {state}" for state in order if states.get(state)) or "no job yet"


def note(text: str) -> Text:
    """Return a line that explains a table."""
    return Text(text, "dim")


def _latest(jobs: Sequence[Job]) -> Table:
    table = _table()
    for name in ("ended", "task", "fate"):
        table.add_column(name, no_wrap=True)
    table.add_column("run s", justify="right", no_wrap=True)
    table.add_column("why", style="dim")  # the one that is cut where the terminal is narrow
    for job in jobs:
        table.add_row(*_told(job))
    return table


def _told(job: Job) -> list[str | Text]:
    fate = job.fate or ""
    run_s = "" if job.run_s is None else _seconds(job.run_s)
    why = Text(_why(job), no_wrap=True, overflow="ellipsis")
    return [_clock(job.ended_at), _short(job.task), Text(fate, _colour(fate)), run_s, why]


def _waiting(by_queue: Mapping[str, int]) -> Text:
    queues = "   ".join(f"{queue} {count}" for queue, count in by_queue.items())
    return note(f"waiting by queue   {queues}")


def _table() -> Table:
    return Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")


def _cells(task: TaskFigures, *, has_others: bool) -> list[Text]:
    numbers = [_count(task.states[state], _colour(state)) for state in USUAL]
    if has_others:
        numbers.append(_count(sum(task.states[fate] for fate in OTHERS), OTHER_COLOUR))
    return [Text(_short(task.task)), *numbers, *_times(task.run), *_times(task.wait)]


def _count(count: int, colour: str) -> Text:
    return Text(str(count), colour if count else "dim")


def _times(spread: Spread | None) -> tuple[Text, Text]:
    if spread is None:
        return Text("-", "dim"), Text("-", "dim")
    return Text(_seconds(spread.p50_s)), Text(_seconds(spread.p95_s))


def _seconds(value_s: float) -> str:
    """Return a time in four characters: 0.25, 13.0, 120."""
    return f"{value_s:.2f}"[:4].rstrip(".")


def _colour(state: str) -> str:
    return COLOURS.get(state, OTHER_COLOUR)


def _short(task: str | None) -> str:
    """Return a task's name without the package that all of them share."""
    return (task or "unknown").removeprefix("workers.")


def _why(job: Job) -> str:
    """Return in one line why a job did not succeed."""
    error = job.error and job.error.rpartition(".")[2]
    return " ".join(": ".join(filter(None, (error, job.message or job.reason))).split())


def _clock(at: float | None) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at)) if at else ""
