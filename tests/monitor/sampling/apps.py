"""Applications with queues, and what they send, for the samplers to measure."""

from collections.abc import Iterable
from typing import Any

from celery import Celery
from kombu.entity import Exchange, Queue

from monitor.sample import Measured

AT = 1_900_000_000.0  # a tick, a whole multiple of 60 s


def app_of(url: str, queues: Iterable[str | Queue] = (), **options: Any) -> Celery:
    """An application with these queues, each on a direct exchange of its name, and these transport options."""
    app = Celery("tests", broker=url, set_as_current=False)
    app.conf.update(broker_transport_options=options, task_create_missing_queues=True)
    app.conf.task_queues = [queue_of(queue, queue, queue) if isinstance(queue, str) else queue for queue in queues]
    return app


def queue_of(name: str, exchange: str, routing_key: str) -> Queue:
    """A queue on a direct exchange."""
    return Queue(name, Exchange(exchange, type="direct"), routing_key=routing_key)  # type: ignore[no-untyped-call]


def send(app: Celery, queue: str, count: int = 1, **options: Any) -> None:
    """Send so many jobs to a queue."""
    with app.connection_for_write() as connection, app.amqp.Producer(connection) as producer:
        for _ in range(count):
            app.send_task("tests.job", queue=queue, producer=producer, **options)


def told(measured: Measured, metric: str) -> dict[str, float]:
    """The values of a metric by the value of its dimension; "" for a metric without one."""
    samples = [sample for sample in measured.samples if sample.metric == metric]
    values = [("".join(value for _, value in sample.dimensions), sample.value) for sample in samples]
    return {name: value for name, value in values if isinstance(value, float)}


def noted(measured: Measured, subject: str) -> dict[str, str | None]:
    """What is noted of a subject, by name."""
    return {note.name: note.text for note in measured.notes if note.subject == subject}
