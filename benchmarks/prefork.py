"""What the monitor and its peers cost a prefork worker, measured end to end, beside a bare one."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import redis

from benchmarks.overhead_app import READY
from monitor.store import upgrade_store
from tests.processes import wait_until
from tests.servers import PostgresServer, RedisServer
from tests.workers_process import REPOSITORY, CeleryProcess, worker_environment

BARE = "bare"
ON_POSTGRESQL = "monitor-on-postgresql"
# A second bare worker shows how far two that are the same come apart.
VARIANTS = (BARE, "bare-again", "monitor", ON_POSTGRESQL, "events", "opentelemetry", "sentry")

WARM_UP_JOBS = 500

ROUND_TIMEOUT_S = 300.0
IDLE_FOR_S = 0.7  # longer than the monitor's shipper rests
IDLE_BELOW = 0.02  # of one core


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of one variant measured: CPU in microseconds a job, by where it was spent."""

    loop_us: float  # the main process's main thread: the event loop
    threads_us: float  # its other threads: for the monitor, the shipper
    children_us: float
    jobs_per_s: float

    @property
    def cpu_us(self) -> float:
        """All of it."""
        return self.loop_us + self.threads_us + self.children_us


@dataclass(frozen=True, slots=True)
class Runner:
    """One variant's worker, new in each round: how fast a process is differs from start to start."""

    variant: str
    env: dict[str, str]
    worker: CeleryProcess

    def measure(self, broker: redis.Redis, jobs: int) -> Round:
        """Let the worker do some jobs to warm up, and measure it with others."""
        for count in (WARM_UP_JOBS, jobs):
            self.send(count)
            self.wait_until_idle()
            measured = self.work(broker, count)
        return measured

    def send(self, jobs: int) -> None:
        """Send new jobs from a process with the same instrumentation, to a queue that nobody consumes."""
        command = [sys.executable, "-m", "benchmarks.overhead_app", str(jobs)]
        subprocess.run(command, env=worker_environment(self.env), cwd=REPOSITORY, check=True)

    def work(self, broker: redis.Redis, jobs: int) -> Round:
        """Give the worker the jobs that were sent, and measure it until it is idle again."""
        before_ns = self._cpu_ns()
        began = time.perf_counter()
        broker.rename(f"{self.variant}.next", self.variant)
        wait_until(lambda: self._is_done(broker), what=f"{self.variant} has done its jobs", timeout_s=ROUND_TIMEOUT_S)
        took_s = time.perf_counter() - began
        self.wait_until_idle()  # what comes afterwards counts too: the monitor ships, the others export
        loop_us, threads_us, children_us = (
            (now - before) / jobs / 1e3 for now, before in zip(self._cpu_ns(), before_ns, strict=True)
        )
        return Round(loop_us, threads_us, children_us, jobs / took_s)

    def wait_until_idle(self) -> None:
        """Wait until the worker uses next to no CPU."""
        before_ns = sum(self._cpu_ns())
        while True:
            time.sleep(IDLE_FOR_S)
            now_ns = sum(self._cpu_ns())
            if now_ns - before_ns < IDLE_BELOW * IDLE_FOR_S * 1e9:
                return
            before_ns = now_ns

    def _is_done(self, broker: redis.Redis) -> bool:
        # Prefork acknowledges a job when it starts; only one worker is busy at a time.
        return not (broker.llen(self.variant) or broker.hlen("unacked"))

    def _cpu_ns(self) -> tuple[int, int, int]:
        """Return the CPU nanoseconds of main thread, other threads and children, as the kernel counts them."""
        main = psutil.Process(self.worker.pid)
        of_main = _threads_ns(main.pid)
        of_children = sum(sum(_threads_ns(child.pid).values()) for child in main.children(recursive=True))
        loop_ns = of_main.pop(main.pid)
        return loop_ns, sum(of_main.values()), of_children


def measure(
    directory: Path, variants: Sequence[str], rounds: int, jobs: int, after_round: Callable[[int], None]
) -> dict[str, list[Round]]:
    """Return the rounds of each variant, which take turns in a new random order each round."""
    found: dict[str, list[Round]] = {variant: [] for variant in variants}
    with ExitStack() as stack:
        directory.chmod(0o755)  # PostgreSQL runs as an account of its own
        broker_url = stack.enter_context(stack.enter_context(RedisServer(directory / "redis")).database())
        postgres = stack.enter_context(PostgresServer(directory / "postgres"))
        broker = redis.Redis.from_url(broker_url)
        for number in range(1, rounds + 1):
            for variant in random.sample(variants, len(variants)):
                home = directory / f"{number}-{variant}"
                with postgres.database() as store_url, _runner(variant, home, broker_url, store_url) as runner:
                    found[variant].append(runner.measure(broker, jobs))
            after_round(number)
    return found


@contextmanager
def _runner(variant: str, home: Path, broker_url: str, postgres_url: str) -> Iterator[Runner]:
    home.mkdir()
    store_url = postgres_url if variant == ON_POSTGRESQL else f"sqlite:///{home}/store.db"
    upgrade_store(store_url)
    env = {"OVERHEAD_BROKER": broker_url, "OVERHEAD_VARIANT": variant}
    env |= {"MONITOR_SPOOL_DIR": str(home / "spool"), "MONITOR_STORE_URL": store_url}
    options = ["--without-mingle", "--without-gossip", "--loglevel", "WARNING"]
    options += ["--task-events"] if variant == "events" else []
    worker = CeleryProcess(
        app="benchmarks.overhead_app",
        cwd=home,
        queues=[variant],
        concurrency=2,
        hostname=f"{variant}@bench",
        env=env,
        options=options,
    )
    # Below the level at which a worker logs that it is ready, and each job.
    worker.ready_line = READY
    with worker:
        yield Runner(variant, env, worker)
        worker.terminate()


def _threads_ns(pid: int) -> dict[int, int]:
    """Return the CPU nanoseconds of each thread of a process."""
    threads = os.scandir(f"/proc/{pid}/task")
    return {int(thread.name): int(Path(thread.path, "schedstat").read_text().split()[0]) for thread in threads}
