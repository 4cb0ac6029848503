"""Series of samples, and what is known of them now: a value that nobody has measured since is not known any more."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from monitor.cli import sparklines
from monitor.sample import METRICS, Distribution, Sample, Unit
from monitor.store import Store
from monitor.store.measured import Noted, series_since

HOUR_S = 3_600.0

# A value is known until three measurings were missed, like a lease. How often a series is measured shows in its latest
# samples; of a single one the longest usual period is assumed.
PERIODS = 3
USUAL_PERIOD_S = 60.0
LONGEST_CURRENT_S = 600.0
LATEST_GAPS = 8

DRAWN_PERCENTILE = 95

Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Series:
    """The samples of one metric and one set of dimensions, oldest first, at least one; and the time it is now."""

    metric: str
    dimensions: Dimensions
    samples: Sequence[Sample]
    now: float

    @property
    def latest(self) -> Sample:
        """The latest sample."""
        return self.samples[-1]

    @property
    def age_s(self) -> float:
        """How long ago the latest sample was taken."""
        return max(0.0, self.now - self.latest.at)

    @property
    def is_current(self) -> bool:
        """Whether the latest value is still known: no three measurings were missed since."""
        return self.age_s <= min(PERIODS * self._period_s, LONGEST_CURRENT_S)

    def sparkline(self, span_s: float, cells: int, least_top: float = 0.0) -> str:
        """Draw the time before now; of distributions their 95th percentiles. Memory is drawn without its base."""
        end = self.latest.at if self.is_current else self.now
        points = [(sample.at, height(sample.value)) for sample in self.samples if has_values(sample.value)]
        from_zero = METRICS[self.metric].unit is not Unit.MEGABYTES
        return sparklines.drawn(points, end, span_s, cells, from_zero=from_zero, least_top=least_top)

    @property
    def _period_s(self) -> float:
        if METRICS[self.metric].emitter == "jobs":
            return USUAL_PERIOD_S  # of minutes in which nothing ended there are no samples
        gaps = (later.at - earlier.at for later, earlier in pairwise(reversed(self.samples)))
        return min(islice(gaps, LATEST_GAPS), default=USUAL_PERIOD_S)


class Measurements:
    """All series of some metrics that have one and the same dimension."""

    def __init__(self, found: Iterable[Series]) -> None:
        self._found = {(one.metric, one.dimensions[0][1]): one for one in found}

    def series(self, metric: str, name: str) -> Series | None:
        """Return the series of that metric and name."""
        return self._found.get((metric, name))

    def at(self, metric: str, name: str, at: float) -> float | None:
        """Return the value that was measured at that time; None where none was."""
        one = self.series(metric, name)
        return one.latest.value if one and one.latest.at == at and isinstance(one.latest.value, float) else None

    def names(self) -> set[str]:
        """Return the names of all."""
        return {name for _, name in self._found}


def read(store: Store, now: float, span_s: float, metrics: Iterable[str]) -> Iterator[Series]:
    """Yield the series of these metrics that have a sample in the time before now."""
    for (metric, dimensions), samples in series_since(store, now - span_s, metrics).items():
        if metric in METRICS:
            yield Series(metric, dimensions, samples, now)


def has_values(value: float | Distribution) -> bool:
    """Whether it is a number, or a distribution of any."""
    return not isinstance(value, Distribution) or value.count > 0


def height(value: float | Distribution) -> float:
    """Return what a value is drawn as."""
    return value.percentile(DRAWN_PERCENTILE) if isinstance(value, Distribution) else value


def by_subject(notes: Iterable[Noted], kind: str) -> Mapping[str, Mapping[str, Noted]]:
    """Return the notes about one kind of subject, as "queue", by the subject's name and their own."""
    found: dict[str, dict[str, Noted]] = {}
    for noted in notes:
        found.setdefault(noted.subject.removeprefix(f"{kind}:"), {})[noted.name] = noted
    return found
