"""Knows which way of looking fits the application's broker."""

from typing import Any

from monitor.sampling.queues import generic, rabbitmq, redis
from monitor.sampling.queues.sight import Sight


def look_at(channel: Any, known: set[str], candidates: set[str], at: float, management_url: str | None) -> Sight:
    """Return what the broker of this channel shows of these queues, and of those that it knows besides.

    Candidates are names that somebody sent to: queues if the broker has them, and nothing to worry about if not.
    """
    match channel.connection.client.transport.driver_type:
        case "redis":
            return redis.look(channel, known, candidates, at)
        case "amqp":
            return rabbitmq.look(channel, known, candidates, management_url)
        case "sqs":
            from monitor.sampling.queues import sqs  # noqa: PLC0415 (boto3 is there only where SQS is)

            return sqs.look(channel, known, candidates, at)
        case _:
            return generic.look(channel, known, candidates)
