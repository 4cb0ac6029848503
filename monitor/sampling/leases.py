"""Gives workers and beat their leases: who starts them, and who says goodbye in them.

A worker ends in one of four ways, and Celery (5.7) tells them apart badly. Warm (SIGTERM, SIGINT, remote shutdown):
`worker_shutdown` comes when the last job is done. Cold (SIGQUIT, prefork and solo): no `worker_shutdown`, only the
steps' `terminate`. Broken (an error in its main process): `worker_shutdown` as if it had been told to; the lease gets
the error as its last word, and no goodbye. Killed: nothing, and the lease grows old.
"""

import atexit
import logging
import platform
import re
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from celery import Celery, bootsteps, signals
from celery import __version__ as celery_version
from celery.beat import beat_nodename

from monitor.lease import Role
from monitor.sampling.beat import BeatView
from monitor.sampling.renewal import PERIOD_S, Renewal
from monitor.sampling.worker import QueueOf, WorkerView, routing_key
from monitor.settings import Settings

logger = logging.getLogger("monitor.sampling")


def watch(
    app: Celery,
    settings: Settings,
    *,
    queue_of: QueueOf = routing_key,
    in_words: Callable[[Any], str] = str,
    period_s: float = PERIOD_S,
) -> None:
    """Give the application's workers and beat their leases. Opens and starts nothing before they do.

    `queue_of` names the queue of a message's delivery information, `in_words` tells a schedule.
    """

    class LeaseStep(bootsteps.StartStopStep):
        """Hangs the lease into the worker's blueprint: the consumer's restarts with each lost connection."""

        requires = ("celery.worker.components:Pool",)  # type: ignore[assignment]  # so that it starts after the first forks
        leave: Callable[[], None] | None = None

        def start(self, worker: Any) -> None:
            try:
                self.leave = _watch_worker(worker, settings, queue_of, period_s)
            except Exception:
                # What a step raises would end the worker.
                logger.exception("The worker has no lease, and will be taken for lost")

        def stop(self, worker: Any) -> None:
            """Do nothing: jobs still run (the pool stops after this); `worker_shutdown` comes when they are done."""

        def terminate(self, worker: Any) -> None:
            """Say goodbye: after a cold shutdown no `worker_shutdown` comes."""
            del worker
            if self.leave:
                self.leave()

    def watch_beat(sender: Any, **_: Any) -> None:
        if sender.app is app:
            _watch_beat(sender, settings, in_words, period_s)

    app.steps["worker"].add(LeaseStep)
    signals.beat_init.connect(watch_beat, weak=False)


def _watch_worker(worker: Any, settings: Settings, queue_of: QueueOf, period_s: float) -> Callable[[], None]:
    """Start the worker's lease, and return what ends it."""
    view = WorkerView(worker, settings.code_version, queue_of)
    lease = Renewal(settings, Role.WORKER, worker.hostname, view, period_s)

    def leave() -> None:
        lease.finish(in_order=view.ends(sys.exc_info()[1]))

    view.start_ticking()
    signals.worker_ready.connect(lambda **_: lease.renew_soon(), weak=False)  # it consumes from now on
    signals.worker_shutting_down.connect(lambda sig, how, **_: view.told_to_stop(sig, how), weak=False)
    signals.worker_shutdown.connect(lambda **_: leave(), sender=worker, weak=False)
    # Whoever has not left before this was not told to.
    atexit.register(lambda: lease.finish(in_order=view.ending is not None))
    lease.start()
    _say_start(worker.app, settings, worker.hostname, "queues", worker.app.amqp.queues.consume_from)
    return leave


def _watch_beat(service: Any, settings: Settings, in_words: Callable[[Any], str], period_s: float) -> None:
    name = beat_nodename(service.hostname)
    view = BeatView(service.scheduler, settings.code_version, in_words)
    lease = Renewal(settings, Role.BEAT, name, view, period_s)
    view.hang_in()
    # SIGTERM and SIGINT end beat as an error does, by an exception: no signal of Celery's tells of its end (5.7).
    atexit.register(lambda: lease.finish(in_order=view.ends()))
    lease.start()
    _say_start(service.app, settings, name, "entries", service.app.conf.beat_schedule)


def _say_start(app: Celery, settings: Settings, name: str, what: str, items: Any) -> None:
    logger.info(
        "monitor %s watches %s: environment %s, Python %s, Celery %s, code %s, broker %s, store %s, %s %s",
        version("networx-monitor"),
        name,
        settings.environment,
        platform.python_version(),
        celery_version,
        settings.code_version,
        without_password(app.connection_for_read().as_uri(include_password=True)),
        without_password(settings.store_url),
        what,
        ", ".join(sorted(items)) or "none",
    )


def without_password(url: str) -> str:
    """Return a URL that can be shown: without its password, and without its options, which may hold one too."""
    return re.sub(r"://([^:/@]*):.*@", r"://\1:***@", url.partition("?")[0])
