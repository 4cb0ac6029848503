"""Canaries: how long they take, and what is said of those that do not come back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery, signals

from monitor.job import CANARY, Fate, Run
from monitor.lease import Lease, Role, WorkerState
from monitor.sample import Measured
from monitor.sampling.canaries import WAITING_EVERY, due_queues, sample_canaries, send_canaries
from monitor.store import Store, open_store, reads
from monitor.store.measured import renew_lease, save_measured
from tests.processes import wait_until
from tests.servers import HOST, free_port
from tests.workers_process import CeleryProcess

PERIOD_S = 30.0
AT = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC
NOBODY = "received by nobody: no worker that the monitor knows consumes the queue"


def flown(ago_s: float, took_s: float | None = None, **more: Any) -> Run:
    """Return a canary that was sent so long ago, and started after so many seconds if it was."""
    sent_at = AT - ago_s
    times = {} if took_s is None else {"received_at": sent_at + took_s / 2, "started_at": sent_at + took_s}
    return Run(id="", job=f"sent {ago_s} s ago", queue="q", sent_at=sent_at, **(times | more))


def looked(store: Store, runs: Iterable[Run], at: float = AT) -> Measured:
    """Look at the canaries of queue q, and write down what was seen."""
    measured = sample_canaries(store, ["q"], PERIOD_S, at, lambda since: [*runs] if since == at - 120 else [])
    save_measured(store, measured, at)
    return measured


def note(measured: Measured) -> str | None:
    """Return the one note about queue q."""
    ((text,),) = [[note.text for note in measured.notes if (note.subject, note.name) == ("queue:q", "canary")]]
    return text


def figures(measured: Measured) -> dict[str, Any]:
    """Return the samples of queue q by metric."""
    return {sample.metric: sample.value for sample in measured.samples}


def consuming(store: Store, name: str, queues: list[str]) -> None:
    """Let a worker consume these queues."""
    unknown = dict.fromkeys(("can_consume", "loop_lag_s", "brpop_age_s", "main_mb", "children_mb"))
    unknown |= dict.fromkeys(("limit_mb", "container_mb", "oom_kills"))
    unknown |= dict.fromkeys(("cpu_percent", "clock_ahead_of_broker_s", "clock_ahead_of_store_s"))
    known = {"pool": "prefork", "slots": 1, "busy": [], "reserved": 0, "held": {}, "queues": queues}
    versions = dict.fromkeys(("code_version", "celery", "python"), "1")
    state = WorkerState(**(unknown | known | versions))  # type: ignore[arg-type]
    times = {"started_at": AT - 600, "renewed_at": AT, "period_s": 5.0}
    renew_lease(store, Lease(role=Role.WORKER, name=name, process=name, host="h", pid=1, state=state, **times))


def test_a_canary_that_comes_back_tells_receipt_and_start(store: Store) -> None:
    """In milliseconds since its sending; the latest counts."""
    measured = looked(store, [flown(50, 9.0), flown(20, 0.5)])

    assert figures(measured) == {
        "CanaryReceived": pytest.approx(250, abs=0.1),
        "CanaryStarted": pytest.approx(500, abs=0.1),
    }
    assert note(measured) is None


def test_a_canary_under_way_is_not_missing(store: Store) -> None:
    """It has its period, but for what passes between a tick and the sending."""
    measured = looked(store, [flown(53, 0.5), flown(23)])

    assert note(measured) is None


def test_a_time_of_long_ago_is_not_told_again(store: Store) -> None:
    """A gap is a gap, and no gauge that keeps its last value."""
    measured = looked(store, [flown(61, 0.5), flown(31)])

    assert figures(measured) == {}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, NOBODY),
        ({"fate": Fate.EXPIRED, "worker": "w1@a"}, "received by w1@a, which could not start it before it expired"),
        ({"fate": Fate.UNKNOWN, "worker": "w1@a"}, "received by w1@a and not started: unknown"),
        ({"received_at": AT - 30, "worker": "w1@a"}, "received by w1@a and not started"),
    ],
    ids=["received by nobody", "expired", "unknown", "received alone"],
)
def test_a_canary_that_is_missing_is_told_with_who_received_it(
    store: Store, fields: dict[str, Any], words: str
) -> None:
    """As far as can be told."""
    measured = looked(store, [flown(30, **fields)])

    assert note(measured) == f"sent at 2027-01-15 07:59:30 UTC, {words}"
    assert figures(measured) == {}


def test_where_a_canary_is_that_nobody_tells_of(store: Store) -> None:
    """In the queue, or held back; once the queue is empty, it was given to somebody."""
    consuming(store, "w1@a", ["q"])
    consuming(store, "w2@a", ["another"])
    waiting = looked(store, [flown(30)])
    depth = Measured()
    depth.add("JobQueueDepth", AT - 1, 0, QueueName="q")
    depth.add("JobQueueDepth", AT - 1, 7, QueueName="another")
    save_measured(store, depth, AT)

    given_out = looked(store, [flown(30)])

    assert str(note(waiting)).endswith("not started: it waits in the queue, or its workers hold it back")
    assert str(note(given_out)).endswith("no longer in the queue and not started: w1@a took it, or it vanished")


def test_a_note_stays_until_a_canary_comes_back(store: Store) -> None:
    """With the time of the first that was missing, though that is not looked at any more."""
    notes = [
        note(looked(store, [flown(30)])),
        note(looked(store, [flown(-600)], AT + 630)),
        note(looked(store, [], AT + 645)),
        note(looked(store, [flown(-600), flown(-650, 1.0)], AT + 660)),
    ]

    assert notes == [*[f"sent at 2027-01-15 07:59:30 UTC, {NOBODY}"] * 3, None]


def test_a_queue_in_which_a_canary_may_wait_gets_few_more(store: Store) -> None:
    """So that they do not pile up where nobody takes them; where somebody takes them, the next is sent at once."""
    looked(store, [flown(30)])
    ticks = [AT + PERIOD_S * number for number in range(2 * WAITING_EVERY)]
    piling = [at for at in ticks if "q" in due_queues(store, ["q", "other"], PERIOD_S, at)]
    looked(store, [flown(30, fate=Fate.EXPIRED, worker="w1@a")])

    taken = due_queues(store, ["q", "other"], PERIOD_S, AT)

    assert piling == [AT + PERIOD_S * (WAITING_EVERY - 1), AT + PERIOD_S * (2 * WAITING_EVERY - 1)]
    assert taken == ["q", "other"]


def test_a_broker_that_is_gone_is_told_for_each_queue_without_its_password() -> None:
    """And is not asked again for each."""
    app = Celery(broker=f"redis://user:secret@{HOST}:{free_port()}/0", set_as_current=False)
    app.conf.task_publish_retry_policy = {"max_retries": 0}
    tried: list[str] = []

    def note_queue(routing_key: str, **_: Any) -> None:
        tried.append(routing_key)

    signals.before_task_publish.connect(note_queue, sender=CANARY)

    measured = send_canaries(app, ["a", "b"], PERIOD_S, AT)

    assert measured is not None
    assert tried == ["a"]
    assert [(each.subject, str(each.text).partition(":")[0]) for each in measured.notes] == [
        ("queue:a", "OperationalError"),
        ("queue:b", "OperationalError"),
    ]
    assert "secret" not in str(measured.notes)


def test_a_queue_that_is_not_configured_does_not_hold_up_the_others(redis_url: str) -> None:
    """A canary expires with its period, and is kept out of results."""
    app = Celery(broker=redis_url, set_as_current=False)
    app.conf.task_create_missing_queues = False
    app.conf.task_queues = {"known": {}}

    measured = send_canaries(app, ["typo", "known"], PERIOD_S, AT)

    assert measured is not None
    texts = {each.subject: each.text for each in measured.notes}
    assert "typo" in str(texts.pop("queue:typo"))
    assert texts == {"queue:known": None}
    with redis.Redis.from_url(redis_url) as broker:
        message = json.loads(broker.lrange("known", 0, 0)[0])
    assert (message["headers"]["task"], message["headers"]["ignore_result"]) == (CANARY, True)
    assert message["headers"]["expires"] == "2027-01-15T08:00:30+00:00"


def test_rabbitmq_drops_a_canary_that_nobody_takes(amqp_url: str) -> None:
    """Once its period is over."""
    with Celery(broker=amqp_url, set_as_current=False) as app, app.connection_for_read() as connection:
        queue = app.amqp.queues["dead"].bind(connection.default_channel)

        send_canaries(app, ["dead"], 1.0, time.time())

        wait_until(lambda: queue.queue_declare(passive=True).message_count == 1, what="it waits", timeout_s=10)
        wait_until(lambda: queue.queue_declare(passive=True).message_count == 0, what="it is dropped", timeout_s=10)


def test_a_real_canary_comes_back_but_not_from_a_queue_nobody_consumes(redis_url: str, tmp_path: Path) -> None:
    """Sent, received and started by a real worker, and told from what is recorded of it."""
    environment = {
        "FLYING_BROKER_URL": redis_url,
        "MONITOR_STORE_URL": f"sqlite:///{tmp_path}/store.db",
        "MONITOR_SPOOL_DIR": f"{tmp_path}/spool",
    }
    store = open_store(environment["MONITOR_STORE_URL"], create=True)
    worker = CeleryProcess(
        app="tests.monitor.sampling.flying", cwd=tmp_path, queues=["live", "celery"], env=environment
    )
    with worker, Celery(broker=redis_url, set_as_current=False) as foreign:
        foreign.send_task("flying.send", (["live", "dead"], 2.0))
        seen = partial(reads.canaries, store)
        wait_until(lambda: any(run.started_at for run in seen(0.0)), what="a canary is back", timeout_s=20)
        wait_until(lambda: len(seen(0.0)) == 2, what="both are recorded", timeout_s=10)
        ages = [time.time() - (run.sent_at or 0.0) for run in seen(0.0)]
        at = time.time() - min(ages) + 2.0  # as soon as the younger one's period is over

    measured = sample_canaries(store, ["live", "dead"], 2.0, at, seen)

    samples = {(sample.metric, *sample.dimensions): float(sample.value) for sample in measured.samples}  # type: ignore[arg-type]
    live = ("QueueName", "live")
    assert samples.keys() == {("CanaryReceived", live), ("CanaryStarted", live)}
    assert 0 <= samples["CanaryReceived", live] <= samples["CanaryStarted", live] < 2000
    assert {each.subject: str(each.text).partition(", ")[2] for each in measured.notes} == {
        "queue:live": "",
        "queue:dead": NOBODY,
    }
    store.dispose()
