"""Queues on Redis: counted over all priorities, found whoever made them, aged, and at a bounded cost."""

import json
import random
from collections import Counter
from typing import Any

import pytest
import redis

from monitor.sampling.queues import redis as redis_queues
from monitor.sampling.queues import sample_queues
from monitor.store import Store
from monitor.store.measured import save_measured
from tests.monitor.sampling.apps import AT, app_of, noted, queue_of, send, told

MEGABYTE = 1_000_000


def test_the_depth_is_the_sum_of_all_priorities(redis_url: str, store: Store) -> None:
    """Each queue's depth is what an independent count of the messages sent to it says."""
    app = app_of(redis_url, ["optimization", "file-processing", "idle"])
    sent = Counter(random.choices(["optimization", "file-processing"], k=60))
    for queue, count in sent.items():
        for _ in range(count):
            send(app, queue, priority=random.randrange(10))

    measured = sample_queues(app, store, AT)

    assert told(measured, "JobQueueDepth") == {**sent, "idle": 0}
    assert len(_client(redis_url).keys("optimization\x06\x16*")) == 3, "the jobs were sent with one priority"


def test_prefix_separator_and_steps_are_the_applications_own(redis_url: str, store: Store) -> None:
    """Keys are named as the transport options say, and another application's in the same database are not counted."""
    options = {"global_keyprefix": "ours:", "sep": ":", "priority_steps": [0, 5]}
    app = app_of(redis_url, ["optimization"], **options)
    send(app, "optimization", 3, priority=0)
    send(app, "optimization", 4, priority=7)
    send(app_of(redis_url, ["theirs", "optimization"]), "optimization", 50)

    measured = sample_queues(app, store, AT)

    assert told(measured, "JobQueueDepth") == {"optimization": 7}
    assert _client(redis_url).llen("ours:optimization:5") == 4


def test_a_queue_that_no_worker_knows_is_found_on_the_broker(redis_url: str, store: Store) -> None:
    """A misspelt queue is found by its binding, one of a foreign sender by its list alone."""
    send(app_of(redis_url), "optimisation", 2)
    _client(redis_url).lpush("from-go\x06\x166", *[_message(number=number) for number in range(3)])

    measured = sample_queues(app_of(redis_url, ["optimization"]), store, AT)

    assert told(measured, "JobQueueDepth") == {"optimization": 0, "optimisation": 2, "from-go": 3}
    assert noted(measured, "queue:optimisation")["seen"] == "not configured"


def test_other_keys_of_the_database_are_no_queues(redis_url: str, store: Store) -> None:
    """A list of something else, and keys of other types, are not taken for queues."""
    client = _client(redis_url)
    client.lpush("recent-searches", "a", "b")
    client.set("celery-task-meta-1", "{}")
    client.hset("optimization\x06\x163", "key", "value")

    measured = sample_queues(app_of(redis_url, ["optimization", "file-processing"]), store, AT)

    assert told(measured, "JobQueueDepth") == {"file-processing": 0}


def test_replies_and_events_are_counted_apart(redis_url: str, store: Store) -> None:
    """Queues of single processes are not listed one by one: their names come and go."""
    client = _client(redis_url)
    client.lpush("0f3b-2.reply.celery.pidbox", _message(), _message())
    client.lpush("celeryev.6f1c", _message())

    measured = sample_queues(app_of(redis_url, ["optimization"]), store, AT)

    assert told(measured, "JobQueueDepth") == {"optimization": 0}
    assert told(measured, "PrivateMessages") == {"": 3}


def test_the_age_is_told_by_the_message_that_comes_next(redis_url: str, store: Store) -> None:
    """It counts from the recorder's stamp, of the oldest message of all priorities."""
    client = _client(redis_url)
    client.lpush("optimization", _message(sent_at=AT - 20), _message(sent_at=AT - 5))
    client.lpush("optimization\x06\x169", _message(sent_at=AT - 70))

    measured = sample_queues(app_of(redis_url, ["optimization", "empty"]), store, AT)

    assert told(measured, "OldestJobAge") == {"optimization": 70, "empty": 0}


def test_a_job_that_was_due_later_waits_since_it_is_due(redis_url: str, store: Store) -> None:
    """A message that was sent long ago with a countdown has waited since its due time."""
    due = "2030-03-17T17:46:30+00:00"  # 10 s before the tick
    _client(redis_url).lpush("optimization", _message(sent_at=AT - 900, eta=due))

    measured = sample_queues(app_of(redis_url, ["optimization"]), store, AT)

    assert told(measured, "OldestJobAge") == {"optimization": 10}


