"""What recording costs the jobs: in process around Celery's own tracer, and end to end beside its peers.

    python -m benchmarks.overhead [--rounds 8] [--jobs 4000] [--quick]

In process: a no-op task runs through the tracer that pool children use, with no receiver, with empty receivers, and
with the monitor, in turns; CPU time of the thread, median over the rounds.

End to end: for each variant a prefork worker with two children on a queue of its own, all alive at once; each round
gives each of them the same number of no-op jobs, in a new random order. Ratios are medians of those of single rounds,
so that what else the machine does in a round weighs on all variants alike.
"""

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import psutil
import redis
from rich.console import Console
from rich.table import Table

from tests.servers import RedisServer
from tests.workers_process import CeleryProcess

VARIANTS = ("bare", "monitor", "events", "opentelemetry", "sentry")
HOOK_ROUNDS = 25
HOOK_JOBS = 2_000
SETTLE_S = 1.5

console = Console(width=110)


@dataclass
class Runner:
    """One variant's worker, and what its rounds measured."""

    variant: str
    worker: CeleryProcess
    cpu_us: list[float] = field(default_factory=list)  # a job, main process and children
    child_us: list[float] = field(default_factory=list)  # a job, children alone
    jobs_per_s: list[float] = field(default_factory=list)


@click.command(help=__doc__.partition("\n\n")[0])
@click.option("--rounds", default=8, help="Rounds of the end-to-end measurement.")
@click.option("--jobs", default=4_000, help="Jobs of each variant in each round.")
@click.option("--quick", is_flag=True, help="Three rounds of 500 jobs: whether it works, not what it costs.")
def main(rounds: int, jobs: int, quick: bool) -> None:  # noqa: FBT001
    """Measure, and print two tables."""
    rounds, jobs = (3, 500) if quick else (rounds, jobs)
    packages = ("celery", "kombu", "opentelemetry-instrumentation-celery", "sentry-sdk")
    console.print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f};", end=" ")
    console.print(", ".join(f"{name} {version(name)}" for name in packages))
    with tempfile.TemporaryDirectory(prefix="monitor-overhead-") as directory:
        measure_hooks(Path(directory))
        measure_workers(Path(directory), rounds, jobs)


def measure_hooks(directory: Path) -> None:
    """Print what the hooks add to one job, in microseconds."""
    os.environ["MONITOR_SPOOL_DIR"] = str(directory / "spool")
    os.environ["OVERHEAD_BROKER"], os.environ["OVERHEAD_VARIANT"] = "memory://", "monitor"
    from celery import signals  # noqa: PLC0415 (the application reads the environment when it is imported)
    from celery.app.trace import build_tracer  # noqa: PLC0415

    from benchmarks.overhead_app import app  # noqa: PLC0415

    app.finalize()
    run = build_tracer("overhead.noop", app.tasks["overhead.noop"], app=app, hostname="w1@alpha")
    hot = (signals.task_prerun, signals.task_postrun)
    listeners: dict[str, dict[Any, list[Any]]] = {
        "no receiver": {signal: [] for signal in hot},
        "empty receivers": {signal: [(("empty", 1), _empty)] for signal in hot},
        "monitor, both records": {signal: list(signal.receivers) for signal in hot},
    }
    us: dict[str, list[float]] = {name: [] for name in listeners}
    for number in range(HOOK_ROUNDS + 1):
        for name, receivers in listeners.items():
            for signal in hot:
                signal.receivers[:] = receivers[signal]
                signal.sender_receivers_cache.clear()
            spent_us = _traced(run)
            if number:  # the first round warms up
                us[name].append(spent_us)
    _print_hooks(us)


def _empty(**_: object) -> None:
    """Do nothing: what remains is the dispatch of the signal."""


def _traced(run: Callable[..., object]) -> float:
    """Return the CPU microseconds of one job."""
    requests = [_request() for _ in range(HOOK_JOBS)]
    before = time.thread_time()
    for request in requests:
        run(request["id"], (), {}, request)
    return (time.thread_time() - before) / HOOK_JOBS * 1e6


def _request() -> dict[str, object]:
    """Return a request as a worker hands it to its child."""
    job, now = str(uuid4()), time.time()
    return {
        "id": job,
        "task": "overhead.noop",
        "retries": 0,
        "root_id": job,
        "parent_id": None,
        "group": None,
        "eta": None,
        "expires": None,
        "hostname": "w1@alpha",
        "delivery_info": {"exchange": "", "routing_key": "optimization", "priority": 0, "redelivered": False},
        "argsrepr": "()",
        "kwargsrepr": "{}",
        "timelimit": [None, None],
        "ignore_result": True,
        "headers": {},
        "monitor_sent_at": now,
        "monitor_first_sent_at": now,
        "monitor_received_at": now,
    }


