"""Which queue a message came through, told from how it was addressed."""

from collections.abc import Mapping
from typing import Any

from celery import Celery


class QueueNames:
    """Names the queue of an exchange and a routing key, as the application's configuration binds them."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._bound: dict[tuple[str, str], str] | None = None

    def of(self, delivery_info: Mapping[str, Any] | None) -> str | None:
        """Return the queue's name; the routing key where no configured queue is bound to it."""
        if not delivery_info:
            return None
        exchange, routing_key = delivery_info.get("exchange"), delivery_info.get("routing_key")
        # The default exchange routes by the queue's own name; Celery uses it for every direct exchange.
        return self._named(str(exchange), str(routing_key)) if exchange else routing_key

    def _named(self, exchange: str, routing_key: str) -> str:
        if self._bound is None:
            queues = self._app.amqp.queues.items()
            self._bound = {(queue.exchange.name, queue.routing_key): name for name, queue in queues if queue.exchange}
        return self._bound.get((exchange, routing_key), routing_key)
