"""How fast the shipper moves records from the spool into SQLite and PostgreSQL.

    python -m benchmarks.ship [--jobs 3000] [--rounds 5] [--stored 200000] [--quick]

Records are those of real lives: sent, started and ended, some failed with a traceback, some retried, with arguments
and labels, told by one sender and three children. They come in two ways:

- whole: all of a job's records are there when it is shipped, as for short jobs, or after an outage of the store;
- apart: each of a job's records comes in another pass, so that its life is read and told again each time.

Both ways are shipped into both stores, in a new random order each round: first into an empty store, then into one that
holds many jobs already. The rate is of the shipper's own CPU time, one core; by the clock it is slower by what the
database and the machine do meanwhile.
"""

import gc
import os
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import click

from benchmarks.lives import Host
from benchmarks.report import console, say, say_where
from monitor.job import Event
from monitor.settings import Settings
from monitor.shipper import Shipper
from monitor.spool import Spool
from monitor.store import open_store, reads, upgrade_store
from tests.servers import PostgresServer

WAYS = ("whole", "apart")
FILL_AT_ONCE = 20_000
PACKAGES = ("sqlalchemy", "psycopg", "msgspec")

Told = list[tuple[Spool, Event]]


@dataclass(frozen=True, slots=True)
class Measure:
    """What shipping so many records took."""

    records: int
    cpu_s: float
    wall_s: float


@dataclass(frozen=True, slots=True)
class Depot:
    """A store with a host that ships into it."""

    name: str
    url: str
    host: Host
    shipper: Shipper

    def ship(self, jobs: int, way: str) -> Measure:
        """Let new jobs live, and ship what is told of them in that way."""
        lives = self.host.lives(jobs)
        cpu_s = wall_s = 0.0
        for told in _passes(lives, way):
            for spool, event in told:
                spool.append(event)
            gc.collect()  # of the records made here, which are not the shipper's garbage
            began, began_cpu = time.perf_counter(), time.thread_time()
            self.shipper.ship()
            wall_s, cpu_s = wall_s + time.perf_counter() - began, cpu_s + time.thread_time() - began_cpu
        return Measure(sum(map(len, lives)), cpu_s, wall_s)

    def check(self, jobs: int) -> None:
        """Make sure that the store holds so many jobs, and lost nothing."""
        engine = open_store(self.url)
        counted = reads.count_by_state(engine, reads.JobFilter())
        assert sum(counted.values()) == jobs, f"{self.name} holds {counted}, not {jobs} jobs"
        assert not reads.lost(engine), f"{self.name} lost {reads.lost(engine)}"
        engine.dispose()


@click.command(help=__doc__.partition("\n\n")[0])
@click.option("--jobs", type=click.IntRange(min=1), default=3_000, show_default=True, help="Jobs each way a round.")
@click.option(
    "--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Rounds with each size of store."
)
@click.option(
    "--stored", type=click.IntRange(min=1), default=200_000, show_default=True, help="Jobs of the full store."
)
@click.option("--quick", is_flag=True, help="One round of 500 jobs: whether it works, not how fast.")
def main(jobs: int, rounds: int, stored: int, quick: bool) -> None:  # noqa: FBT001
    """Measure, and print a table."""
    jobs, rounds, stored = (500, 1, 2_000) if quick else (jobs, rounds, stored)
    say_where(PACKAGES)
    with _depots() as depots:
        found = _measure(depots, jobs, rounds, "empty")
        for depot in depots:
            _fill(depot, stored)
        found |= _measure(depots, jobs, rounds, f"{stored:,} jobs")
        for depot in depots:
            depot.check(stored + 2 * rounds * jobs * len(WAYS))
    _say(found, jobs, rounds)


@contextmanager
def _depots() -> Iterator[list[Depot]]:
    with tempfile.TemporaryDirectory(prefix="monitor-ship-") as name, ExitStack() as stack:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL runs as an account of its own
        server = stack.enter_context(PostgresServer(directory / "postgres"))
        postgres_url = stack.enter_context(server.database())
        depots = [
            _depot("SQLite", f"sqlite:///{directory}/store.db", directory),
            _depot("PostgreSQL", postgres_url, directory),
        ]
        yield depots
        for depot in depots:
            depot.shipper.close()


def _depot(name: str, url: str, directory: Path) -> Depot:
    upgrade_store(url)
    spool = directory / f"spool-{name}"
    settings = Settings.from_env(
        {"MONITOR_STORE_URL": url, "MONITOR_SPOOL_DIR": str(spool), "MONITOR_CODE_VERSION": "v1"}
    )
    return Depot(name, url, Host(spool, seed=os.getpid()), Shipper(settings))


def _measure(depots: list[Depot], jobs: int, rounds: int, store: str) -> dict[tuple[str, str, str], list[Measure]]:
    found = defaultdict(list)
    cases = [(depot, way) for depot in depots for way in WAYS]
    for number in range(1, rounds + 1):
        for depot, way in random.sample(cases, len(cases)):
            found[depot.name, store, way].append(depot.ship(jobs, way))
        console.print(f"{store}: round {number} of {rounds}", style="dim")
    return dict(sorted(found.items(), reverse=True))


def _fill(depot: Depot, jobs: int) -> None:
    for done in range(0, jobs, FILL_AT_ONCE):
        depot.ship(min(FILL_AT_ONCE, jobs - done), "whole")
    console.print(f"{depot.name}: filled", style="dim")


def _passes(lives: list[Told], way: str) -> list[Told]:
    """Return the records of each pass of the shipper."""
    if way == "whole":
        return [[told for life in lives for told in life]]
    return [[told for told in step if told is not None] for step in zip_longest(*lives)]


def _say(found: dict[tuple[str, str, str], list[Measure]], jobs: int, rounds: int) -> None:
    headings = ("", "the store was", "records came", "records/s of CPU", "from – to", "by the clock", "CPU µs a record")
    rows = [(*case, *_figures(measures)) for case, measures in found.items()]
    say(f"Shipping: {rounds} rounds of {jobs} new jobs, medians", headings, rows)


def _figures(measures: list[Measure]) -> tuple[str, ...]:
    by_cpu = [measure.records / measure.cpu_s for measure in measures]
    by_clock = statistics.median(measure.records / measure.wall_s for measure in measures)
    median = statistics.median(by_cpu)
    return f"{median:,.0f}", f"{min(by_cpu):,.0f} – {max(by_cpu):,.0f}", f"{by_clock:,.0f}", f"{1e6 / median:.1f}"


if __name__ == "__main__":
    main()
