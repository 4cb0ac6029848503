"""Queues on Amazon SQS: numbers by queue, ages by CloudWatch, and nothing made or asked that is not ours."""

from datetime import UTC, datetime
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from celery import Celery

from monitor.sampling.broker import sample_broker
from monitor.sampling.channels import BrokerError
from monitor.sampling.queues import sample_queues, sqs
from monitor.store import Store
from tests.monitor.sampling.apps import app_of, noted, send, told


def test_waiting_taken_and_delayed_messages_are_told_apart(aws_port: int, store: Store) -> None:
    """The numbers of each queue are those that were sent, taken and delayed."""
    app, client = _app(aws_port, ["optimization", "file-processing"]), _client("sqs", aws_port)
    send(app, "optimization", 7)
    send(app, "file-processing")
    url = client.get_queue_url(QueueName="optimization")["QueueUrl"]
    client.receive_message(QueueUrl=url, MaxNumberOfMessages=3)
    client.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=600)

    measured = sample_queues(app, store, _now())

    assert told(measured, "JobQueueDepth") == {"optimization": 4, "file-processing": 1}
    assert told(measured, "JobsUnacknowledged") == {"optimization": 3, "file-processing": 0}
    assert told(measured, "JobsHeld") == {"optimization": 1, "file-processing": 0}


def test_measuring_makes_no_queue(aws_port: int, store: Store) -> None:
    """A configured queue that is not there is noted, and stays away."""
    app = _app(aws_port, ["optimization"])

    measured = sample_queues(app, store, _now())

    assert told(measured, "JobQueueDepth") == {}
    assert noted(measured, "queue:optimization")["unseen"] == "the broker has no such queue"
    assert "QueueUrls" not in _client("sqs", aws_port).list_queues()


def test_only_queues_with_the_applications_prefix_are_found(aws_port: int, store: Store) -> None:
    """Further queues of the application are listed page by page, and other people's are not asked about."""
    client = _client("sqs", aws_port)
    for name in ("prod-optimization", "prod-a", "prod-b", "theirs"):
        client.create_queue(QueueName=name)
    app = _app(aws_port, ["optimization"], queue_name_prefix="prod-")

    with_prefix = sample_queues(app, store, _now())
    without = sample_queues(_app(aws_port, ["theirs"]), store, _now())

    assert set(told(with_prefix, "JobQueueDepth")) == {"optimization", "a", "b"}
    assert set(told(without, "JobQueueDepth")) == {"theirs"}


def test_ages_are_cloudwatchs(aws_port: int, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest messages' ages are CloudWatch's latest values, asked for in parts, and once a minute only."""
    monkeypatch.setattr(sqs, "METRICS_AT_ONCE", 2)
    ages = {"a": 40.0, "b": 50.0, "c": 60.0}
    app = _app(aws_port, ages)
    for name, age_s in ages.items():
        send(app, name)
        _put_age(aws_port, name, age_s)
    minute = _now() // 60 * 60 + 60

    asked = sample_queues(app, store, minute)
    not_asked = sample_queues(app, store, minute + 30)

    assert told(asked, "OldestJobAge") == ages
    assert told(not_asked, "OldestJobAge") == {}


def test_predefined_queues_are_asked_by_their_own_accounts(aws_port: int, store: Store) -> None:
    """Queues that the application names with URL and account need no right to list others."""
    url = _client("sqs", aws_port).create_queue(QueueName="orders")["QueueUrl"]
    _client("sqs", aws_port).send_message(QueueUrl=url, MessageBody="{}")
    queue = {"url": url, "access_key_id": "them", "secret_access_key": "secret"}
    app = _app(aws_port, ["orders", "elsewhere"], predefined_queues={"orders": queue})

    measured = sample_queues(app, store, _now())
    of_broker = sample_broker(app, _now())

    assert told(measured, "JobQueueDepth") == {"orders": 1}
    assert noted(measured, "queue:elsewhere")["unseen"] == "the broker has no such queue"
    assert told(of_broker, "BrokerLatency")[""] > 0


def test_an_endpoint_that_is_not_there_is_told_without_the_account(store: Store) -> None:
    """The sentence names neither key nor secret."""
    app = _app(1, ["optimization"], **{"client-config": {"retries": {"total_max_attempts": 1}}})

    with pytest.raises(BrokerError, match="Amazon SQS cannot be used") as raised:
        sample_queues(app, store, _now())

    assert "secret" not in str(raised.value)
    assert "us:" not in str(raised.value)


def _app(port: int, queues: Any, **options: Any) -> Celery:
    return app_of(f"sqs://us:secret@127.0.0.1:{port}//", queues, region="eu-west-1", is_secure=False, **options)


def _client(service: str, port: int) -> Any:
    return boto3.client(service, endpoint_url=f"http://127.0.0.1:{port}", region_name="eu-west-1")


def _put_age(port: int, queue: str, age_s: float) -> None:
    dimensions = [{"Name": "QueueName", "Value": queue}]
    value = {"MetricName": "ApproximateAgeOfOldestMessage", "Dimensions": dimensions, "Value": age_s}
    _client("cloudwatch", port).put_metric_data(
        Namespace="AWS/SQS", MetricData=[value | {"Timestamp": datetime.now(UTC)}]
    )


def _now() -> float:
    return datetime.now(UTC).timestamp()
