"""How fast the shipper moves records from the spool into SQLite and PostgreSQL.

    python -m benchmarks.ship [--jobs 20000] [--rounds 3] [--quick]

Records are those of real lives: sent, started and ended, some failed with a traceback, some retried, with arguments
and labels, told by one sender and three children. Two ways they come:

- whole: a job's records are all in the spool when it is shipped, as after an outage of the store, or for short jobs;
- apart: each of a job's records comes in another pass, so that its life is read and told again each time.

Each round ships both ways into both stores, in a random order; each store goes on growing. The rate is of the
shipper's own CPU time (one core); by the clock it is slower by what the database does meanwhile.
"""

import os
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks.lives import Host
from monitor.job import Event
from monitor.settings import Settings
from monitor.shipper import Shipper
from monitor.spool import Spool
from monitor.store import upgrade_store
from tests.servers import PostgresServer

WAYS = ("whole", "apart")

console = Console(width=110)

Life = list[tuple[Spool, Event]]


@dataclass(frozen=True, slots=True)
class Measure:
    """What shipping so many records took."""

    records: int
    cpu_s: float
    wall_s: float


@click.command(help=__doc__.partition("\n\n")[0])
@click.option("--jobs", default=20_000, help="Jobs that are shipped each way in each round.")
@click.option("--rounds", default=3, help="Rounds; the store grows from round to round.")
@click.option("--quick", is_flag=True, help="One round of 500 jobs: whether it works, not how fast.")
def main(jobs: int, rounds: int, quick: bool) -> None:  # noqa: FBT001
    """Measure, and print a table."""
    jobs, rounds = (500, 1) if quick else (jobs, rounds)
    packages = ", ".join(f"{name} {version(name)}" for name in ("sqlalchemy", "psycopg", "msgspec"))
    console.print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}; {packages}")
    with tempfile.TemporaryDirectory(prefix="monitor-ship-") as name, ExitStack() as stack:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL runs as an account of its own
        server = stack.enter_context(PostgresServer(directory / "postgres"))
        stores = {
            "SQLite": f"sqlite:///{directory}/store.db",
            "PostgreSQL": stack.enter_context(server.database()),
        }
        for url in stores.values():
            upgrade_store(url)
        _print(_measure_all(directory, stores, jobs, rounds), jobs)


def _measure_all(
    directory: Path, stores: dict[str, str], jobs: int, rounds: int
) -> dict[tuple[str, str], list[Measure]]:
    found = defaultdict(list)
    cases = [(store, way) for store in stores for way in WAYS]
    for number in range(rounds):
        for store, way in random.sample(cases, len(cases)):
            spool = directory / f"spool-{number}-{store}-{way}"
            found[store, way].append(_measure(spool, stores[store], way, jobs, seed=number))
        console.print(f"round {number + 1} of {rounds}", style="dim")
    return found


def _measure(spool: Path, url: str, way: str, jobs: int, seed: int) -> Measure:
    """Ship so many new jobs in that way."""
    lives = Host(spool, seed=hash((url, way, seed))).lives(jobs)
    shipper = Shipper(Settings.from_env({"MONITOR_STORE_URL": url, "MONITOR_SPOOL_DIR": str(spool)}))
    cpu_s = wall_s = 0.0
    for records in _passes(lives, way):
        for writer, event in records:
            writer.append(event)
        began, began_cpu = time.perf_counter(), time.thread_time()
        shipper.ship()
        wall_s, cpu_s = wall_s + time.perf_counter() - began, cpu_s + time.thread_time() - began_cpu
    shipper.close()
    return Measure(sum(map(len, lives)), cpu_s, wall_s)


def _passes(lives: list[Life], way: str) -> list[Life]:
    """Return the records of each pass of the shipper."""
    if way == "whole":
        return [[told for life in lives for told in life]]
    return [[told for told in step if told is not None] for step in zip_longest(*lives)]


def _print(found: dict[tuple[str, str], list[Measure]], jobs: int) -> None:
    rounds = len(next(iter(found.values())))
    table = Table(title=f"{rounds} rounds of {jobs} new jobs, medians", title_justify="left")
    for heading in (
        "store",
        "a job's records",
        "records",
        "records/s of CPU",
        "records/s by the clock",
        "CPU µs a record",
    ):
        table.add_column(heading, justify="left" if heading in {"store", "a job's records"} else "right")
    for (store, way), measures in sorted(found.items(), reverse=True):
        by_cpu = statistics.median(measure.records / measure.cpu_s for measure in measures)
        by_clock = statistics.median(measure.records / measure.wall_s for measure in measures)
        records = statistics.median(measure.records for measure in measures)
        table.add_row(store, way, f"{records:.0f}", f"{by_cpu:.0f}", f"{by_clock:.0f}", f"{1e6 / by_cpu:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
