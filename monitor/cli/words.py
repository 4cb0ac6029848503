"""How states, times, lengths and sizes are said on the terminal."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import msgspec
from rich.text import Text

from monitor.job import Fate, Job

NOTHING = "-"

SECOND_MS = 1_000
MINUTE_S = 60
HOUR_S = 3_600
DAY_S = 86_400
UNITS_S = ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "m"))
TENTHS_BELOW_S = 10

MEGABYTE = 1_000_000  # bytes
GIGABYTE_MB = 1_000
TENTHS_BELOW = 10
MOST_NAMED = 3

# What could steer a terminal, or turn its text around: names and messages come from jobs, and from clients' data.
UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

Struct = TypeVar("Struct", bound=msgspec.Struct)


class Look(NamedTuple):
    """What stands before a state's word, and the style of both. Only what deviates has a colour."""

    glyph: str
    style: str


# In the order in which a person wants to hear of them: what went wrong first.
LOOKS: Mapping[str, Look] = {
    Fate.LOST: Look("✗", "bold red"),
    Fate.FAILED: Look("▲", "red"),
    Fate.TIMED_OUT: Look("▲", "red"),
    Fate.UNKNOWN: Look("?", "red"),
    Fate.UNREADABLE: Look("?", "red"),
    Fate.REJECTED: Look("⊘", "red"),
    Fate.EXPIRED: Look("⊘", "yellow"),
    Fate.REVOKED: Look("⊘", "yellow"),
    Fate.RETRIED: Look("↻", "yellow"),
    Fate.REQUEUED: Look("↻", "yellow"),
    Fate.REPLACED: Look("→", ""),
    "waiting": Look("○", ""),
    "running": Look("●", ""),
    Fate.IGNORED: Look("–", "dim"),
    Fate.SUCCEEDED: Look("✓", "dim"),
}


def safe(text: str) -> str:
    """Return the text with its control characters written out; line breaks and tabs stay."""
    return UNSAFE.sub(lambda found: ascii(found.group())[1:-1], text)


def safely(struct: Struct) -> Struct:
    """Return the struct with all its texts made safe to print."""
    return msgspec.structs.replace(
        struct, **{name: _safe_value(value) for name, value in msgspec.structs.asdict(struct).items()}
    )


def _safe_value(value: Any) -> Any:
    if type(value) is str:
        return safe(value)
    if isinstance(value, msgspec.Struct):
        return safely(value)
    return {safe(name): safe(text) for name, text in value.items()} if isinstance(value, dict) else value


def line(text: str) -> str:
    """Return the first line of a text that says anything, its blanks made single."""
    return next((" ".join(part.split()) for part in text.splitlines() if part.strip()), "")


def state(name: str, *, is_plain: bool = False) -> Text:
    """Say a job's state: its word, and before it its glyph, so that colour is never alone."""
    return looking(LOOKS[name], name, is_plain=is_plain)


def looking(look: Look, text: str, *, is_plain: bool) -> Text:
    """Return a state's words with their glyph and style, or the words alone."""
    return Text(text) if is_plain else Text(f"{look.glyph} {text}", look.style)


def length(seconds: float) -> str:
    """Say how long something took, in two or three figures."""
    if seconds < 0:
        return f"-{length(-seconds)}"
    milliseconds, whole = seconds * SECOND_MS, round(seconds)
    if round(milliseconds) < SECOND_MS:
        return f"{milliseconds:.0f} ms" if round(milliseconds) or not seconds else f"{milliseconds:.1f} ms"
    if whole < 2 * MINUTE_S:
        return f"{seconds:.1f} s" if round(seconds, 1) < TENTHS_BELOW_S else f"{whole} s"
    if whole < 2 * HOUR_S:
        return f"{whole // MINUTE_S} m {whole % MINUTE_S:02} s"
    if whole < 2 * DAY_S:
        return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S:02} m"
    return f"{whole // DAY_S} d {whole % DAY_S // HOUR_S} h"


