"""What the sending process tells: a message for the job was accepted by the broker."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from celery import Celery, signals

from monitor.job import FIRST_SENT_AT, SENT_AT, Event, Sent
from monitor.lease import beat_entry
from monitor.recorder.arguments import Arguments
from monitor.recorder.guard import guarded
from monitor.recorder.queues import QueueNames


class Sending:
    """Stamps each message with its time, and records it once the broker has it.

    Celery's messages carry no time of their own (5.7). A retry keeps its headers, so the first time stays what it was.
    """

    def __init__(
        self,
        app: Celery,
        append: Callable[[Event], bool],
        arguments: Arguments | None,
        after_send: Callable[[], None],
    ) -> None:
        self._app = app
        self._append = append
        self._arguments = arguments
        self._after_send = after_send
        self._queues = QueueNames(app)

    def hooks(self) -> Iterable[tuple[Any, Callable[..., None]]]:
        """Return each signal with its hook."""
        return (
            (signals.before_task_publish, guarded(self.stamp)),
            (signals.after_task_publish, guarded(self.sent)),
        )

    def stamp(self, headers: dict[str, Any], properties: dict[str, Any], **_: Any) -> None:
        """Write the time of sending into the message."""
        now = time.time()
        headers[SENT_AT] = now
        headers.setdefault(FIRST_SENT_AT, now)
        # AMQP's own: RabbitMQ's management API tells the age of a queue's first message by it.
        properties.setdefault("timestamp", int(now))

    def sent(
        self, sender: str, body: Any, headers: dict[str, Any], exchange: Any, routing_key: str | None, **_: Any
    ) -> None:
        """Record that the broker has the message. Messages of protocol 1 carry no headers: their runs tell of them."""
        if "id" not in headers:
            return
        get = headers.get
        self._append(
            Sent(
                job=headers["id"],
                at=headers[SENT_AT],
                task=sender,
                queue=self._queues.of({"exchange": getattr(exchange, "name", exchange), "routing_key": routing_key}),
                first_sent_at=headers[FIRST_SENT_AT],
                eta=get("eta"),
                expires=get("expires"),
                retries=get("retries") or 0,
                root=get("root_id"),
                parent=get("parent_id"),
                group=get("group"),
                sender=get("origin"),
                arguments=self._written(sender, body),
                entry=beat_entry.get(),
            )
        )
        self._after_send()

    def _written(self, task: str, body: Any) -> str | None:
        if self._arguments is None:
            return None
        # A task that this process does not know hides its secret keywords all the same, but not its secret positions.
        return self._arguments.written(body[0], body[1], self._app.tasks.get(task))
