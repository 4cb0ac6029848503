"""Measures the jobs: what ended in each closed minute, how long it took and waited, told from the store's rows."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from monitor.job import Fate
from monitor.sample import Distribution, Measured
from monitor.store import Store
from monitor.store.measured import notes_about
from monitor.store.totals import EndedJob, EndedRun, ended_jobs, ended_runs

MINUTE_S = 60
# How long after its end a minute is measured: until then its last events have come through the spool.
SETTLED_AFTER_S = 10
# After an outage the minutes since are measured too, as far back as this; so many at once that a tick can end in time.
CATCH_UP_S = 24 * 60 * MINUTE_S
AT_ONCE_S = 30 * MINUTE_S

SUBJECT, MEASURED_UNTIL = "jobs", "measured until"
FAILURES = frozenset({Fate.FAILED, Fate.TIMED_OUT, Fate.LOST, Fate.UNKNOWN, Fate.UNREADABLE})


def sample_jobs(store: Store, at: float) -> Measured:
    """Return the samples of the closed minutes that have none yet, each stamped with its minute's beginning.

    A minute in which nothing ended has none: zeros of known series are the publisher's to add.
    """
    last = at - SETTLED_AFTER_S
    since = _measured_until(store, last - last % MINUTE_S)
    until = min(last - last % MINUTE_S, since + AT_ONCE_S)
    measured = Measured()
    for minute in range(int(since), int(until), MINUTE_S):
        _measure_minute(measured, store, float(minute))
    measured.note(SUBJECT, MEASURED_UNTIL, str(int(until)))
    return measured


def _measured_until(store: Store, until: float) -> float:
    """Return the end of the last minute that was measured; at first, the minute before."""
    for noted in notes_about(store, SUBJECT):
        if (noted.subject, noted.name) == (SUBJECT, MEASURED_UNTIL):
            return max(float(noted.text), until - CATCH_UP_S)
    return until - MINUTE_S


def _measure_minute(measured: Measured, store: Store, minute: float) -> None:
    _add_runs(measured, minute, ended_runs(store, minute, minute + MINUTE_S))
    _add_jobs(measured, minute, ended_jobs(store, minute, minute + MINUTE_S))


def _add_runs(measured: Measured, minute: float, runs: Iterable[EndedRun]) -> None:
    took: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for run in runs:
        if run.run_s is not None:
            took["JobRunTime", "Task", run.task].append(run.run_s * 1e3)
            if "scenario_type" in run.labels:
                took["OptimizationDuration", "ScenarioType", run.labels["scenario_type"]].append(run.run_s * 1e3)
        if run.wait_s is not None:
            took["JobWait", "Task", run.task].append(run.wait_s * 1e3)
    for (metric, dimension, value), times_ms in took.items():
        measured.add(metric, minute, Distribution.of(times_ms), **{dimension: value})


def _add_jobs(measured: Measured, minute: float, jobs: Iterable[EndedJob]) -> None:
    finished: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    for job in jobs:
        finished[job.task, job.fate] += 1
        if job.fate in FAILURES:
            # The platform's two kinds of job have a queue each; what went wrong without an exception has its fate.
            failed[job.queue or job.task, job.error or job.fate] += 1
    for (task, fate), count in finished.items():
        measured.add("JobsFinished", minute, count, Task=task, Fate=fate)
    for (kind, error), count in failed.items():
        measured.add("JobFailures", minute, count, JobType=kind, ErrorCode=error)
