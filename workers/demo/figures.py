"""What the demo tells of its jobs, read from the store."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitor.job import Fate, Job
from monitor.store import open_store, reads, totals

# What is shown live looks no further back for run times and waits, so that a demo left alone stays cheap.
TIMES_OF_LATEST_S = 600.0
LATEST_JOBS = 50
FAILED_JOBS = 1_000


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 95th percentile, linearly interpolated between the two nearest values."""

    p50_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class TaskFigures:
    """One task, or all: how many jobs are in each state, and how long runs took and waited (None without any run)."""

    task: str
    states: Counter[str]
    run: Spread | None
    wait: Spread | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of the jobs at one moment."""

    tasks: Sequence[TaskFigures]
    total: TaskFigures
    waiting: dict[str, int]  # by queue
    ended: Sequence[Job]  # the latest first


class Jobs:
    """The jobs of one demo, from its store."""

    def __init__(self, store_url: str, queues: Iterable[str]) -> None:
        self._engine = open_store(store_url, create=True)
        self._queues = tuple(queues)
        self._tasks: set[str] = set()

    def figures(self, since: float = 0.0) -> Figures:
        """Return all figures; run times and waits are those of the runs that ended since then (Unix seconds)."""
        times = {summary.task: summary for summary in totals.tasks(self._engine, since)}
        self._tasks |= times.keys() | {job.task for job in self._latest() if job.task}
        return Figures(
            tasks=[self._task(name, times.get(name)) for name in sorted(self._tasks)],
            total=self._task(None, _together(times.values())),
            waiting={queue: self._states(queue=queue)["waiting"] for queue in self._queues},
            ended=self._latest(states=frozenset(Fate)),
        )

    def are_open(self) -> bool:
        """Whether any job waits or runs."""
        states = self._states()
        return states["waiting"] + states["running"] > 0

    def errors(self) -> Counter[str]:
        """Return how many jobs failed, by the name of their error; no more than the latest 1,000 are counted."""
        failed = self._latest(FAILED_JOBS, states=frozenset({Fate.FAILED}))
        return Counter((job.error or "unknown").rpartition(".")[2] for job in failed)

    def lost_records(self) -> dict[str, int]:
        """Return how many records could not be kept, by reason."""
        return {reason: records for reason, (records, _) in reads.lost(self._engine).items()}

    def _task(self, name: str | None, times: totals.TaskSummary | None) -> TaskFigures:
        run_s, wait_s = (times.run_s, times.wait_s) if times else ([], [])
        return TaskFigures(name or "all", self._states(task=name), spread(run_s), spread(wait_s))

    def _states(self, *, task: str | None = None, queue: str | None = None) -> Counter[str]:
        return Counter(reads.count_by_state(self._engine, reads.JobFilter(task=task, queue=queue)))

    def _latest(self, limit: int = LATEST_JOBS, *, states: frozenset[str] = frozenset()) -> list[Job]:
        return reads.jobs_matching(self._engine, reads.JobFilter(states=states), limit)


def spread(values_s: Sequence[float]) -> Spread | None:
    """Return the spread of some times; None where there are none."""
    if not values_s:
        return None
    # statistics asks for two values at least (Python 3.11).
    twentieths = statistics.quantiles(
        values_s if len(values_s) > 1 else [*values_s, *values_s], n=20, method="inclusive"
    )
    return Spread(twentieths[9], twentieths[18])


def _together(times: Iterable[totals.TaskSummary]) -> totals.TaskSummary:
    together = totals.TaskSummary("all", {}, [], [])
    for summary in times:
        together.run_s.extend(summary.run_s)
        together.wait_s.extend(summary.wait_s)
    return together
