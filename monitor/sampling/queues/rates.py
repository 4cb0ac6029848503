"""What came into a queue and what left it in the last minute, and when it will be empty at this rate.

Jobs are conserved: what came is what is there now, less what was there, and what ended meanwhile. So the jobs of
senders without the recorder are counted too.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from monitor.sample import Measured, Sample
from monitor.store import Store
from monitor.store.measured import series_since

WINDOW_S = 60
LEAST_WINDOW_S = 30  # over less, a rate is chance

_STOCK = {"JobQueueDepth": "waiting", "JobsHeld": "held", "JobsRunning": "running"}


class Flow(Protocol):
    """What the store counted for one queue in a window: jobs that were sent, runs that ended."""

    @property
    def arrived(self) -> int:
        """Messages that were sent."""

    @property
    def ended(self) -> int:
        """Runs that ended."""


class JobCounts(Protocol):
    """Counts the jobs of each queue from the store's rows, as `monitor.store.totals` does."""

    def flow(self, store: Store, /, since: float, until: float) -> Mapping[str, Flow]:
        """Count what was sent to each queue in the window, and what ended."""

    def running_by_queue(self, store: Store, /) -> Mapping[str, int]:
        """Count the jobs of each queue that run now."""


@dataclass(frozen=True, slots=True)
class Stock:
    """The jobs of a queue at one time; None: that part was not told."""

    waiting: float | None = None
    held: float | None = None
    running: float | None = None

    def more_than(self, before: "Stock") -> float:
        """Return how many more jobs it is than before, of those parts that were told both times."""
        pairs = ((self.waiting, before.waiting), (self.held, before.held), (self.running, before.running))
        return sum(now - then for now, then in pairs if now is not None and then is not None)


@dataclass(frozen=True, slots=True)
class Past:
    """The window behind the tick: when it began, what the queues held then, and what was counted since."""

    since: float
    stocks: Mapping[str, Stock]
    flows: Mapping[str, Flow] | None  # None: nobody counts

    @property
    def queues(self) -> set[str]:
        """The queues that something was sent to, as its sender names them."""
        return set(self.flows or ())

    def flow_of(self, name: str) -> tuple[int, int] | None:
        """Return what was sent to the queue, and what of it ended."""
        if self.flows is None:
            return None
        flow = self.flows.get(name)
        return (flow.arrived, flow.ended) if flow else (0, 0)


def past_of(store: Store, at: float, counts: JobCounts | None) -> Past:
    """Return the window of at most WINDOW_S behind the tick, which begins with a tick where there is one."""
    told = series_since(store, at - WINDOW_S, _STOCK)
    samples = [sample for series in told.values() for sample in series if sample.at <= at - LEAST_WINDOW_S]
    since = min((sample.at for sample in samples), default=at - WINDOW_S)
    flows = counts.flow(store, since, at) if counts else None
    return Past(since, _stocks(sample for sample in samples if sample.at == since), flows)


def tell_rates(measured: Measured, at: float, name: str, now: Stock, past: Past) -> None:
    """Add arrivals and completions a minute, and the time until the queue is empty; a note where it never will be."""
    before = past.stocks.get(name, Stock())
    flow = past.flow_of(name)
    if flow:
        arrived, ended = flow
        minutes = (at - past.since) / 60
        measured.add("JobArrivals", at, max(arrived, now.more_than(before) + ended) / minutes, QueueName=name)
        measured.add("JobCompletions", at, ended / minutes, QueueName=name)
    to_empty_s = _time_to_empty_s(now.waiting, before.waiting, at - past.since)
    is_never = to_empty_s == math.inf
    measured.add("QueueTimeToEmpty", at, None if is_never else to_empty_s, QueueName=name)
    measured.note(f"queue:{name}", "empties", "never" if is_never else None)


def _time_to_empty_s(waiting: float | None, before: float | None, window_s: float) -> float | None:
    """Return when no job will wait any more, at the rate of the window; infinity: never, None: it cannot be told."""
    if waiting == 0:
        return 0.0
    if waiting is None or before is None:
        return None
    return waiting * window_s / (before - waiting) if waiting < before else math.inf


def _stocks(samples: Iterable[Sample]) -> dict[str, Stock]:
    parts: dict[str, dict[str, float]] = {}
    for sample in samples:
        if isinstance(sample.value, float):
            parts.setdefault(sample.dimensions[0][1], {})[_STOCK[sample.metric]] = sample.value
    return {name: Stock(**values) for name, values in parts.items()}
