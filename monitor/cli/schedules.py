"""The schedules on the command line: what beat should have sent and did not, or sent late, twice, or for nothing."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from rich.console import Console
from rich.text import Text

from monitor.cli import beats, leases, records, tables, unmeasured, words
from monitor.cli.series import HOUR_S, PERIODS, USUAL_PERIOD_S, Measurements, Series, by_subject, read
from monitor.cli.tables import Line, Shape
from monitor.cli.unmeasured import Measuring
from monitor.cli.words import Look
from monitor.lease import Lease, Role
from monitor.sampling.sendings import LEAST_GRACE_S
from monitor.store import Store
from monitor.store.measured import Noted, current_leases, notes_about

LATENESS, MISSED = "ScheduleLateness", "SchedulesMissed"

# Worst first: what nobody would have told stands above what is there too often.
LOOKS: Mapping[str, Look] = {
    "missed": Look("✗", "bold red"),
    "not run": Look("✗", "red"),
    "late": Look("▲", "yellow"),
    "doubled": Look("▲", "yellow"),
    "at odds": Look("▲", "yellow"),
    "unknown": Look("?", "yellow"),
    "not due yet": Look("○", "dim"),
    "in time": Look("✓", "dim"),
}
NOTED = ("not run", "doubled", "at odds")

SHAPE = Shape(
    ("entry", "state", "lateness", "missed", "schedule"),
    numbers=frozenset({"lateness", "missed"}),
    cut=frozenset({"entry", "schedule"}),
    spared=("schedule", tables.TREND),
)
LONGEST_SCHEDULE = 40


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of beat's schedule as it is known now; None: that is not known."""

    name: str
    schedule: str | None  # in words
    lateness_s: float | None  # of the latest slot; so far, where nothing was sent
    missed: int | None  # slots of the last hour, or the latest one if that is longer ago
    latenesses: Series | None
    remarks: Mapping[str, Noted]  # by name
    measured_at: float | None
    is_known: bool

    @property
    def state(self) -> str:
        """One of LOOKS: the worst that is to be said."""
        if not self.is_known:
            return "unknown"
        return min(self._states(), key=list(LOOKS).index)

    def _states(self) -> Iterator[str]:
        yield from (name for name in NOTED if name in self.remarks)
        if self.missed:
            yield "missed"
        if self.lateness_s is None:
            yield "not due yet"
        else:
            yield "late" if self.lateness_s > LEAST_GRACE_S else "in time"


@dataclass(frozen=True, slots=True)
class View:
    """All entries, the worst first; who beats and what is noted about it; how the measuring goes."""

    entries: Sequence[Entry]
    beats: Sequence[Lease]
    beat_notes: Sequence[Noted]
    measuring: Measuring


def look(store: Store, now: float) -> View:
    """Return the entries that the store knows."""
    measurements = Measurements(read(store, now, HOUR_S, [LATENESS, MISSED]))
    beat_notes = [noted for noted in notes_about(store, "beat") if noted.subject == "beat"]
    is_blind = any(noted.name == "unseen" for noted in beat_notes)
    notes = by_subject(notes_about(store, "schedule:"), "schedule")
    entries = [_entry(name, measurements, its_own, now, is_blind=is_blind) for name, its_own in notes.items()]
    latest_at = max((noted.at for its_own in notes.values() for noted in its_own.values()), default=None)
    is_current = any(entry.is_known for entry in entries) or (is_blind and _is_fresh(latest_at or 0.0, now))
    measuring = unmeasured.measuring(store, "schedule", "schedules", latest_at, is_current=is_current)
    return View(sorted(entries, key=_badness), current_leases(store, Role.BEAT), beat_notes, measuring)


