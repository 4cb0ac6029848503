"""Beat on the command line: whether it is alive, and when it last looked what is due."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from monitor.cli import layout, leases, records, tables, words
from monitor.cli.tables import Line, Shape
from monitor.lease import BeatState, Lease

SHAPE = Shape(
    ("beat", "state", "looked", "entries", "version"),
    numbers=frozenset({"looked", "entries"}),
    cut=frozenset({"beat"}),
    spared=("version", "entries"),
)

OVERDUE_S = 10.0


def state_of(lease: Lease, now: float) -> str:
    """Return one of the leases' states."""
    end = leases.end_of(lease, now)
    if end or not isinstance(lease.state, BeatState):
        return end or "alive"
    return "not ticking" if lease.state.tick_overdue_s > OVERDUE_S else "alive"


def show(console: Console, found: Sequence[Lease], now: float) -> None:
    """Print the processes of beat under a heading."""
    layout.head(console, "Beat", "" if found else "none has told of itself yet: `celery -A app beat` starts one")
    states = {lease.name: state_of(lease, now) for lease in found}
    lines = [
        _line(lease, states[lease.name], now, is_plain=not console.is_terminal)
        for lease in leases.in_order(found, states)
    ]
    if lines:
        tables.show(console, SHAPE, lines, with_trends=False)


def of_lease(lease: Lease, now: float) -> records.Record:
    """Return a beat's record for JSON."""
    entries = sorted(lease.state.entries) if isinstance(lease.state, BeatState) else None
    return records.of({**leases.fields(lease, state_of(lease, now)), "looked_at": looked_at(lease), "entries": entries})


def looked_at(lease: Lease) -> float | None:
    """Return when it last looked what is due, as far as it told."""
    return lease.renewed_at - lease.state.tick_age_s if isinstance(lease.state, BeatState) else None


def _line(lease: Lease, state: str, now: float, *, is_plain: bool) -> Line:
    of, at = lease.state, looked_at(lease)
    is_told = isinstance(of, BeatState) and leases.is_alive(lease, now) and "entries" not in of.unread
    cells = {
        "beat": Text(words.line(words.safe(lease.name))),
        "state": leases.said(lease, state, now, is_plain=is_plain),
        "looked": Text("" if at is None else words.ago(max(0.0, now - at))),
        "entries": Text(str(len(of.entries)) if isinstance(of, BeatState) and is_told else ""),
        "version": Text(words.line(words.safe(of.code_version)) if of else ""),
    }
    return Line(cells, remarks=list(_remarks(lease, now)), instead={"version": f"code {cells['version'].plain}"})


def _remarks(lease: Lease, now: float) -> Iterator[Text]:
    yield from leases.remarks(lease, now)
    if isinstance(lease.state, BeatState) and state_of(lease, now) == "not ticking":
        overdue = words.length(lease.state.tick_overdue_s)
        yield Text(f"it should have looked {overdue} ago what is due, and has not", "yellow")
