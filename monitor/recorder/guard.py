"""Keeps what fails in a hook away from the job."""

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

logger = logging.getLogger("monitor.recorder")

WARN_EVERY_S = 60.0


class Faults:
    """Counts what went wrong in a hook, and logs it once a minute at most."""

    def __init__(self) -> None:
        self.count = 0
        self._warned_at = -WARN_EVERY_S

    def note(self, fault: Exception) -> None:
        """Count what a hook raised."""
        self.count += 1
        if time.monotonic() - self._warned_at >= WARN_EVERY_S:
            self._warned_at = time.monotonic()
            logger.error("A hook of the monitor failed, %d times so far; the job goes on", self.count, exc_info=fault)


def guarded(hook: Callable[..., None]) -> Callable[..., None]:
    """Return the hook made harmless: nothing that it raises goes further."""
    faults = Faults()

    @wraps(hook)
    def harmless(**named: Any) -> None:
        try:
            hook(**named)
        except Exception as fault:  # noqa: BLE001 (whatever it is, the job comes first)
            faults.note(fault)

    return harmless
