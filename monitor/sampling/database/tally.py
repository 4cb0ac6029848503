"""Counts what one process's connection pool did, in plain numbers, until it is time to tell."""

import os
import threading
from dataclasses import dataclass, field

from monitor.sample import Distribution, Measured

TELL_EVERY_S = 30.0
FOLD_AT = 256  # so many times are kept one by one; more become a distribution, which hardly grows

_NOTHING = Distribution(())


class Tally:
    """What one process's pool did since it last told; the first checkout is told at once."""

    def __init__(self, pool: str) -> None:
        self.pool = pool
        self.pid = os.getpid()
        self._lock = threading.Lock()
        self._told_at = -TELL_EVERY_S
        self._counted = _Counted()

    def count(self, took_s: float, in_use: int | None, overflow: int | None) -> None:
        """Count a connection that was asked for; what a pool without a size cannot tell is None."""
        with self._lock:
            self._counted.add(took_s * 1e3, in_use, overflow)

    def take(self, size: int | None, now: float, at: float) -> Measured | None:
        """Return what was counted if it is time to tell it, by the monotonic `now`; `at` is in Unix seconds."""
        with self._lock:
            if now - self._told_at < TELL_EVERY_S:
                return None
            self._told_at = now
            counted, self._counted = self._counted, _Counted()
        measured = Measured()
        measured.add("PoolSize", at, size, Pool=self.pool)
        measured.add("PoolCheckedOut", at, counted.most_in_use, Pool=self.pool)
        measured.add("PoolOverflow", at, counted.most_overflow, Pool=self.pool)
        measured.add("PoolCheckoutTime", at, counted.distribution(), Pool=self.pool)
        return measured


@dataclass(slots=True)
class _Counted:
    """What was counted since the pool was last told of."""

    most_in_use: int | None = None
    most_overflow: int | None = None
    took_ms: list[float] = field(default_factory=list)
    folded: Distribution = _NOTHING

    def add(self, took_ms: float, in_use: int | None, overflow: int | None) -> None:
        self.most_in_use = _most(self.most_in_use, in_use)
        self.most_overflow = _most(self.most_overflow, overflow)
        self.took_ms.append(took_ms)
        if len(self.took_ms) >= FOLD_AT:
            self.folded = self.folded.merged(Distribution.of(self.took_ms))
            self.took_ms.clear()

    def distribution(self) -> Distribution | None:
        """Return how long the checkouts took; None where there were none."""
        every = self.folded.merged(Distribution.of(self.took_ms))
        return every if every.counts else None


def _most(so_far: int | None, now: int | None) -> int | None:
    return now if so_far is None else so_far if now is None else max(so_far, now)
