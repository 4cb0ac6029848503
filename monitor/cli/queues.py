"""The queues on the command line: which of them does not move, how long its jobs wait, and when it is empty."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from rich.console import Console
from rich.text import Text

from monitor.cli import records, tables, unmeasured, words
from monitor.cli.series import HOUR_S, LONGEST_CURRENT_S, USUAL_PERIOD_S, Measurements, Series, by_subject, read
from monitor.cli.tables import Line, Shape
from monitor.cli.unmeasured import Measuring
from monitor.cli.words import Look
from monitor.store import Store
from monitor.store.measured import Noted, notes_about

DEPTH = "JobQueueDepth"
NUMBERS = {
    "waiting": DEPTH,
    "oldest_s": "OldestJobAge",
    "in_per_min": "JobArrivals",
    "out_per_min": "JobCompletions",
    "empty_in_s": "QueueTimeToEmpty",
    "running": "JobsRunning",
    "held": "JobsHeld",
    "consumers": "QueueConsumers",
}

# Worst first.
LOOKS: Mapping[str, Look] = {
    "no consumer": Look("✗", "bold red"),
    "growing": Look("▲", "yellow"),
    "not moving": Look("▲", "yellow"),
    "unknown": Look("?", "yellow"),
    "moving": Look("●", ""),
    "idle": Look("○", "dim"),
}
# Where no job waits yet, a missing consumer is not so bad.
EMPTY_UNCONSUMED = Look("⊘", "yellow")

SHAPE = Shape(
    ("queue", "state", "waiting", "oldest", "in/min", "out/min", "empty in", "running", "held", "consumers"),
    numbers=frozenset({"waiting", "oldest", "in/min", "out/min", "empty in", "running", "held", "consumers"}),
    cut=frozenset({"queue"}),
    spared=("held", "consumers", "running", tables.TREND, "in/min", "out/min"),
)

# What the measuring notes for itself; all other notes about a queue are remarks.
ITS_OWN_NOTES = ("seen", "empties", "tail ")
GROWTH_S = 60.0


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue as it is known now; None: that is not known."""

    name: str
    depths: Series | None
    numbers: Mapping[str, float | None]  # by NUMBERS' names
    never_empties: bool
    remarks: Sequence[Noted]

    @property
    def measured_at(self) -> float | None:
        """When it was last measured, within the last hour."""
        return self.depths.latest.at if self.depths else None

    @property
    def is_known(self) -> bool:
        """Whether it is known now."""
        return self.depths is not None and self.depths.is_current

    @property
    def state(self) -> str:
        """One of LOOKS."""
        if not self.is_known:
            return "unknown"
        of = self.numbers
        if of["consumers"] == 0:
            return "no consumer"
        if self.never_empties and self._grows:
            return "growing"
        if self.never_empties and of["out_per_min"] == 0:
            return "not moving"
        flows = of["waiting"] or of["running"] or of["in_per_min"] or of["out_per_min"]
        return "moving" if flows else "idle"

    @property
    def look(self) -> Look:
        """How its state looks."""
        is_empty = self.state == "no consumer" and not self.numbers["waiting"]
        return EMPTY_UNCONSUMED if is_empty else LOOKS[self.state]

    @property
    def badness(self) -> tuple[int, float, float, str]:
        """The worst has the least."""
        place = "unknown" if self.look is EMPTY_UNCONSUMED else self.state
        waited = _number(self.depths.latest.value) if self.depths else 0.0
        return (list(LOOKS).index(place), -(self.numbers["oldest_s"] or 0.0), -waited, self.name)

    @property
    def _grows(self) -> bool:
        """Whether more jobs wait than did a minute before."""
        if self.depths is None:
            return False
        latest = self.depths.latest
        before = next(sample for sample in self.depths.samples if sample.at >= latest.at - GROWTH_S)
        return _number(latest.value) > _number(before.value)


@dataclass(frozen=True, slots=True)
class View:
    """All queues, the worst first, and how the measuring of them goes."""

    queues: Sequence[Queue]
    measuring: Measuring


