"""Looks at queues on RabbitMQ: by AMQP, and by its management API where one is configured."""

from typing import Any
from urllib.parse import quote

import msgspec

from monitor.sample import Note
from monitor.sampling import management
from monitor.sampling.channels import BrokerError
from monitor.sampling.queues.generic import declared
from monitor.sampling.queues.sight import Look, Sight, Tail, chosen, is_delaying, is_private


class _Queue(msgspec.Struct):
    """One queue as the management API tells it; its numbers are those of some seconds ago, or not there yet."""

    name: str
    messages_ready: int | None = None
    messages_unacknowledged: int | None = None
    head_message_timestamp: int | None = None  # of the oldest message, where its sender wrote one


def look(channel: Any, known: set[str], candidates: set[str], management_url: str | None) -> Sight:
    """Return what the broker shows of these queues, and of those that its management API knows besides.

    AMQP tells the numbers of this moment, for 0.05 ms a queue. It knows neither names nor what is unacknowledged.
    """
    sight = Sight()
    listed = _listed(channel, management_url, sight) if management_url else {}
    names = chosen(known, [*sorted(listed), *sorted(candidates)], sight)
    for name, waiting, consumers in declared(channel, names, sight):
        sight.queues[name] = _look(waiting, consumers, listed.get(name))
    if listed:
        sight.private = _waiting(queue for queue in listed.values() if is_private(queue.name))
        sight.delayed = _waiting(queue for queue in listed.values() if is_delaying(queue.name))
    return sight


def _listed(channel: Any, management_url: str, sight: Sight) -> dict[str, _Queue]:
    """Return the queues of the virtual host; none, and a note, while the API cannot be used: AMQP still tells much."""
    vhost = quote(channel.connection.client.virtual_host or "/", safe="")
    fault = None
    try:
        queues = management.ask(management_url, f"queues/{vhost}?disable_stats=false", list[_Queue])
    except BrokerError as refused:
        queues, fault = [], str(refused)
    sight.notes.append(Note("broker", "list of queues", fault))
    return {queue.name: queue for queue in queues}


def _look(waiting: int, consumers: int, listed: _Queue | None) -> Look:
    if listed is None:
        return Look(waiting, consumers=consumers)
    began = listed.head_message_timestamp if waiting else None
    tails = {"0": Tail(str(began), float(began))} if began else {}
    return Look(waiting, listed.messages_unacknowledged, consumers=consumers, tails=tails)


def _waiting(queues: Any) -> int:
    return sum(queue.messages_ready or 0 for queue in queues)
