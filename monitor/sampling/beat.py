"""What beat sees of itself: when it last looked what is due, and which entries it knows."""

import platform
import time
from collections.abc import Callable
from typing import Any

from celery import __version__ as celery_version

from monitor.lease import BeatState, beat_entry
from monitor.sampling.reading import Reading

MAX_REASON = 200


class BeatView:
    """Looks at one beat. Its main thread hangs the view in; the lease's thread looks."""

    def __init__(self, scheduler: Any, code_version: str, in_words: Callable[[Any], str] = str) -> None:
        self.ending: str | None = None
        self._scheduler = scheduler
        self._code_version = code_version
        self._in_words = in_words
        # One tuple, so that a look from another thread never sees half of it.
        self._tick: tuple[float, float] = (time.monotonic(), 0.0)  # when it looked last, and for how long it may sleep
        self._breaks: str | None = None

    def hang_in(self) -> None:
        """Wrap what the scheduler does on the instance alone: other schedulers of the process stay as they are."""
        self._scheduler.tick = self._ticking(self._scheduler.tick)
        self._scheduler.apply_async = _naming_its_entry(self._scheduler.apply_async)

    def ends(self) -> bool:
        """Remember that it stops; return whether it does so in order."""
        self.ending = self._breaks or "told to"
        return self._breaks is None

    def entries(self) -> dict[str, str]:
        """Return the names of the entries that the last tick compared, and their schedules in words.

        Not `scheduler.schedule`: of a file or a database, that belongs to beat's own thread alone.
        """
        known = self._scheduler.old_schedulers or {}
        return {str(name): self._in_words(entry.schedule) for name, entry in known.items()}

    def look(self, clock_ahead_of_store_s: float) -> BeatState:
        """Return what can be seen now."""
        read = Reading()
        ticked_at, sleep_s = self._tick
        age_s = time.monotonic() - ticked_at
        return BeatState(
            tick_age_s=age_s,
            tick_overdue_s=max(0.0, age_s - sleep_s),
            entries=read("entries", self.entries, {}),
            clock_ahead_of_store_s=clock_ahead_of_store_s,
            code_version=self._code_version,
            celery=celery_version,
            python=platform.python_version(),
            ending=self.ending,
            unread=read.unread,
        )

    def between(self) -> None:
        """Do nothing: beat is asked for nothing that takes time."""

    def _ticking(self, tick: Callable[..., Any]) -> Callable[..., Any]:
        def ticking(*args: Any, **named: Any) -> Any:
            try:
                sleep_s = tick(*args, **named)
            except Exception as fault:
                # Nothing in beat survives this (5.7): its process ends as it does when it is told to.
                self._breaks = f"broken by {type(fault).__name__}: {fault}"[:MAX_REASON]
                raise
            self._tick = (time.monotonic(), _seconds(sleep_s))
            return sleep_s

        return ticking


def _naming_its_entry(apply_async: Callable[..., Any]) -> Callable[..., Any]:
    """Return the sending of an entry, during which `beat_entry` holds its name."""

    def applying(entry: Any, *args: Any, **named: Any) -> Any:
        token = beat_entry.set(getattr(entry, "name", None))
        try:
            return apply_async(entry, *args, **named)
        finally:
            beat_entry.reset(token)

    return applying


def _seconds(sleep_s: Any) -> float:
    return max(0.0, float(sleep_s)) if isinstance(sleep_s, int | float) else 0.0
