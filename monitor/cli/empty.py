"""What is said when no job is listed: whether there is none at all, or which there are instead."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Literal

from rich.text import Text

from monitor.cli import words
from monitor.cli.options import Question
from monitor.store import Store, reads
from monitor.store.faults import name_of
from monitor.store.reads import LATEST_JOBS, JobFilter

NAMES: tuple[Literal["task", "queue", "worker"], ...] = ("task", "queue", "worker")


def explain(store: Store, asked: Question, now: float) -> Iterator[Text]:
    """Yield the sentences that say why no job matches."""
    latest = reads.jobs_matching(store, JobFilter(), limit=1)
    if not latest:
        yield Text(f"No jobs yet in this store: {name_of(store)}.")
        yield Text("A job is listed moments after it was sent, by an application that calls install(app).", "dim")
        return
    counts = reads.count_by_state(store, JobFilter(since=asked.wanted.since))
    within = "in this store" if asked.wanted.since is None else "in that time"
    if counts:
        told = Text(f"{words.count(sum(counts.values()), 'job')} {within}, by state: ") + words.by_state(counts)
    else:
        told = Text(
            f"nothing happened to any job {within}; the latest event is {words.ago(now - latest[0].changed_at)}"
        )
    yield Text(f"No job matches {words.safe(asked.words)}: ") + told + "."
    for field in NAMES:
        name = getattr(asked.wanted, field)
        known = [] if name is None else reads.latest_names(store, field)
        if name is not None and name not in known:
            yield _unknown(field, name, known)


def _unknown(field: str, name: str, known: list[str]) -> Text:
    close = get_close_matches(name, known, n=1)
    hint = f"; the closest is {close[0]!r}" if close else ""
    return Text(f"Of the latest {LATEST_JOBS:,} jobs none has the {field} {name!r}{hint}.", "dim")
