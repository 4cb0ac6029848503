"""Celery's signals become events in the spool.

Three sides tell of a job, each in its own file: the process that sends it (`sending`), the process that runs it
(`running`), and the worker's main process, which alone knows what became of a run that was cut off (`witness`).
"""

from collections.abc import Callable

from celery import Celery

from monitor.recorder.arguments import Arguments
from monitor.recorder.running import Running, label
from monitor.recorder.sending import Sending
from monitor.recorder.witness import Witness
from monitor.settings import Settings
from monitor.spool import Spool

__all__ = ["label", "record"]


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
            signal.connect(hook, weak=False)
