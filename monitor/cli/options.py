"""What is asked on the command line, read with all its faults at once."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TypeVar

import click

from monitor.job import Fate
from monitor.sample import METRICS
from monitor.store.reads import JobFilter

Value = TypeVar("Value")

STATES = ("waiting", "running", *Fate)
UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhd])", re.ASCII)
MOST_JOBS = 1_000_000
MOST_DAYS = 36_500
MOST_OFFERED = 3


@dataclass(frozen=True, slots=True)
class Question:
    """Which jobs are asked for, how many at most, and the options in the words they were given in."""

    wanted: JobFilter
    limit: int
    words: str


def question(  # noqa: PLR0913 (the command's options, all by name)
    now: float,
    *,
    fate: Sequence[str],
    task: str | None,
    queue: str | None,
    worker: str | None,
    since: str | None,
    limit: str,
) -> Question:
    """Read the options of `monitor jobs`.

    Raises:
        UsageError: naming every faulty option at once.

    """
    faults = Faults()
    wanted = JobFilter(
        states=frozenset(faults.of("--fate", state, text, "") for text in fate),
        task=task,
        queue=queue,
        worker=worker,
        since=None if since is None else faults.of("--since", lambda text: moment(text, now), since, now),
    )
    most = faults.of("--limit", lambda text: whole_number(text, MOST_JOBS), limit, 0)
    faults.say()
    others = {"--task": task, "--queue": queue, "--worker": worker, "--since": since}
    given = [f"--fate {text}" for text in fate] + [
        f"{option} {text}" for option, text in others.items() if text is not None
    ]
    return Question(wanted, most, " ".join(given))


def of_metrics(
    now: float, pattern: str, since: str, *, as_json: bool, sparkline: bool | None
) -> tuple[list[str], float]:
    """Read the options of `monitor metrics`; return the metrics that are asked for, and how many seconds back.

    Raises:
        UsageError: naming every faulty option at once.

    """
    faults = Faults()
    metrics: list[str] = faults.of("PATTERN", metrics_like, pattern, [])
    begin = faults.of("--since", lambda text: moment(text, now), since, now)
    _refuse_drawing(faults, as_json=as_json, sparkline=sparkline)
    faults.say()
    return metrics, now - begin


def of_view(subcommand: str | None = None, *, as_json: bool, sparkline: bool | None) -> None:
    """Check the options of the other views.

    Raises:
        UsageError: naming every faulty option at once.

    """
    faults = Faults()
    if subcommand and (as_json or sparkline is not None):
        faults.add(f"--json, --sparkline: expected without {subcommand!r}, which shows nothing")
    _refuse_drawing(faults, as_json=as_json, sparkline=sparkline)
    faults.say()


def _refuse_drawing(faults: "Faults", *, as_json: bool, sparkline: bool | None) -> None:
    if as_json and sparkline:
        faults.add("--sparkline: expected without --json, which prints no drawings")


class Faults:
    """The faults found so far, each with its option."""

    def __init__(self) -> None:
        self._sentences: list[str] = []

    def of(self, option: str, read: Callable[[str], Value], text: str, stopgap: Value) -> Value:
        """Return what the text means; if it is faulty, something to go on with until all faults are said."""
        try:
            return read(text)
        except ValueError as fault:
            self.add(f"{option}: {fault}")
            return stopgap

    def add(self, sentence: str) -> None:
        """Add a fault."""
        self._sentences.append(f"{sentence}.")

    def say(self) -> None:
        """Raise a UsageError that names all faults, if there are any."""
        if self._sentences:
            raise click.UsageError("\n".join(self._sentences))


def state(text: str) -> str:
    """Return a state by its name, or by its name written as one word."""
    name = re.sub("[-_ ]+", " ", text.strip().lower())
    if name in STATES:
        return str(name)
    close = get_close_matches(name, STATES, n=1)
    hint = f"; the closest is {str(close[0])!r}" if close else ""
    raise ValueError(f"expected one of {', '.join(STATES)}, got {text!r}{hint}")


def moment(text: str, now: float) -> float:
    """Return the Unix seconds of a time in the past: a span up to now, or ISO 8601, which without a zone is local."""
    span = SPAN.fullmatch(text.strip())
    if span:
        return now - float(span[1]) * UNITS_S[span[2]]
    try:
        at = datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"expected a span like 15m, 2h or 3d, or a time like 2026-11-23T14:00, got {text!r}") from None
    if at > now:
        raise ValueError(f"expected a time in the past, got {text!r}")
    return at


def metrics_like(pattern: str) -> list[str]:
    """Return the metrics whose names a shell's pattern fits, in upper or lower case."""
    found = _fitting(pattern)
    if found:
        return found
    wider = f"*{pattern.strip('*')}*"
    near = _fitting(wider)
    hint = f"; {wider!r} fits {', '.join(near[:MOST_OFFERED])}" if near else ""
    raise ValueError(f"expected a pattern of metrics' names like 'JobQueue*', got {pattern!r}{hint}")


def _fitting(pattern: str) -> list[str]:
    return [name for name in METRICS if fnmatchcase(name.lower(), pattern.lower())]


def days(text: str) -> int:
    """Return a number of days."""
    return whole_number(text, MOST_DAYS)


def whole_number(text: str, most: int) -> int:
    """Return a whole number of at least 1 and at most `most`."""
    digits = text.strip()
    if digits.isascii() and digits.isdigit() and len(digits) <= len(str(most)) and 1 <= int(digits) <= most:
        return int(digits)
    raise ValueError(f"expected a whole number from 1 to {most}, got {text!r}")
