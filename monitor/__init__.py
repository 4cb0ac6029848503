"""A job monitor inside Celery's own workers: `install(app)` is all an application needs."""

import threading

from celery import Celery

from monitor.recorder import label, record
from monitor.settings import Settings
from monitor.shipper import Shipping, ship_from
from monitor.spool import Spool

__all__ = ["install", "label"]

_installing = threading.Lock()
_installed: list[Shipping] = []
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
        if not _installed:
            # Celery's signals are the process's, not an application's: one recorder serves all applications.
            settings = Settings.from_env()
            shipping = Shipping(settings)
            record(app, Spool(settings.spool_dir), settings, after_send=shipping.start)
            _installed.append(shipping)
        ship_from(app, _installed[0])
        _fitted.add(id(app))