def show(console: Console, view: View, now: float, *, with_trends: bool) -> None:
    """Print the entries, and whether anybody sends them."""
    if view.entries:
        lines = [_line(entry, now, is_plain=not console.is_terminal) for entry in view.entries]
        tables.show(console, SHAPE, lines, with_trends=with_trends)
        counts = Counter(entry.state for entry in view.entries)
        entries = words.count(len(view.entries), "entry", "entries")
        console.print()
        console.print(Text(f"{entries}: ") + words.by_state(counts, LOOKS))
    for sentence in (*unmeasured.explain(view.measuring, now), *_about_beat(view, now)):
        console.print(sentence)


def of_entry(entry: Entry) -> records.Record:
    """Return an entry's record for JSON."""
    return records.of(
        {
            "entry": entry.name,
            "state": entry.state,
            "schedule": entry.schedule,
            "lateness_s": entry.lateness_s,
            "missed": entry.missed,
            "measured_at": entry.measured_at,
            "remarks": records.of_notes(entry.remarks.values()),
        }
    )


def _entry(name: str, measurements: Measurements, notes: Mapping[str, Noted], now: float, *, is_blind: bool) -> Entry:
    latenesses = measurements.series(LATENESS, name)
    told_at = max(noted.at for noted in notes.values())
    is_known = not is_blind and (latenesses.is_current if latenesses else _is_fresh(told_at, now))
    at = latenesses.latest.at if latenesses and is_known else None
    missed = None if at is None else measurements.at(MISSED, name, at)
    return Entry(
        name=name,
        schedule=notes["defined"].text if "defined" in notes else None,
        lateness_s=None if at is None else measurements.at(LATENESS, name, at),
        missed=None if missed is None else round(missed),
        latenesses=latenesses,
        remarks={noted.name: noted for noted in notes.values() if noted.name != "defined"},
        measured_at=latenesses.latest.at if latenesses else told_at,
        is_known=is_known,
    )


def _is_fresh(at: float, now: float) -> bool:
    return now - at <= PERIODS * USUAL_PERIOD_S


def _badness(entry: Entry) -> tuple[int, int, float, str]:
    return (list(LOOKS).index(entry.state), -(entry.missed or 0), -(entry.lateness_s or 0.0), entry.name)


def _line(entry: Entry, now: float, *, is_plain: bool) -> Line:
    schedule = words.line(words.safe(entry.schedule or ""))
    is_cut = len(schedule) > LONGEST_SCHEDULE and not is_plain
    cells = {
        "entry": Text(words.line(words.safe(entry.name))),
        "state": words.looking(LOOKS[entry.state], entry.state, is_plain=is_plain),
        "lateness": Text("" if entry.lateness_s is None else words.length(entry.lateness_s)),
        "missed": Text("" if entry.missed is None else f"{entry.missed:,}"),
        "schedule": Text("see below" if is_cut else schedule, "dim" if is_cut else ""),
    }
    remarks = [Text(schedule, "dim")] if is_cut else []
    remarks += [unmeasured.remark(noted, now) for noted in entry.remarks.values()]
    trend = partial(entry.latenesses.sparkline, HOUR_S, least_top=LEAST_GRACE_S) if entry.latenesses else None
    return Line(cells, trend, remarks, {} if is_cut else {"schedule": schedule})


def _about_beat(view: View, now: float) -> Iterator[Text]:
    """Yield who sends the entries, and what is wrong with that."""
    alive = [lease for lease in view.beats if leases.is_alive(lease, now)]
    for lease in alive:
        at = beats.looked_at(lease)
        looked = "has not told when it last looked" if at is None else f"looked {words.ago(max(0.0, now - at))}"
        yield Text(f"{words.safe(lease.name)} {looked} what is due.", "dim")
    if view.beats and not alive:
        ends = (
            f"{words.safe(lease.name)} {leases.said(lease, beats.state_of(lease, now), now, is_plain=True)}"
            for lease in view.beats
        )
        yield Text(f"No beat is alive: {', '.join(ends)}.", "bold red")
    for noted in view.beat_notes:
        yield Text("beat ", "yellow") + unmeasured.remark(noted, now)