def _print_hooks(us: dict[str, list[float]]) -> None:
    table = Table(title=f"In process, {HOOK_ROUNDS} rounds of {HOOK_JOBS} jobs", title_justify="left")
    for heading in ("", "µs a job", "added µs", "fastest round, added µs"):
        table.add_column(heading, justify="left" if not heading else "right")
    bare = us["no receiver"]
    for name, spent in us.items():
        added = statistics.median(one - other for one, other in zip(spent, bare, strict=True))
        table.add_row(name, f"{statistics.median(spent):.1f}", f"{added:.1f}", f"{min(spent) - min(bare):.1f}")
    console.print(table)


def measure_workers(directory: Path, rounds: int, jobs: int) -> None:
    """Print what each variant costs a worker, beside the bare one."""
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer(directory / "redis"))
        url = stack.enter_context(server.database())
        broker = redis.Redis.from_url(url)
        runners = [stack.enter_context(_runner(variant, url, directory)) for variant in VARIANTS]
        message = _message(url)
        for number in range(rounds + 1):
            for runner in random.sample(runners, len(runners)):
                _run_round(runner, broker, message, jobs, is_warm_up=number == 0)
            console.print(f"round {number} of {rounds}", style="dim")
        _print_workers(runners, rounds, jobs)


@contextmanager
def _runner(variant: str, url: str, directory: Path) -> Iterator[Runner]:
    home = directory / variant
    home.mkdir()
    env = {"OVERHEAD_BROKER": url, "OVERHEAD_VARIANT": variant}
    env |= {"MONITOR_SPOOL_DIR": str(home / "spool"), "MONITOR_STORE_URL": f"sqlite:///{home}/store.db"}
    options = ["--without-mingle", "--without-gossip", *(["--task-events"] if variant == "events" else [])]
    worker = CeleryProcess(
        app="benchmarks.overhead_app",
        cwd=home,
        queues=[variant],
        concurrency=2,
        hostname=f"{variant}@bench",
        env=env,
        options=options,
    )
    with worker:
        yield Runner(variant, worker)


def _message(url: str) -> str:
    """Return one message as the application sends it, to be copied: sending is not what is measured."""
    send = "from benchmarks.overhead_app import noop; noop.apply_async(queue='template')"
    env = {**os.environ, "OVERHEAD_BROKER": url, "OVERHEAD_VARIANT": "monitor"}
    subprocess.run([sys.executable, "-c", send], env=env, check=True)
    broker = redis.Redis.from_url(url, decode_responses=True)
    return str(broker.lpop("template"))


def _run_round(runner: Runner, broker: redis.Redis, message: str, jobs: int, *, is_warm_up: bool) -> None:
    before = _cpu_ns(runner.worker)
    copies = [message] * jobs
    began = time.perf_counter()
    broker.lpush(runner.variant, *copies)
    _wait_until_done(runner, broker)
    took_s = time.perf_counter() - began
    time.sleep(SETTLE_S)  # what a variant does afterwards counts too: the monitor ships, the others export
    spent = {process: now - before.get(process, 0) for process, now in _cpu_ns(runner.worker).items()}
    if is_warm_up:
        return
    main_ns = spent.pop(runner.worker.pid, 0)
    runner.child_us.append(sum(spent.values()) / jobs / 1e3)
    runner.cpu_us.append((main_ns + sum(spent.values())) / jobs / 1e3)
    runner.jobs_per_s.append(jobs / took_s)


def _wait_until_done(runner: Runner, broker: redis.Redis) -> None:
    """Wait until the queue is empty and nothing of it is unacknowledged; prefork acknowledges when a job starts."""
    while broker.llen(runner.variant) or broker.hlen("unacked"):
        time.sleep(0.005)


def _cpu_ns(worker: CeleryProcess) -> dict[int, int]:
    """Return the CPU nanoseconds of the worker's processes, which the kernel counts for each thread."""
    spent = {}
    for process in [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]:
        stats = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
        spent[process.pid] = sum(int(path.read_text().split()[0]) for path in stats)
    return spent


def _print_workers(runners: list[Runner], rounds: int, jobs: int) -> None:
    table = Table(title=f"prefork -c 2, {rounds} rounds of {jobs} jobs", title_justify="left")
    headings = ("", "CPU µs a job", "children's", "CPU, ratio", "from – to", "jobs/s", "throughput, ratio", "from – to")
    for heading in headings:
        table.add_column(heading, justify="left" if not heading else "right")
    bare = runners[0]
    for runner in runners:
        cpu = _ratios(runner.cpu_us, bare.cpu_us)
        throughput = _ratios(runner.jobs_per_s, bare.jobs_per_s)
        table.add_row(
            runner.variant,
            f"{statistics.median(runner.cpu_us):.0f}",
            f"{statistics.median(runner.child_us):.0f}",
            f"{statistics.median(cpu):.3f}",
            f"{min(cpu):.2f} – {max(cpu):.2f}",
            f"{statistics.median(runner.jobs_per_s):.0f}",
            f"{statistics.median(throughput):.3f}",
            f"{min(throughput):.2f} – {max(throughput):.2f}",
        )
    console.print(table)


def _ratios(ours: list[float], theirs: list[float]) -> list[float]:
    return [one / other for one, other in zip(ours, theirs, strict=True)]


if __name__ == "__main__":
    main()
