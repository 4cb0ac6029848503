"""Looks at queues on Amazon SQS: approximate numbers by GetQueueAttributes, ages from CloudWatch.

SQS answers for one queue at a time and bills each call, so only the application's own queues are asked about: those
that are known, and those that begin with its `queue_name_prefix` where it has one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
from kombu.transport.SQS.exceptions import DoesNotExistQueueException, UndefinedQueueException

from monitor.sample import Note
from monitor.sampling.channels import PATIENCE_S, BrokerError
from monitor.sampling.queues.sight import Look, Sight, Tail, chosen

_WAITING = "ApproximateNumberOfMessages"
_TAKEN = "ApproximateNumberOfMessagesNotVisible"
_DELAYED = "ApproximateNumberOfMessagesDelayed"
_ATTRIBUTES = [_WAITING, _TAKEN, _DELAYED]

# What one GetMetricData may ask for, and one ListQueues answers.
METRICS_AT_ONCE = 500
QUEUES_AT_ONCE = 1_000

# CloudWatch has one value a minute, some minutes late, and bills each: it is asked in the first quarter of a minute.
AGE_PERIOD_S = 60
AGE_ASKED_S = 15
AGE_WINDOW_S = 600


def look(channel: Any, known: set[str], candidates: set[str], at: float) -> Sight:
    """Return what SQS shows of these queues, and of those with the application's prefix; their ages once a minute."""
    sight = Sight()
    urls: dict[str, str] = {}
    with _told_plainly():
        for name in chosen(known, [*_listed(channel, known), *sorted(candidates)], sight):
            _see(channel, name, urls, sight)
    if urls and at % AGE_PERIOD_S < AGE_ASKED_S:
        _tell_ages(channel, urls, at, sight)
    return sight


def ping(channel: Any) -> None:
    """Ask the cheapest question that the account may ask."""
    with _told_plainly():
        for name, queue in channel.predefined_queues.items():
            channel.sqs(queue=name).get_queue_attributes(QueueUrl=queue["url"], AttributeNames=[_WAITING])
            return
        channel.sqs().list_queues(MaxResults=1)


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as fault:
        raise BrokerError(f"Amazon SQS cannot be used: {fault}") from None


def _listed(channel: Any, known: set[str]) -> list[str]:
    """Return the further queues that begin with the application's prefix; without one, they may be anybody's."""
    prefix = channel.queue_name_prefix
    if not prefix or channel.predefined_queues:
        return []
    taken = {channel.canonical_queue_name(name) for name in known}
    pages = (
        channel.sqs()
        .get_paginator("list_queues")
        .paginate(QueueNamePrefix=prefix, PaginationConfig={"PageSize": QUEUES_AT_ONCE})
    )
    names = [url.rpartition("/")[2] for page in pages for url in page.get("QueueUrls", [])]
    return [name.removeprefix(prefix) for name in names if name not in taken]


def _see(channel: Any, name: str, urls: dict[str, str], sight: Sight) -> None:
    try:
        # Not by the channel's `_size`, which makes a queue that is not there.
        url = channel._resolve_queue_url(name)  # noqa: SLF001 (no other way)
    except (DoesNotExistQueueException, UndefinedQueueException):
        sight.unseen[name] = "the broker has no such queue"
        return
    numbers = _attributes(channel, name, url, sight)
    if numbers:
        urls[name] = url
        sight.queues[name] = Look(numbers[_WAITING], numbers[_TAKEN], due_later=numbers[_DELAYED])


def _attributes(channel: Any, name: str, url: str, sight: Sight) -> dict[str, int] | None:
    client = channel.sqs(queue=channel.canonical_queue_name(name))
    try:
        answer = client.get_queue_attributes(QueueUrl=url, AttributeNames=_ATTRIBUTES)
    except ClientError as fault:
        code = fault.response["Error"]["Code"]
        if "NonExistentQueue" in code or "QueueDoesNotExist" in code:
            sight.unseen[name] = "the broker has no such queue"
        elif "AccessDenied" in code:
            sight.unseen[name] = "the account may not sqs:GetQueueAttributes"
        else:
            raise
        return None
    return {attribute: int(answer["Attributes"][attribute]) for attribute in _ATTRIBUTES}


def _tell_ages(channel: Any, urls: dict[str, str], at: float, sight: Sight) -> None:
    """Add the oldest messages' ages; where they cannot be had, a note tells why, and the numbers stay."""
    names = sorted(urls)
    fault = None
    try:
        client = _cloudwatch(channel)
        for start in range(0, len(names), METRICS_AT_ONCE):
            _add_ages(client, {name: urls[name] for name in names[start : start + METRICS_AT_ONCE]}, at, sight)
    except (ClientError, BotoCoreError) as refused:
        fault = f"it cannot be read from CloudWatch: {refused}"
    sight.notes.append(Note("broker", "age of jobs", fault))


def _cloudwatch(channel: Any) -> Any:
    info = channel.conninfo
    session = boto3.Session(
        region_name=channel.region, aws_access_key_id=info.userid, aws_secret_access_key=info.password
    )
    # An endpoint of one's own (LocalStack, moto) serves all services.
    config = Config(connect_timeout=PATIENCE_S, read_timeout=PATIENCE_S, retries={"total_max_attempts": 2})
    return session.client("cloudwatch", endpoint_url=channel.endpoint_url, config=config)


def _add_ages(client: Any, urls: dict[str, str], at: float, sight: Sight) -> None:
    names = list(urls)
    answer = client.get_metric_data(
        MetricDataQueries=[_query(number, urls[name]) for number, name in enumerate(names)],
        StartTime=datetime.fromtimestamp(at - AGE_WINDOW_S, UTC),
        EndTime=datetime.fromtimestamp(at, UTC),
        ScanBy="TimestampDescending",
    )
    for result in answer["MetricDataResults"]:
        look = sight.queues[names[int(result["Id"][1:])]]
        if look.waiting and result["Values"]:
            # Of some minutes ago: what has waited since then is older, and a queue that is worked off is younger.
            began = at - result["Values"][0]
            look.tails["0"] = Tail(str(began), began)


def _query(number: int, url: str) -> dict[str, Any]:
    dimensions = [{"Name": "QueueName", "Value": url.rpartition("/")[2]}]
    metric = {"Namespace": "AWS/SQS", "MetricName": "ApproximateAgeOfOldestMessage", "Dimensions": dimensions}
    return {"Id": f"q{number}", "MetricStat": {"Metric": metric, "Period": AGE_PERIOD_S, "Stat": "Maximum"}}
