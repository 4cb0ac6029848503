"""What is said where something is not known now: when it was last measured, whether that failed, and what to start."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from monitor.cli import words
from monitor.cli.series import PERIODS, USUAL_PERIOD_S
from monitor.store import Store
from monitor.store.faults import name_of
from monitor.store.measured import Noted, notes_about

HOW = Text(
    "Beat sends the measuring to the queue `monitoring`: run `celery -A app beat` and "
    "`celery -A app worker --queues monitoring`.",
    "dim",
)


@dataclass(frozen=True, slots=True)
class Measuring:
    """How the measuring of one kind of thing goes: when it last brought something, and what it fails with since."""

    noun: str  # of one thing that is measured: "queue"
    store: str
    latest_at: float | None
    is_current: bool
    failures: Sequence[Noted]


def measuring(store: Store, noun: str, sampler: str, latest_at: float | None, *, is_current: bool) -> Measuring:
    """Return how the measuring goes that the sampler does."""
    return Measuring(noun, name_of(store), latest_at, is_current, failures_of(store, sampler))


def failures_of(store: Store, sampler: str | None = None) -> list[Noted]:
    """Return what the sampler, or any of them, failed with since it last brought something."""
    return [
        noted
        for noted in notes_about(store, "sampler:")
        if noted.name == "failure" and sampler in {None, noted.subject.removeprefix("sampler:")}
    ]


def explain(measuring: Measuring, now: float) -> Iterator[Text]:
    """Yield the sentences that say how old what is shown is, or why nothing is known now."""
    noun, at = measuring.noun, measuring.latest_at
    if at is None:
        yield Text(f"No {noun} has been measured yet in this store: {measuring.store}.")
        yield HOW
    elif not measuring.is_current:
        since = f"since {words.minute(at, now)} ({words.ago(now - at)})"
        yield Text(f"No {noun} has been measured {since}: is the worker of the queue `monitoring` running?", "yellow")
    else:
        yield Text(f"Measured {words.ago(max(0.0, now - at))}.", "dim")
    yield from say_failures(measuring.failures, now)


def remark(noted: Noted, now: float) -> Text:
    """Return what is noted about something, and how old that is if nobody has said it again since."""
    is_old = now - noted.at > PERIODS * USUAL_PERIOD_S
    age = f", as of {words.ago(now - noted.at)}" if is_old else ""
    return Text(f"{noted.name}: {words.line(words.safe(noted.text))}{age}", "yellow")


def say_failures(failures: Iterable[Noted], now: float) -> Iterator[Text]:
    """Yield a sentence for each failure."""
    for noted in failures:
        sampler = noted.subject.removeprefix("sampler:")
        said = words.line(words.safe(noted.text)).rstrip(".")
        yield Text(f"Measuring {sampler} fails since {words.minute(noted.since, now)}: {said}.", "yellow")
