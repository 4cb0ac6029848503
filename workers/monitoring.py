"""The monitor's own periodic jobs, which beat sends as beat_schedule.py says: each measures one thing."""

import time
from functools import cache, partial

from celery import Task, shared_task
from celery.utils.log import get_task_logger

from monitor.sample import Measured
from monitor.sampling import Sampler, database, measure, memory
from monitor.sampling import broker as its_broker
from monitor.sampling import canaries as its_canaries
from monitor.sampling import jobs as its_jobs
from monitor.sampling import queues as its_queues
from monitor.sampling import schedules as its_schedules
from monitor.sampling import workers as its_workers
from monitor.settings import Settings, refuse
from monitor.store import Store, open_store, reads, totals, writes
from monitor.store.measured import prune_measured, save_measured

MINUTE_S = 60

logger = get_task_logger(__name__)
settings = Settings.from_env()


def _read_databases() -> dict[str, str]:
    try:
        return database.parse_databases(settings.databases)
    except ValueError as fault:
        refuse([f"MONITOR_DATABASES: {fault}."])


DATABASES = _read_databases()


@shared_task(bind=True, name="monitoring.queues")
def queues(self: Task) -> None:
    """Measure the queues, say how they are, and warn of those that are too long."""
    url = settings.rabbitmq_management_url
    measured = _measure(
        "queues",
        settings.queues_every_s,
        lambda at: its_queues.sample_queues(self.app, _store(), at, counts=totals, management_url=url),
    )
    logger.info(its_queues.status_line(measured))
    _warn(its_queues.warnings(measured, settings.queue_warnings))


@shared_task(bind=True, name="monitoring.broker")
def broker(self: Task) -> None:
    """Measure the broker."""
    url = settings.rabbitmq_management_url
    _measure("broker", settings.broker_every_s, lambda at: its_broker.sample_broker(self.app, at, management_url=url))


@shared_task(name="monitoring.databases")
def databases() -> None:
    """Measure the databases, and warn of those that are nearly full."""
    measured = _measure("databases", settings.databases_every_s, lambda at: database.sample_databases(DATABASES, at))
    _warn(database.warnings(measured, settings.database_warning))


@shared_task(name="monitoring.workers")
def workers() -> None:
    """Measure what the workers' leases tell: how many live, how busy they are, and their memory."""
    _measure("workers", settings.workers_every_s, lambda at: its_workers.sample_workers(_store(), at))
    _measure("memory", settings.workers_every_s, lambda at: memory.sample_memory(_store(), at))


@shared_task(bind=True, name="monitoring.schedules")
def schedules(self: Task) -> None:
    """Compare what beat should have sent with what it sent, and what became of it."""
    jobs_of = partial(reads.jobs_of_entries, _store())
    _measure(
        "schedules",
        settings.schedules_every_s,
        lambda at: its_schedules.sample_schedules(self.app, _store(), at, jobs_of),
    )


@shared_task(bind=True, name="monitoring.canaries")
def canaries(self: Task) -> None:
    """See which canaries came back, and send new ones to the queues that are to have them."""
    period_s, names, now = settings.canaries_every_s, settings.canaries, time.time()
    canaries_of = partial(reads.canaries, _store())
    _measure("canaries", period_s, lambda at: its_canaries.sample_canaries(_store(), names, period_s, at, canaries_of))
    due = its_canaries.due_queues(_store(), names, period_s, now)
    sent = its_canaries.send_canaries(self.app, due, period_s, now)
    if sent:
        save_measured(_store(), sent, now)


@shared_task(name="monitoring.canary", ignore_result=True)
def canary() -> None:
    """Do nothing: that this ran is all there is to know."""


@shared_task(name="monitoring.jobs")
def jobs() -> None:
    """Measure the jobs of the minutes that have closed."""
    _measure("jobs", MINUTE_S, lambda at: its_jobs.sample_jobs(_store(), at))


@shared_task(name="monitoring.prune_store")
def prune_store() -> int:
    """Delete what the store has kept long enough; return how many jobs that were."""
    prune_measured(_store(), settings.samples_days)
    return writes.prune(_store(), settings.retention_days)


@cache
def _store() -> Store:
    """Return the store, opened once in each process that runs these jobs."""
    return open_store(settings.store_url)


def _measure(name: str, period_s: int, sampler: Sampler) -> Measured:
    return measure(_store(), name, sampler, period_s, time.time())


def _warn(sentences: list[str]) -> None:
    for sentence in sentences:
        logger.warning(sentence)
