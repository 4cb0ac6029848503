"""Measures this process and its descendants: resident memory, and processor time."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

# To look for descendants takes a look at every process of the host: 40 µs each, 80 ms where there are 2,000.
SEARCH_EVERY_S = 30.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its descendants use; the processor in percent of one core since the last measuring, if any."""

    main_mb: float | None
    children_mb: float | None
    cpu_percent: float | None


class Family:
    """The family of this process: itself and its descendants. Belongs to one thread."""

    def __init__(self) -> None:
        self._main = psutil.Process()
        self._found: list[psutil.Process] = []
        self._searched_at: float | None = None
        self._known: dict[int, psutil.Process] = {}
        self._cpu_s: dict[psutil.Process, float] = {}
        self._measured_at: float | None = None

    def measure(self, children: Iterable[int] = ()) -> Usage:
        """Return what all use now. `children` are pids that are known to be ours, others are searched now and then."""
        now = time.monotonic()
        processes = self._children(set(children), now)
        sizes = {process: _resident_bytes(process) for process in processes}
        return Usage(
            main_mb=_resident_bytes(self._main) / 1e6,
            children_mb=sum(sizes.values()) / 1e6,
            cpu_percent=self._cpu_percent([self._main, *processes], now),
        )

    def _children(self, known: set[int], now: float) -> list[psutil.Process]:
        if self._searched_at is None or now - self._searched_at >= SEARCH_EVERY_S:
            self._searched_at = now
            self._found = self._main.children(recursive=True)
        found = {process.pid: process for process in self._found}
        wanted = (known | found.keys()) - {self._main.pid}
        present = {pid: self._known.get(pid) or found.get(pid) or _process(pid) for pid in wanted}
        self._known = {pid: process for pid, process in present.items() if process}
        return list(self._known.values())

    def _cpu_percent(self, processes: list[psutil.Process], now: float) -> float | None:
        """Return the processor time since the last measuring; a process that has ended since takes its share along."""
        before, self._cpu_s = self._cpu_s, {process: _cpu_s(process) for process in processes}
        since, self._measured_at = self._measured_at, now
        if since is None or now <= since:
            return None
        # One that was not seen before may have run for long: it counts from now on.
        used_s = sum(max(0.0, spent - before.get(process, spent)) for process, spent in self._cpu_s.items())
        return 100 * used_s / (now - since)


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.Error:
        return None  # it has ended


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0  # it has ended


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
