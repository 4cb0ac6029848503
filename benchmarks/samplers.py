"""What the samplers cost that ask the store: workers, memory, jobs, schedules; and what it costs to keep samples.

    python -m benchmarks.samplers [--rounds 15] [--quick]

As the number of leases, of jobs that ended in the minute, of schedule entries and of samples grows, on SQLite and on
PostgreSQL with PostgreSQL's own work left out. Medians of ticks, by the clock and in CPU time of this process.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
from celery import Celery
from celery.schedules import crontab

from benchmarks.lives import Host
from benchmarks.report import console, say, say_where
from monitor.sample import Measured
from monitor.sampling.jobs import sample_jobs
from monitor.sampling.memory import sample_memory
from monitor.sampling.schedules import sample_schedules
from monitor.sampling.workers import sample_workers
from monitor.settings import Settings
from monitor.shipper import Shipper
from monitor.store import Store, open_store, reads, upgrade_store
from monitor.store.measured import clock, renew_lease, save_measured
from tests.monitor.sampling.given import lease_of
from tests.servers import PostgresServer

PACKAGES = ("sqlalchemy", "psycopg", "celery")
MINUTE_S = 60
SETTLED_S = 10

Tick = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Case:
    """A sampler, and how large its subject is."""

    what: str
    unit: str
    sizes: tuple[int, ...]
    prepare: Callable[[Store, str, int], Tick]


def _workers(store: Store, _: str, leases: int) -> Tick:
    _lease(store, leases)
    return lambda: sample_workers(store, clock(store))


def _memory(store: Store, _: str, leases: int) -> Tick:
    _lease(store, leases)
    return lambda: sample_memory(store, clock(store))


def _lease(store: Store, leases: int) -> None:
    for number in range(leases):
        renew_lease(store, lease_of(f"worker-{number}@host", f"p{number}", renewed_at=clock(store)))


def _jobs(store: Store, url: str, jobs: int) -> Tick:
    """Let jobs end, and measure the minute in which they did."""
    with tempfile.TemporaryDirectory() as spool:
        shipper = Shipper(Settings.from_env({"MONITOR_STORE_URL": url, "MONITOR_SPOOL_DIR": spool}))
        for life in Host(Path(spool), seed=jobs).lives(jobs):
            for its_spool, event in life:
                its_spool.append(event)
        shipper.ship()
        shipper.close()
    now = time.time()
    return lambda: sample_jobs(store, now - now % MINUTE_S + MINUTE_S + SETTLED_S)


def _schedules(store: Store, _: str, entries: int) -> Tick:
    app = Celery("benchmark", set_as_current=False)
    app.conf.beat_schedule = {
        f"entry-{number}": {"task": "tidy", "schedule": crontab(minute=str(number % 60))} for number in range(entries)
    }
    return lambda: sample_schedules(app, store, time.time(), partial(reads.jobs_of_entries, store))


def _keeping(store: Store, _: str, samples: int) -> Tick:
    """Keep samples of that many series; each tick is another time."""
    ticks = iter(range(1_000_000))

    def keep() -> None:
        measured, at = Measured(), 15.0 * next(ticks)
        for number in range(samples):
            measured.add("JobQueueDepth", at, number, QueueName=f"queue-{number}")
        save_measured(store, measured, at)

    return keep


CASES = (
    Case("workers", "leases", (1, 10, 100, 1_000), _workers),
    Case("memory", "leases", (1, 10, 100, 1_000), _memory),
    Case("jobs", "jobs in the minute", (0, 100, 1_000, 10_000), _jobs),
    Case("schedules", "entries", (1, 10, 100), _schedules),
    Case("keeping", "samples", (10, 100, 1_000), _keeping),
)


@click.command(help=__doc__.partition("\n\n")[0])
@click.option("--rounds", type=click.IntRange(min=1), default=15, show_default=True, help="Ticks of each case.")
@click.option("--quick", is_flag=True, help="Two ticks of the small cases: whether it works, not how fast.")
def main(rounds: int, quick: bool) -> None:  # noqa: FBT001
    """Measure, and print a table."""
    rounds = 2 if quick else rounds
    say_where(PACKAGES)
    rows = []
    with tempfile.TemporaryDirectory(prefix="monitor-samplers-") as name, ExitStack() as stack:
        Path(name).chmod(0o755)  # PostgreSQL runs as an account of its own
        server = stack.enter_context(PostgresServer(Path(name) / "postgres"))
        for case in CASES:
            for size in case.sizes[:2] if quick else case.sizes:
                told = [_measure(server, case, size, kind, rounds) for kind in ("sqlite", "postgresql")]
                rows.append((case.what, f"{size:,} {case.unit}", *told[0], *told[1]))
            console.print(f"{case.what}: measured", style="dim")
    headings = ("", "of", "SQLite ms", "CPU ms", "PostgreSQL ms", "CPU ms")
    say(f"Samplers that ask the store, {rounds} ticks each, medians", headings, rows)


def _measure(server: PostgresServer, case: Case, size: int, kind: str, rounds: int) -> tuple[str, str]:
    with _store(server, kind) as (store, url):
        tick = case.prepare(store, url, size)
        tick()  # opens what it needs
        took = [_took(tick) for _ in range(rounds)]
    wall_s, cpu_s = zip(*took, strict=True)
    return f"{statistics.median(wall_s) * 1e3:.1f}", f"{statistics.median(cpu_s) * 1e3:.1f}"


def _took(tick: Tick) -> tuple[float, float]:
    began, began_cpu = time.perf_counter(), time.process_time()
    tick()
    return time.perf_counter() - began, time.process_time() - began_cpu


@contextmanager
def _store(server: PostgresServer, kind: str) -> Iterator[tuple[Store, str]]:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        url = f"sqlite:///{name}/store.db" if kind == "sqlite" else stack.enter_context(server.database())
        upgrade_store(url)
        store = open_store(url)
        yield store, url
        store.dispose()


if __name__ == "__main__":
    main()
