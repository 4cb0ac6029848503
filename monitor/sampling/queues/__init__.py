"""Measures the queues: how many jobs wait, how long the oldest has waited, who works on them, and where it leads.

Queues are found on the broker, in the configuration, among the workers' leases and in history: a queue once seen stays
listed, also when it is gone everywhere else, until it is forgotten on purpose.
"""

from collections.abc import Mapping

from celery import Celery

from monitor.lease import Role
from monitor.sample import Measured, Note
from monitor.sampling.channels import open_channel
from monitor.sampling.queues.ages import tell_age
from monitor.sampling.queues.rates import JobCounts, Stock, past_of, tell_rates
from monitor.sampling.queues.sight import Look, Sight, is_private
from monitor.sampling.queues.transports import look_at
from monitor.sampling.queues.words import status_line, warnings
from monitor.sampling.queues.workers import Workers, workers_of
from monitor.store import Store, totals
from monitor.store.measured import Noted, current_leases, notes_about, save_measured

__all__ = ["forget_queue", "sample_queues", "status_line", "warnings"]

SUBJECT = "queue:"
SEEN = "seen"

Notes = Mapping[tuple[str, str], Noted]  # by subject and name


def sample_queues(
    app: Celery,
    store: Store,
    at: float,
    *,
    counts: JobCounts = totals,
    management_url: str | None = None,
) -> Measured:
    """Measure all queues of the application's broker at the tick `at`, in Unix seconds.

    `counts` counts jobs in the store; `management_url` is that of RabbitMQ's management API, as
    http://user:password@host:15672. What cannot be told, without it or at all, adds no sample.

    Raises:
        BrokerError: when the broker cannot be reached.
        StoreError: when the store cannot.

    """
    notes = {(noted.subject, noted.name): noted for noted in notes_about(store, SUBJECT)}
    workers = workers_of(current_leases(store, Role.WORKER), at, counts.running_by_queue(store))
    configured = _configured(app)
    known = {*configured, *_remembered(notes), *workers.queues}
    past = past_of(store, at, counts if workers.are_known else None)
    with open_channel(app) as channel:
        sight = look_at(channel, known, past.queues - known, at, management_url)
    measured = Measured(notes=list(sight.notes))
    for name in _in_order(configured, sight):
        stock = _tell_queue(measured, at, name, sight.queues[name], workers)
        tell_age(measured, at, name, sight.queues[name], notes)
        tell_rates(measured, at, name, stock, past)
    _tell_names(measured, configured, known, sight)
    _tell_rest(measured, at, sight)
    return measured


def forget_queue(store: Store, name: str, now: float) -> bool:
    """Forget a queue that is gone on purpose; return whether it was known.

    One that is still on the broker, in the configuration or consumed is seen again with the next tick.
    """
    subject = SUBJECT + name
    said = [noted for noted in notes_about(store, subject) if noted.subject == subject]
    save_measured(store, Measured(notes=[Note(subject, noted.name, None) for noted in said]), now)
    return bool(said)


def _configured(app: Celery) -> list[str]:
    """Return the names of the configured queues in their order, but for those that copy each job to all workers."""
    queues = app.amqp.queues.items()
    return [name for name, queue in queues if not (queue.exchange and queue.exchange.type == "fanout")]


def _remembered(notes: Notes) -> set[str]:
    return {subject.removeprefix(SUBJECT) for subject, name in notes if name == SEEN}


def _in_order(configured: list[str], sight: Sight) -> list[str]:
    """Return the queues that were seen: the configured ones first, as the application lists them."""
    return [name for name in dict.fromkeys([*configured, *sorted(sight.queues)]) if name in sight.queues]


def _tell_queue(measured: Measured, at: float, name: str, look: Look, workers: Workers) -> Stock:
    """Add the queue's numbers of this moment; return its jobs."""
    held = workers.held_of(name)
    if look.due_later is not None:
        held = (held or 0) + look.due_later
    running = workers.running_of(name)
    consumers = workers.consumers_of(name) if look.consumers is None else look.consumers
    measured.add("JobQueueDepth", at, look.waiting, QueueName=name)
    measured.add("JobsUnacknowledged", at, look.unacknowledged, QueueName=name)
    measured.add("JobsHeld", at, held, QueueName=name)
    measured.add("JobsRunning", at, running, QueueName=name)
    measured.add("QueueConsumers", at, consumers, QueueName=name)
    return Stock(look.waiting, held, running)


def _tell_names(measured: Measured, configured: list[str], known: set[str], sight: Sight) -> None:
    for name in sorted(known | sight.queues.keys()):
        if not is_private(name):
            measured.note(SUBJECT + name, SEEN, "configured" if name in configured else "not configured")
            measured.note(SUBJECT + name, "unseen", sight.unseen.get(name))


def _tell_rest(measured: Measured, at: float, sight: Sight) -> None:
    """Add what belongs to no single queue."""
    measured.add("MessagesUnacknowledged", at, sight.unacknowledged)
    measured.add("OldestUnacknowledgedAge", at, sight.oldest_unacknowledged_s)
    measured.add("PrivateMessages", at, sight.private)
    measured.add("JobsDelayed", at, sight.delayed)