def test_a_body_cannot_pretend_to_be_a_header(redis_url: str, store: Store) -> None:
    """What a client writes into a job's arguments is not read as the time it was sent."""
    body = json.dumps({"monitor_sent_at": 1.0, "eta": "2001-01-01T00:00:00Z"})
    _client(redis_url).lpush("optimization", _message(sent_at=AT - 5, body=body))

    measured = sample_queues(app_of(redis_url, ["optimization"]), store, AT)

    assert told(measured, "OldestJobAge") == {"optimization": 5}


def test_a_foreign_message_is_as_old_as_it_has_been_watched(redis_url: str, store: Store) -> None:
    """Without a stamp, the age is the time for which the same message has come next; it begins anew with another."""
    app, client = app_of(redis_url, ["optimization"]), _client(redis_url)
    client.lpush("optimization", _message(tag="a"), _message(tag="b"))
    ages = []

    for tick in range(5):
        at = AT + 15 * tick
        if tick == 3:
            client.rpop("optimization")
        measured = sample_queues(app, store, at)
        save_measured(store, measured, at)
        ages.append(told(measured, "OldestJobAge")["optimization"])

    assert ages == [0, 15, 30, 0, 15]


def test_a_long_message_costs_the_network_little(redis_url: str, store: Store) -> None:
    """Of a message of 1.3 MB only the end is fetched, in which the headers are."""
    client = _client(redis_url)
    client.lpush("optimization", _message(sent_at=AT - 30, body="x" * 1_300_000))
    before = client.info()["total_net_output_bytes"]

    measured = sample_queues(app_of(redis_url, ["optimization"]), store, AT)

    assert told(measured, "OldestJobAge") == {"optimization": 30}
    assert client.info()["total_net_output_bytes"] - before < 100_000


