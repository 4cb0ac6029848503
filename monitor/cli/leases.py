"""What all leases tell on the command line: whether their holders are alive, and how they ended."""

from collections.abc import Iterable, Iterator, Mapping

from rich.text import Text

from monitor.cli import words
from monitor.cli.words import Look
from monitor.lease import Lease

GONE, BROKEN, SILENT, STOPPING = "said goodbye", "broken", "silent", "stopping"
LOOKS: Mapping[str, Look] = {
    SILENT: Look("✗", "bold red"),
    BROKEN: Look("✗", "bold red"),
    "not consuming": Look("▲", "red"),
    "blocked": Look("▲", "red"),
    "not ticking": Look("▲", "red"),
    "saturated": Look("●", "yellow"),
    "busy": Look("●", ""),
    "alive": Look("✓", "dim"),
    STOPPING: Look("→", ""),
    GONE: Look("–", "dim"),
}

DIFFERENT_CLOCK_S = 1.0


def end_of(lease: Lease, now: float) -> str | None:
    """Return how its holder ended, or is about to; None while nothing of the kind is known."""
    ending = lease.state.ending if lease.state else None
    if lease.goodbye_at is not None:
        return GONE
    if ending and ending.startswith(BROKEN):
        return BROKEN
    if not lease.is_fresh(now):
        return SILENT
    return STOPPING if ending else None


def is_alive(lease: Lease, now: float) -> bool:
    """Whether what it tells is of now."""
    return end_of(lease, now) in {None, STOPPING}


def said(lease: Lease, state: str, now: float, *, is_plain: bool) -> Text:
    """Say a state, and since when, where its holder is no more."""
    if state == SILENT:
        text = f"{SILENT} since {words.minute(lease.renewed_at, now)}"
    elif state in {GONE, BROKEN}:
        text = f"{state} at {words.minute(lease.goodbye_at or lease.renewed_at, now)}"
    else:
        text = state
    return words.looking(LOOKS[state], text, is_plain=is_plain)


def in_order(leases: Iterable[Lease], states: Mapping[str, str]) -> list[Lease]:
    """Return the leases with the worst state first; `states` are by name."""
    return sorted(leases, key=lambda lease: (list(LOOKS).index(states[lease.name]), lease.name))


def remarks(lease: Lease, now: float) -> Iterator[Text]:
    """Yield what is to be said of any holder: how it ended, what it cannot tell, and that its clock is wrong."""
    state = lease.state
    if state is None:
        yield Text("it has told nothing of itself")
        return
    if state.ending:
        yield Text(
            words.line(words.safe(state.ending)).rstrip(": "), "yellow" if end_of(lease, now) == BROKEN else "dim"
        )
    if not is_alive(lease, now):
        return
    if state.unread:
        yield Text(f"it cannot tell {', '.join(state.unread)}", "yellow")
    ahead_s = state.clock_ahead_of_store_s or 0.0
    if abs(ahead_s) >= DIFFERENT_CLOCK_S:
        side = "ahead of" if ahead_s > 0 else "behind"
        yield Text(f"its clock is {words.length(abs(ahead_s))} {side} the store's", "yellow")


def fields(lease: Lease, state: str) -> dict[str, object]:
    """Return for JSON what all leases have."""
    told = lease.state
    return {
        "role": str(lease.role),
        "name": lease.name,
        "state": state,
        "host": lease.host,
        "pid": lease.pid,
        "started_at": lease.started_at,
        "renewed_at": lease.renewed_at,
        "goodbye_at": lease.goodbye_at,
        "ending": told.ending if told else None,
        "code_version": told.code_version if told else None,
        "celery": told.celery if told else None,
        "python": told.python if told else None,
        "clock_ahead_of_store_s": told.clock_ahead_of_store_s if told else None,
        "unread": told.unread if told else [],
    }
