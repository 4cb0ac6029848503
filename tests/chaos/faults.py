"""Forks processes, kills them, at random too, and starts programs again as a supervisor would."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

from monitor.spool import SUFFIX
from tests.processes import ChildProcess, ProcessError

LOOK_EVERY_S = 0.1


class Supervisor:
    """Starts each program again whenever it ended, as systemd or Kubernetes would."""

    def __init__(self, programs: Sequence[ChildProcess]) -> None:
        self._programs = programs
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._keep_up, args=[program]) for program in programs]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _keep_up(self, program: ChildProcess) -> None:
        while not self._done.wait(LOOK_EVERY_S):
            if not program.is_running():
                with suppress(ProcessError):  # killed again while it started
                    program.start()


class Killer:
    """Kills with SIGKILL: pool children, workers' main processes, and whoever ships."""

    def __init__(self, workers: Sequence[ChildProcess], spool_dir: Path, chance: random.Random) -> None:
        self._workers = workers
        self._spool_dir = spool_dir
        self._chance = chance
        self.kills: Counter[str] = Counter()
        self.mains_killed = 0

    def strike(self) -> None:
        """Kill one process, if one of the kind that chance chose is there."""
        kind = self._chance.choices(("child", "main", "shipper"), weights=(6, 2, 2))[0]
        pid = {"child": self._child, "main": self._main, "shipper": self._shipper}[kind]()
        if pid is None:
            return
        self.mains_killed += pid in {worker.pid for worker in self._workers}
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.kills[kind] += 1

    def _child(self) -> int | None:
        children = [child.pid for worker in self._workers for child in worker.descendants()]
        return self._chance.choice(children) if children else None

    def _main(self) -> int | None:
        running = [worker.pid for worker in self._workers if worker.is_running()]
        return self._chance.choice(running) if running else None

    def _shipper(self) -> int | None:
        return shipper_of(self._spool_dir)


def shipper_of(spool_dir: Path) -> int | None:
    """Return the process that ships this spool: the one that the kernel says has the lock."""
    try:
        inode = (spool_dir / "shipper.lock").stat().st_ino
    except FileNotFoundError:
        return None
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    owners = [int(fields[4]) for fields in locks if fields[1] != "->" and fields[5].endswith(f":{inode}")]
    return next((pid for pid in owners if psutil.pid_exists(pid)), None)


def open_segments() -> list[str]:
    """Return the segments of spools that this process holds open."""
    targets = [entry.readlink() for entry in Path("/proc/self/fd").iterdir() if entry.exists()]
    return [target.name for target in targets if target.suffix == SUFFIX]


def forked(action: Callable[[], object]) -> int:
    """Do something in a child of these tests' process; return its process id."""
    pid = os.fork()
    if pid == 0:
        try:
            action()
        finally:
            os._exit(0)
    return pid


def killed(pid: int, after_s: float = 0.0) -> bool:
    """Kill a forked child after a while; return whether it came to that before its end."""
    time.sleep(after_s)
    os.kill(pid, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])