def test_tails_are_read_up_to_a_limit(redis_url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once so many bytes were read, ages are left out until another tick, and depths are not."""
    monkeypatch.setattr(redis_queues, "MOST_BYTES", MEGABYTE)
    client = _client(redis_url)
    for queue in ("a", "b", "c"):
        client.lpush(queue, _message(sent_at=AT - 30, body="x" * 600_000))

    ticks = [sample_queues(app_of(redis_url, ["a", "b", "c"]), store, AT + 15 * tick) for tick in range(4)]

    assert {len(told(measured, "OldestJobAge")) for measured in ticks} == {2}
    assert {name for measured in ticks for name in told(measured, "OldestJobAge")} == {"a", "b", "c"}
    assert told(ticks[0], "JobQueueDepth") == {"a": 1, "b": 1, "c": 1}


def test_what_workers_hold_is_told_by_queue(redis_url: str, store: Store) -> None:
    """Messages that were taken and not acknowledged count for the queue they came from, by its binding or name."""
    queue = queue_of("optimization", "scenarios", "solve")
    app = app_of(redis_url, [queue, "file-processing"])
    with app.connection_for_write() as connection:
        connection.Producer().publish({}, exchange=queue.exchange, routing_key="solve", declare=[queue])
    send(app, "optimization", 4)
    send(app, "file-processing", 3)

    with app.connection_for_read() as connection:
        channel = connection.channel()
        taken = [app.amqp.queues[name](channel).get() for name in ("optimization",) * 3 + ("file-processing",)]
        measured = sample_queues(app, store, AT)
        channel.qos.restore_at_shutdown = False

    assert all(taken)
    assert told(measured, "JobsUnacknowledged") == {"optimization": 3, "file-processing": 1}
    assert told(measured, "MessagesUnacknowledged") == {"": 4}
    assert told(measured, "JobQueueDepth") == {"optimization": 2, "file-processing": 2}


def test_very_many_held_messages_are_counted_together_only(redis_url: str, store: Store) -> None:
    """Past a limit, telling them apart would cost too much: there is no number by queue, and no zero."""
    held = {str(number): json.dumps([{}, "", "optimization"]) for number in range(redis_queues.MOST_HELD + 1)}
    _client(redis_url).hset("unacked", mapping=held)
    _client(redis_url).zadd("unacked_index", {"0": AT - 500, "1": AT - 100})

    measured = sample_queues(app_of(redis_url, ["optimization"]), store, AT)

    assert told(measured, "JobsUnacknowledged") == {}
    assert told(measured, "MessagesUnacknowledged") == {"": redis_queues.MOST_HELD + 1}
    assert told(measured, "OldestUnacknowledgedAge") == {"": 500}


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ([{}, "topics", "orders.new"], {"b": 0, "c": 0}),
        ([{}, "", "b"], {"a": 0, "b": 1, "c": 0}),
        (["something else"], {}),
    ],
    ids=["by a pattern", "by name", "unreadable"],
)
def test_a_held_message_of_an_unclear_queue_is_no_zero(
    held: list[Any], expected: dict[str, int], redis_url: str, store: Store
) -> None:
    """A queue that may hold more than was counted has no number."""
    client = _client(redis_url)
    client.sadd("_kombu.binding.topics", "orders.#\x06\x16^orders\\..*?$\x06\x16a")
    client.hset("unacked", "1", json.dumps(held))

    measured = sample_queues(app_of(redis_url, ["a", "b", "c"]), store, AT)

    assert told(measured, "JobsUnacknowledged") == expected


def test_a_million_messages_are_counted(redis_url: str, store: Store) -> None:
    """Fifty queues of four priorities with a million messages are counted right."""
    client = _client(redis_url)
    names = [f"queue-{number}" for number in range(50)]
    pipe = client.pipeline(transaction=False)
    for name in names:
        for step in ("", "\x06\x163", "\x06\x166", "\x06\x169"):
            pipe.lpush(name + step, *[_message(sent_at=AT - 1)] * 5_000)
    pipe.execute()

    measured = sample_queues(app_of(redis_url, names), store, AT)

    assert told(measured, "JobQueueDepth") == dict.fromkeys(names, 20_000)
    assert told(measured, "OldestJobAge") == dict.fromkeys(names, 1)


def test_an_account_without_scripts_still_tells_the_depth(redis_url: str, store: Store) -> None:
    """Where EVAL is refused, ages and holders are gaps, and a note says why."""
    client = _client(redis_url)
    client.acl_setuser(
        "plain", enabled=True, passwords=["+secret"], keys=["*"], categories=["+@all"], commands=["-eval"]
    )
    client.lpush("optimization", _message(sent_at=AT - 30))

    measured = sample_queues(app_of(redis_url.replace("//", "//plain:secret@"), ["optimization"]), store, AT)
    client.acl_deluser("plain")

    assert told(measured, "JobQueueDepth") == {"optimization": 1}
    assert told(measured, "OldestJobAge") == told(measured, "JobsUnacknowledged") == {}
    assert "EVAL" in (noted(measured, "broker")["age of jobs"] or "")


def test_a_crowded_database_is_searched_over_several_ticks(
    redis_url: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look goes through a bounded number of keys, and the next goes on where it stopped."""
    monkeypatch.setattr(redis_queues, "SCAN_KEYS", 10)
    monkeypatch.setattr(redis_queues, "SCAN_STEPS", 5)
    _client(redis_url).mset({f"celery-task-meta-{number}": "{}" for number in range(400)})
    send(app_of(redis_url), "typo")
    app = app_of(redis_url, ["optimization"])
    seen = 0

    for tick in range(20):
        measured = sample_queues(app, store, AT + tick)
        seen += "typo" in told(measured, "JobQueueDepth")

    assert 0 < seen < 20, "found at once, or never: a look is not what was meant"


def _client(url: str) -> Any:
    return redis.Redis.from_url(url)


def _message(
    sent_at: float | None = None, eta: str | None = None, tag: str = "t", body: str = "W10=", number: int = 0
) -> str:
    """A message as kombu writes it."""
    headers: dict[str, Any] = {
        "lang": "py",
        "task": "tests.job",
        "id": str(number),
        "eta": eta,
        "argsrepr": "('\"x\"',)",
    }
    headers |= {} if sent_at is None else {"monitor_sent_at": sent_at}
    properties = {"delivery_mode": 2, "delivery_info": {"exchange": "", "routing_key": "q"}, "delivery_tag": tag}
    encoding = {"content-encoding": "utf-8", "content-type": "application/json"}
    return json.dumps({"body": body, **encoding, "headers": headers, "properties": properties})