def wait(seconds: float) -> str:
    """Say how long something has lasted that is measured in seconds."""
    return length(seconds) if seconds else "0 s"


def ago(seconds: float) -> str:
    """Say in one unit how long ago something was, or, where clocks differ, in how long it is to be."""
    whole = abs(seconds)
    unit_s, unit = next(((unit_s, unit) for unit_s, unit in UNITS_S if whole >= 2 * unit_s), (1, "s"))
    said = f"{whole // unit_s:.0f} {unit}"
    return f"{said} ago" if seconds >= 0 else f"in {said}"


def clock(at: float, now: float) -> str:
    """Say a time to the millisecond in this machine's time zone, with its date if that is not today's."""
    moment = datetime.fromtimestamp(at).astimezone()
    is_today = moment.date() == datetime.fromtimestamp(now).astimezone().date()
    return moment.strftime("%H:%M:%S." if is_today else "%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03}"


def minute(at: float, now: float) -> str:
    """Say a time to the minute, with its date if that is not today's."""
    return clock(at, now)[: -len(":00.000")]


def zone(now: float) -> str:
    """Return the name of this machine's time zone."""
    return datetime.fromtimestamp(now).astimezone().strftime("%Z")


def size(bytes_: int) -> str:
    """Say an amount of memory in MB of 1,000,000 bytes."""
    return f"{bytes_ / MEGABYTE:.1f} MB"


def megabytes(amount: float) -> str:
    """Say an amount of memory or disk in three figures, in MB of 1,000,000 bytes, or GB of 1,000 of these."""
    return f"{number(amount)} MB" if round(amount) < GIGABYTE_MB else f"{number(amount / GIGABYTE_MB)} GB"


def number(value: float) -> str:
    """Say a number: whole from 10 on, with a decimal below where it has one that shows."""
    is_whole = abs(value) >= TENTHS_BELOW or round(value, 1) == round(value)
    return f"{value:,.0f}" if is_whole else f"{value:.1f}"


def count(number: int, noun: str, plural: str = "") -> str:
    """Say how many there are of something."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural or f'{noun}s'}"


def some(names: Sequence[str]) -> str:
    """Name the first of many names, and say how many more there are."""
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def waited(job: Job, now: float) -> str | None:
    """Say how long a job waited for its latest run, or for its fate without one, or has waited so far."""
    since = max(job.sent_at or 0.0, job.due_at or 0.0)
    if job.state == "waiting":
        if since > now:
            return f"due in {length(since - now)}"
        return length(now - since) if since else None
    if not job.runs and job.ended_at and 0 < since <= job.ended_at:
        return length(job.ended_at - since)
    return None if job.wait_s is None else length(job.wait_s)


def ran(job: Job, now: float) -> str | None:
    """Say how long a job's latest run took, or takes so far."""
    if job.state != "running":
        return None if job.run_s is None else length(job.run_s)
    # Of a job that runs again, the start of this run is the latest that was heard.
    since = job.started_at if job.runs == 1 and job.started_at else job.changed_at
    return length(max(0.0, now - since))


def why(job: Job) -> str | None:
    """Say in one line why a job ended as it did, or why its latest run did; None where all is well."""
    if job.error and (job.fate is Fate.FAILED or not job.reason):
        return fault(job.error, job.message)
    return line(job.reason) if job.reason else None


def fault(error: str, message: str | None) -> str:
    """Say an error in one line: its class without the module, and its message."""
    said = line(message or "")
    return f"{error.rpartition('.')[2]}: {said}" if said else error.rpartition(".")[2]


def by_state(counts: Mapping[str, int], looks: Mapping[str, Look] = LOOKS) -> Text:
    """Say how many are in each state, what went wrong first."""
    parts = [Text(f"{counts[name]:,} {name}", look.style) for name, look in looks.items() if counts.get(name)]
    return Text(", ").join(parts)
