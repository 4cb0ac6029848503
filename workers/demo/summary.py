"""What is told when a demo has ended: what became of its jobs, and whether all went as it should."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.console import RenderableType

from monitor.job import Fate
from workers.demo import tables
from workers.demo.figures import Figures

NUMBERS = {1: "once", 2: "twice"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a demo has come to."""

    flow_s: float  # how long jobs were sent
    figures: Figures
    errors: Counter[str]  # the failed jobs, by the name of their error
    lost_records: Mapping[str, int]  # what could not be recorded, by reason
    deaths: Mapping[str, int]  # by program

    def count(self, *states: str) -> int:
        """Return how many jobs are in one of these states."""
        return sum(self.figures.total.states[state] for state in states)

    @property
    def is_whole(self) -> bool:
        """Whether jobs were recorded, and none of them, nor any record, was lost."""
        return self.count(*Fate) > 0 and not (self.count(Fate.LOST, "running") or self.lost_records)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wanting, and every program lived."""
        return self.is_whole and not self.deaths


def summary(outcome: Outcome) -> Iterator[RenderableType]:
    """Tell the outcome: a table, and what it comes to in plain words."""
    if outcome.figures.tasks:
        yield tables.by_task(outcome.figures)
        yield tables.note("seconds; p50 and p95 are interpolated linearly between the two nearest values\n")
    yield " ".join(_sentences(outcome))


def _sentences(outcome: Outcome) -> Iterator[str]:
    yield _ended(outcome)
    if outcome.errors:
        yield f"The failures: {', '.join(f'{count} {error}' for error, count in outcome.errors.most_common())}."
    if waiting := outcome.count("waiting"):
        yield f"{_jobs(waiting)} still waited in the broker."
    for program, deaths in outcome.deaths.items():
        yield f"{program} died {NUMBERS.get(deaths, f'{deaths} times')} and was started again."
    yield from _losses(outcome)


def _ended(outcome: Outcome) -> str:
    fates = {str(fate): outcome.count(fate) for fate in Fate}
    if not any(fates.values()):
        return "No job was recorded."
    return f"{_jobs(sum(fates.values()))} ended in {outcome.flow_s:.0f} s: {tables.counts(fates)}."


def _losses(outcome: Outcome) -> Iterator[str]:
    if lost := outcome.count(Fate.LOST):
        yield f"{_jobs(lost)} lost: `celery -A workers monitor jobs --fate lost` says why."
    if running := outcome.count("running"):
        yield f"{_jobs(running)} without a fate, though nothing runs any more."
    for reason, records in outcome.lost_records.items():
        yield f"{records} records were not kept: {reason}."
    if outcome.is_whole:
        yield "Nothing was lost."


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"
