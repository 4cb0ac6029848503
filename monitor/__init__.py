"""A job monitor inside Celery's own workers: `install(app)` is all an application needs."""

import threading
import time
from typing import Any

from celery import Celery

from monitor.job import Observed
from monitor.recorder import label, record
from monitor.recorder.queues import QueueNames
from monitor.sample import Measured
from monitor.sampling.database import pools
from monitor.sampling.leases import watch
from monitor.sampling.words import in_words
from monitor.settings import Settings
from monitor.shipper import Shipping, ship_from
from monitor.spool import Spool

__all__ = ["install", "label", "watch_engine"]


class _Monitor:
    """What all applications of this process share: Celery's signals are the process's, not an application's."""

    def __init__(self) -> None:
        self.settings = Settings.from_env()
        self.spool = Spool(self.settings.spool_dir)
        self.shipping = Shipping(self.settings)


_installing = threading.Lock()
_monitors: list[_Monitor] = []
_fitted: set[int] = set()


def install(app: Celery) -> None:
    """Record every job of the application: those it sends, and those its workers run.

    Call it once, in the module that makes the application, so that workers, beat and senders all have it. Settings
    come from the environment; without any, store and spool lie in `.monitor/` under the working directory. It opens
    nothing and starts nothing: that happens with the first job.

    Raises:
        SettingsError: naming every faulty setting.

    """
    with _installing:
        if id(app) in _fitted:
            return
        if not _monitors:
            monitor = _Monitor()
            record(app, monitor.spool, monitor.settings, after_send=monitor.shipping.start)
            _monitors.append(monitor)
        _fit(app, _monitors[0])
        _fitted.add(id(app))


def watch_engine(engine: Any, name: str | None = None) -> None:
    """Measure the application's own SQLAlchemy pool: its size, connections in use, and how long it takes to get one.

    `name` is what it is called in METRICS' dimension Pool, by default its database's name. On PostgreSQL a connection
    that a job uses carries the job's id in its `application_name`, so that a row of pg_stat_activity leads to a job.
    Of an AsyncEngine, pass its `sync_engine`. Until `install` was called, nothing is kept.
    """
    pools.watch_engine(engine, name, observe=_observe)


def _observe(measured: Measured) -> None:
    for monitor in _monitors:
        monitor.spool.append(Observed(time.time(), measured.samples))


def _fit(app: Celery, monitor: _Monitor) -> None:
    ship_from(app, monitor.shipping)
    watch(app, monitor.settings, queue_of=QueueNames(app).of, in_words=in_words)
