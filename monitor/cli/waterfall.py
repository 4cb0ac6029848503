"""What happened to a job in the course of time: its waits, its runs and its back-offs, to scale."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from monitor.cli import words
from monitor.job import Fate, Job, Run

# A worker takes a due job at the next tick of its timer: a wait shorter than this belongs to the back-off before it.
TICK_S = 1.0

MOST_PHASES = 40
NAMES_WIDTH = len("scheduled") + 2
NOTES_WIDTH = 34
NARROWEST, WIDEST = 20, 72
MOST_MARKS = 5
# Steps of the axis, each an amount of a unit; the axis takes the smallest that makes no more than MOST_MARKS.
MARKS = tuple(
    (amount, unit_s, unit)
    for unit, unit_s, amounts in (
        ("ms", 0.001, (1, 2, 5, 10, 20, 50, 100, 200, 500)),
        ("s", 1, (1, 2, 5, 10, 20)),
        ("m", 60, (1, 2, 5, 10, 20)),
        ("h", 3_600, (1, 2, 6, 12)),
        ("d", 86_400, (1, 2, 5, 10, 20)),
    )
    for amount in amounts
)


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a job's life: what it is called, from when to when, and what else there is to say of it."""

    name: str
    start: float
    end: float
    note: str = ""
    style: str = "dim"
    is_run: bool = False


def phases(job: Job, runs: Sequence[Run], now: float) -> list[Phase]:
    """Return a job's life, oldest first; what goes on, goes on until now."""
    found: list[Phase] = []
    idle_since, was_retried = _beginning(job, runs), False
    for number, run in numbered(job, runs):
        found += _pause(idle_since, run.due_at, run.started_at, run.queue, was_retried=was_retried)
        found += _run(number, run, now)
        idle_since, was_retried = run.ended_at, run.fate is Fate.RETRIED
    if not job.open_runs:
        found += _pause(idle_since, job.due_at, job.ended_at if job.fate else now, job.queue, was_retried=was_retried)
    return found


def numbered(job: Job, runs: Sequence[Run]) -> Iterator[tuple[int, Run]]:
    """Yield a job's runs with their numbers; of very many runs only the latest are known."""
    return enumerate(runs, max(1, job.runs - len(runs) + 1))


def show(console: Console, life: Sequence[Phase], now: float) -> None:
    """Print the phases: bars on a terminal, lines of text elsewhere."""
    shown = life[-MOST_PHASES:]
    if len(shown) < len(life):
        console.print(f"the latest {len(shown)} of {len(life)} waits and runs", style="dim")
    start, end = shown[0].start, max(phase.end for phase in shown)
    if not console.is_terminal:
        for phase in shown:
            console.print(f"{phase.name:<{NAMES_WIDTH}}+{words.length(phase.start - start):<10}{_note(phase)}")
        return
    width = min(WIDEST, max(NARROWEST, console.width - NAMES_WIDTH - NOTES_WIDTH))
    per_s = width / max(end - start, 0.001)
    console.print(" " * NAMES_WIDTH + _axis(start, end, per_s, now), style="dim", no_wrap=True, overflow="crop")
    for phase in shown:
        console.print(_bar(phase, start, per_s), no_wrap=True, overflow="ellipsis")


def _beginning(job: Job, runs: Sequence[Run]) -> float | None:
    """Return since when a job waited for the first run that is known; None where nobody can tell."""
    if len(runs) < job.runs:
        return None
    return job.first_sent_at or (runs[0].sent_at if runs else None)


def _pause(
    start: float | None, due: float | None, end: float | None, queue: str | None, *, was_retried: bool
) -> Iterator[Phase]:
    """Yield what lies between two runs: held back until due, then waiting for a worker."""
    if start is None or end is None or end <= start:
        return
    due = min(max(due or start, start), end)
    if end - due < TICK_S and due > start:
        due = end
    if due > start:
        yield Phase("back-off" if was_retried else "scheduled", start, due)
    if end > due:
        yield Phase("waiting", due, end, f"in {queue}" if queue else "")


def _run(number: int, run: Run, now: float) -> Iterator[Phase]:
    if run.started_at is None:
        return
    is_error = run.error and run.fate in {Fate.FAILED, Fate.RETRIED}
    why = str(run.error).rpartition(".")[2] if is_error else words.line(run.reason or "")
    note = f"{run.fate or 'running'}: {why}" if why else run.fate or "running"
    style = words.LOOKS[run.fate].style if run.fate and run.fate is not Fate.SUCCEEDED else ""
    yield Phase(f"run {number}", run.started_at, run.ended_at or max(now, run.started_at), note, style, is_run=True)


def _note(phase: Phase) -> str:
    took = words.length(phase.end - phase.start)
    return f"{took}, {phase.note}" if phase.is_run else f"{took} {phase.note}".rstrip()


def _bar(phase: Phase, start: float, per_s: float) -> Text:
    begin = int((phase.start - start) * per_s)
    cells = max(1, round((phase.end - start) * per_s) - begin)
    bar = ("█" if phase.is_run else "░") * cells
    return Text.assemble(f"{phase.name:<{NAMES_WIDTH}}", " " * begin, (bar, phase.style), f" {_note(phase)}")


def _axis(start: float, end: float, per_s: float, now: float) -> str:
    """Return the time of the start, and marks at round distances from it where there is room."""
    span_s = end - start
    fitting = (mark for mark in MARKS if span_s <= MOST_MARKS * mark[0] * mark[1])
    amount, unit_s, unit = next(fitting, MARKS[-1])
    axis = words.clock(start, now)
    for marked in range(amount, int(span_s / unit_s) + 1, amount):
        at = round(marked * unit_s * per_s)
        if at >= len(axis) + 2:
            axis = f"{axis:<{at}}+{marked} {unit}"
    return axis
