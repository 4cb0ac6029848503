"""Celery's signals become events in the spool.

Three sides tell of a job, each in its own file: the process that sends it (`sending`), the process that runs it
(`running`), and the worker's main process, which alone knows what became of a run that was cut off (`witness`).
"""

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from celery import Celery

from monitor.recorder.arguments import Arguments
from monitor.recorder.running import Running, label
from monitor.recorder.sending import Sending
from monitor.recorder.witness import Witness
from monitor.settings import Settings
from monitor.spool import Spool

__all__ = ["label", "record"]

logger = logging.getLogger("monitor.recorder")

WARN_EVERY_S = 60.0


def record(app: Celery, spool: Spool, settings: Settings, after_send: Callable[[], None]) -> None:
    """Connect every hook to its signal; `after_send` is called after each job this process sends."""
    arguments = Arguments(settings.redact) if settings.store_arguments else None
    sides = (
        Sending(app, spool.append, arguments, after_send),
        Running(app, spool, arguments, settings.code_version),
        Witness(app, spool.append),
    )
    for side in sides:
        for signal, hook in side.hooks():
            signal.connect(guarded(hook), weak=False)


def guarded(hook: Callable[..., None]) -> Callable[..., None]:
    """Return the hook made harmless: what it raises is logged, once a minute at most, and goes no further."""
    warned_at = -WARN_EVERY_S
    failures = 0

    @wraps(hook)
    def harmless(**named: Any) -> None:
        nonlocal warned_at, failures
        try:
            hook(**named)
        except Exception:
            failures += 1
            if time.monotonic() - warned_at >= WARN_EVERY_S:
                warned_at = time.monotonic()
                logger.exception("A hook of the monitor failed, %d times so far; the job goes on", failures)

    return harmless
