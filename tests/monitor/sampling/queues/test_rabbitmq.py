"""Queues on RabbitMQ: exact numbers by AMQP, names and unacknowledged messages by the management API."""

from urllib.parse import urlsplit

from monitor.sample import Measured
from monitor.sampling.queues import sample_queues
from monitor.store import Store
from tests.monitor.sampling.apps import AT, app_of, noted, send, told
from tests.monitor.sampling.managed import ManagedRabbit, until


def test_waiting_messages_and_consumers_are_the_brokers_own_count(amqp_url: str, store: Store) -> None:
    """The depth leaves out what a consumer took, and consumers are counted whoever they are."""
    app = app_of(amqp_url, ["optimization", "file-processing"])
    send(app, "optimization", 5)
    send(app, "file-processing", 2)
    with app.connection_for_read() as connection, connection.channel() as channel:
        channel.basic_qos(0, 3, a_global=False)
        app.amqp.queues["optimization"](channel).consume(callback=lambda _: None)

        measured = until(
            lambda: sample_queues(app, store, AT), lambda measured: told(measured, "JobQueueDepth")["optimization"] == 2
        )

    assert told(measured, "JobQueueDepth") == {"optimization": 2, "file-processing": 2}
    assert told(measured, "QueueConsumers") == {"optimization": 1, "file-processing": 0}
    assert told(measured, "JobsUnacknowledged") == {}


def test_a_missing_queue_does_not_hide_the_others(amqp_url: str, store: Store) -> None:
    """Asking for a queue that is not there closes the channel; the others are still told, and none is made."""
    app = app_of(amqp_url, ["a-missing", "optimization", "z-missing"])
    send(app_of(amqp_url, ["optimization"]), "optimization", 3)

    measured = [sample_queues(app, store, AT + tick) for tick in range(2)][-1]

    assert told(measured, "JobQueueDepth") == {"optimization": 3}
    assert noted(measured, "queue:a-missing")["unseen"] == "the broker has no such queue"
    assert noted(measured, "queue:z-missing")["unseen"] == "the broker has no such queue"
    assert noted(measured, "queue:optimization")["unseen"] is None


def test_the_management_api_finds_queues_and_what_is_unacknowledged(
    managed_rabbit: ManagedRabbit, store: Store
) -> None:
    """A queue that nothing here knows is listed, replies and delays are told apart, and taken messages are counted."""
    url = managed_rabbit.vhost_url()
    sender, app = app_of(url), app_of(url, ["optimization"])
    send(sender, "optimization", 4)
    for queue in ("typo", "celery_delayed_3", "1f2e.reply.celery.pidbox"):
        send(sender, queue, 2)
    with app.connection_for_read() as connection, connection.channel() as channel:
        taken = [app.amqp.queues["optimization"](channel).get() for _ in range(3)]

        measured = until(lambda: sample_queues(app, store, AT, management_url=managed_rabbit.api_url), _is_all_told)

    assert all(taken)
    assert told(measured, "JobQueueDepth") == {"optimization": 1, "typo": 2}
    assert told(measured, "JobsUnacknowledged") == {"optimization": 3, "typo": 0}
    assert told(measured, "JobsDelayed") == told(measured, "PrivateMessages") == {"": 2}


def test_a_management_api_that_refuses_costs_only_what_it_knows(managed_rabbit: ManagedRabbit, store: Store) -> None:
    """With a wrong password, AMQP's numbers stay, and a note tells why the rest is missing, without it."""
    url = managed_rabbit.vhost_url()
    app = app_of(url, ["optimization"])
    send(app, "optimization")
    wrong = managed_rabbit.api_url.replace("guest:guest", "guest:wrong-secret")

    measured = sample_queues(app, store, AT, management_url=wrong)

    assert told(measured, "JobQueueDepth") == {"optimization": 1}
    assert told(measured, "JobsDelayed") == {}
    place = f"http://{urlsplit(wrong).hostname}:{urlsplit(wrong).port}"
    assert noted(measured, "broker")["list of queues"] == (
        f"RabbitMQ's management API at {place} does not answer: HTTP 401 Unauthorized"
    )


def _is_all_told(measured: Measured) -> bool:
    unacknowledged = told(measured, "JobsUnacknowledged")
    return unacknowledged == {"optimization": 3, "typo": 0} and bool(told(measured, "JobsDelayed")[""])
