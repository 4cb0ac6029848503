"""The monitor's own periodic jobs, which beat sends as beat_schedule.py says."""

from celery import shared_task

from monitor.settings import Settings
from monitor.store import open_store, writes


@shared_task(name="monitoring.prune_store")
def prune_store() -> int:
    """Delete the jobs that the store has kept long enough; return how many."""
    settings = Settings.from_env()
    store = open_store(settings.store_url)
    try:
        return writes.prune(store, settings.retention_days)
    finally:
        store.dispose()
