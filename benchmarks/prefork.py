"""What the monitor and its peers cost a prefork worker, measured end to end, beside a bare one."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import redis

from benchmarks.overhead_app import READY
from tests.processes import wait_until
from tests.servers import RedisServer
from tests.workers_process import REPOSITORY, CeleryProcess, worker_environment

VARIANTS = ("bare", "monitor", "events", "opentelemetry", "sentry")

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


@dataclass
class Runner:
    """One variant's worker, alive through all rounds."""

    variant: str
    env: dict[str, str]
    worker: CeleryProcess
    rounds: list[Round] = field(default_factory=list)

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
) -> list[Runner]:
    """Return the runners with their rounds; round 0, which warms up, is not kept."""
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer(directory / "redis"))
        url = stack.enter_context(server.database())
        broker = redis.Redis.from_url(url)
        runners = [stack.enter_context(_runner(variant, url, directory)) for variant in variants]
        for number in range(rounds + 1):
            for runner in runners:
                runner.send(jobs)
            for runner in random.sample(runners, len(runners)):
                runner.wait_until_idle()
                measured = runner.work(broker, jobs)
                runner.rounds += [measured] if number else []
            after_round(number)
    return runners


@contextmanager
def _runner(variant: str, url: str, directory: Path) -> Iterator[Runner]:
    home = directory / variant
    home.mkdir()
    env = {"OVERHEAD_BROKER": url, "OVERHEAD_VARIANT": variant}
    env |= {"MONITOR_SPOOL_DIR": str(home / "spool"), "MONITOR_STORE_URL": f"sqlite:///{home}/store.db"}
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


def _threads_ns(pid: int) -> dict[int, int]:
    """Return the CPU nanoseconds of each thread of a process."""
    threads = os.scandir(f"/proc/{pid}/task")
    return {int(thread.name): int(Path(thread.path, "schedstat").read_text().split()[0]) for thread in threads}