def look(store: Store, now: float) -> View:
    """Return the queues that the store knows."""
    depths = list(read(store, now, HOUR_S, [DEPTH]))
    others = read(store, now, LONGEST_CURRENT_S, [metric for metric in NUMBERS.values() if metric != DEPTH])
    measurements = Measurements([*depths, *others])
    notes = by_subject(notes_about(store, "queue:"), "queue")
    # One that was forgotten has samples, and no notes.
    queues = [_queue(name, measurements, notes[name]) for name in notes]
    # The measuring names each queue, also those that it cannot see.
    latest_at = max((noted["seen"].at for noted in notes.values() if "seen" in noted), default=None)
    sees_none = not any(queue.depths for queue in queues) and now - (latest_at or 0.0) <= USUAL_PERIOD_S
    is_current = sees_none or any(queue.is_known for queue in queues)
    measuring = unmeasured.measuring(store, "queue", "queues", latest_at, is_current=is_current)
    return View(sorted(queues, key=lambda queue: queue.badness), measuring)


def show(console: Console, view: View, now: float, *, with_trends: bool) -> None:
    """Print the queues, what is wrong with them, and how old that is."""
    if view.queues:
        lines = [_line(queue, now, is_plain=not console.is_terminal) for queue in view.queues]
        tables.show(console, SHAPE, lines, with_trends=with_trends)
        counts = Counter(queue.state for queue in view.queues)
        console.print()
        console.print(Text(f"{words.count(len(view.queues), 'queue')}: ") + words.by_state(counts, LOOKS))
    for sentence in unmeasured.explain(view.measuring, now):
        console.print(sentence)


def of_queue(queue: Queue) -> records.Record:
    """Return a queue's record for JSON."""
    fields = {
        "queue": queue.name,
        "state": queue.state,
        **queue.numbers,
        "never_empties": queue.never_empties if queue.is_known else None,
        "measured_at": queue.measured_at,
        "remarks": records.of_notes(queue.remarks),
    }
    return records.of(fields)


def _queue(name: str, measurements: Measurements, notes: Mapping[str, Noted]) -> Queue:
    depths = measurements.series(DEPTH, name)
    # What was not told with the latest depth is not known.
    at = depths.latest.at if depths and depths.is_current else None
    numbers = {field: None if at is None else measurements.at(metric, name, at) for field, metric in NUMBERS.items()}
    remarks = [noted for noted in notes.values() if not noted.name.startswith(ITS_OWN_NOTES)]
    return Queue(name, depths, numbers, at is not None and "empties" in notes, remarks)


def _line(queue: Queue, now: float, *, is_plain: bool) -> Line:
    of = queue.numbers
    cells = {
        "queue": Text(words.line(words.safe(queue.name))),
        "state": words.looking(queue.look, queue.state, is_plain=is_plain),
        "waiting": _count(of["waiting"]),
        "oldest": Text("" if of["oldest_s"] is None else words.wait(of["oldest_s"])),
        "in/min": _count(of["in_per_min"]),
        "out/min": _count(of["out_per_min"]),
        "empty in": Text(_empty_in(queue)),
        "running": _count(of["running"]),
        "held": _count(of["held"]),
        "consumers": _count(of["consumers"]),
    }
    trend = partial(queue.depths.sparkline, HOUR_S) if queue.depths else None
    return Line(cells, trend, list(_remarks(queue, now)))


def _empty_in(queue: Queue) -> str:
    if queue.never_empties:
        return "never"
    empty_in_s = queue.numbers["empty_in_s"]
    if empty_in_s is None:
        return ""
    return words.wait(empty_in_s) if empty_in_s else "now"


def _remarks(queue: Queue, now: float) -> Iterator[Text]:
    if not queue.is_known:
        yield Text(_last_known(queue, now))
    for noted in queue.remarks:
        yield unmeasured.remark(noted, now)


def _last_known(queue: Queue, now: float) -> str:
    if queue.depths is None:
        return "not measured in the last hour"
    waited = _number(queue.depths.latest.value)
    return f"{words.number(waited)} waited when it was last measured, {words.ago(now - queue.depths.latest.at)}"


def _count(value: float | None) -> Text:
    return Text("" if value is None else words.number(value))


def _number(value: object) -> float:
    return value if isinstance(value, float) else 0.0
