"""What is told of queues whatever the broker: names that stay, workers, rates, words, and gaps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis

from monitor.lease import Lease, Role, WorkerState
from monitor.sample import Measured
from monitor.sampling.channels import BrokerError
from monitor.sampling.queues import forget_queue, sample_queues, status_line, warnings
from monitor.store import Store
from monitor.store.measured import renew_lease, save_measured
from tests.monitor.sampling.apps import AT, app_of, noted, send, told
from tests.servers import free_port


@dataclass(frozen=True)
class Flow:
    """What was counted in a window."""

    arrived: int
    ended: int


@dataclass
class Counts:
    """The jobs' rows, played: what they say in any window, and what runs."""

    flows: dict[str, Flow] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)
    windows: list[tuple[float, float]] = field(default_factory=list)

    def flow(self, _: Store, /, since: float, until: float) -> Mapping[str, Flow]:
        """What came and ended."""
        self.windows.append((since, until))
        return self.flows

    def running_by_queue(self, _: Store, /) -> Mapping[str, int]:
        """What runs."""
        return self.running


def test_a_queue_once_seen_stays_listed_until_it_is_forgotten(redis_url: str, store: Store) -> None:
    """A queue that is gone from the broker is still measured, until it is forgotten on purpose."""
    send(app_of(redis_url), "seasonal", 2)
    app = app_of(redis_url, ["optimization"])
    save_measured(store, sample_queues(app, store, AT), AT)
    redis.Redis.from_url(redis_url).flushdb()

    remembered = sample_queues(app, store, AT + 15)
    was_known = forget_queue(store, "seasonal", AT + 20)
    forgotten = sample_queues(app, store, AT + 30)

    assert told(remembered, "JobQueueDepth") == {"optimization": 0, "seasonal": 0}
    assert was_known
    assert told(forgotten, "JobQueueDepth") == {"optimization": 0}
    assert not forget_queue(store, "seasonal", AT + 40)


def test_forgetting_a_queue_leaves_those_whose_names_begin_alike(store: Store) -> None:
    """Only the queue of exactly that name is forgotten."""
    app = app_of("memory://", [])
    seen = Measured()
    seen.note("queue:a", "seen", "not configured")
    seen.note("queue:ab", "seen", "not configured")
    save_measured(store, seen, AT)

    forget_queue(store, "a", AT)
    measured = sample_queues(app, store, AT)

    assert noted(measured, "queue:a") == {}
    assert noted(measured, "queue:ab")["seen"] == "not configured"


def test_consumers_and_held_jobs_are_those_of_workers_that_are_alive(redis_url: str, store: Store) -> None:
    """A worker that is silent or said goodbye counts no more; a queue that only a worker knows is measured too."""
    renew_lease(store, _lease("a", AT, queues=["optimization", "extra"], held={"optimization": 3}))
    renew_lease(store, _lease("b", AT - 5, queues=["optimization"], held={"optimization": 4, "extra": 1}))
    renew_lease(store, _lease("silent", AT - 60, queues=["optimization"], held={"optimization": 50}))
    renew_lease(store, _lease("gone", AT, queues=["optimization"], held={"optimization": 60}, goodbye_at=AT))

    measured = sample_queues(
        app_of(redis_url, ["optimization", "idle"]), store, AT, counts=Counts(running={"extra": 2})
    )

    assert told(measured, "QueueConsumers") == {"optimization": 2, "idle": 0, "extra": 1}
    assert told(measured, "JobsHeld") == {"optimization": 7, "idle": 0, "extra": 1}
    assert told(measured, "JobsRunning") == {"optimization": 0, "idle": 0, "extra": 2}


def test_without_any_lease_workers_are_unknown_and_not_zero(redis_url: str, store: Store) -> None:
    """Where no worker ever told of itself, what only workers know is a gap."""
    app = app_of(redis_url, ["optimization"])

    measured = sample_queues(app, store, AT, counts=Counts())

    for metric in ("QueueConsumers", "JobsHeld", "JobsRunning", "JobArrivals", "JobCompletions"):
        assert told(measured, metric) == {}
    assert told(measured, "JobQueueDepth") == {"optimization": 0}


def test_rates_are_those_of_the_last_minute(redis_url: str, store: Store) -> None:
    """Ten jobs wait no more after a minute in which thirty ended: the other twenty wait for two minutes yet."""
    app = app_of(redis_url, ["optimization"])
    counts = Counts({"optimization": Flow(arrived=20, ended=30)})
    renew_lease(store, _lease("a", AT + 60, queues=["optimization"]))
    send(app, "optimization", 30)
    save_measured(store, sample_queues(app, store, AT, counts=counts), AT)
    _take(redis_url, "optimization", 10)

    measured = sample_queues(app, store, AT + 60, counts=counts)

    assert counts.windows[-1] == (AT, AT + 60)
    assert told(measured, "JobArrivals") == {"optimization": 20}
    assert told(measured, "JobCompletions") == {"optimization": 30}
    assert told(measured, "QueueTimeToEmpty") == {"optimization": 120}


def test_jobs_of_foreign_senders_arrive_too(redis_url: str, store: Store) -> None:
    """What the rows do not know is told by what is there: 5 more wait, 2 more run, 3 more are held, 4 ended."""
    app, counts = app_of(redis_url, ["optimization"]), Counts({"optimization": Flow(arrived=1, ended=4)})
    renew_lease(store, _lease("a", AT, queues=["optimization"]))
    save_measured(store, sample_queues(app, store, AT, counts=counts), AT)
    send(app, "optimization", 5)
    renew_lease(store, _lease("a", AT + 30, queues=["optimization"], held={"optimization": 3}))
    counts.running = {"optimization": 2}

    measured = sample_queues(app, store, AT + 30, counts=counts)

    assert told(measured, "JobArrivals") == {"optimization": 2 * (5 + 2 + 3 + 4)}
    assert told(measured, "JobCompletions") == {"optimization": 2 * 4}


def test_a_queue_that_does_not_shrink_is_never_empty(redis_url: str, store: Store) -> None:
    """It has no time until it is empty, and a note says so as long as it lasts."""
    app = app_of(redis_url, ["optimization"])
    send(app, "optimization", 3)
    first = sample_queues(app, store, AT)
    save_measured(store, first, AT)

    same = sample_queues(app, store, AT + 60)
    save_measured(store, same, AT + 60)
    _take(redis_url, "optimization", 3)
    empty = sample_queues(app, store, AT + 120)

    assert told(first, "QueueTimeToEmpty") == told(same, "QueueTimeToEmpty") == {}
    assert noted(first, "queue:optimization")["empties"] is None
    assert noted(same, "queue:optimization")["empties"] == "never"
    assert told(empty, "QueueTimeToEmpty") == {"optimization": 0}
    assert noted(empty, "queue:optimization")["empties"] is None


def test_the_status_line_tells_all_queues_in_the_applications_order(redis_url: str, store: Store) -> None:
    """Configured queues come first; what is not known is a question mark."""
    app = app_of(redis_url, ["optimization", "file-processing"])
    send(app, "optimization", 3)
    send(app_of(redis_url), "archive")
    unknown = sample_queues(app, store, AT)
    renew_lease(store, _lease("a", AT, queues=["optimization"]))

    known = sample_queues(app, store, AT, counts=Counts(running={"optimization": 1}))

    assert status_line(known) == "Queues: optimization 3 waiting / 1 running, file-processing 0 / 0, archive 1 / 0"
    assert status_line(unknown) == "Queues: optimization 3 waiting / ? running, file-processing 0 / ?, archive 1 / ?"
    assert status_line(Measured()) == "Queues: none"


def test_each_queue_above_its_threshold_is_a_sentence() -> None:
    """At its threshold a queue is quiet; above it, the sentence tells how many wait, and how long."""
    measured = Measured()
    for queue, waiting in (("optimization", 12), ("file-processing", 20), ("archive", 5000)):
        measured.add("JobQueueDepth", AT, waiting, QueueName=queue)
    measured.add("OldestJobAge", AT, 95.4, QueueName="optimization")

    said = warnings(measured, {"optimization": 10, "file-processing": 20, "unknown": 1})

    assert said == ["Queue optimization has 12 jobs waiting, more than 10; the oldest has waited 95 s."]


@pytest.mark.parametrize("url", ["redis://user:s3cret@127.0.0.1:{}/0", "amqp://user:s3cret@127.0.0.1:{}//"])
def test_a_broker_that_is_not_there_is_one_sentence_without_a_password(url: str, store: Store) -> None:
    """It raises, so that the tick is a gap, and says where the broker should be."""
    port = free_port()

    with pytest.raises(BrokerError, match="refused") as raised:
        sample_queues(app_of(url.format(port), ["optimization"]), store, AT)

    said = str(raised.value)
    assert said.startswith(f"The broker at {url.partition(':')[0]}://127.0.0.1:{port}")
    assert "s3cret" not in said
    assert "user" not in said


def test_a_wrong_password_is_not_repeated(redis_url: str, store: Store) -> None:
    """Redis refuses, and its words come without what was sent."""
    with pytest.raises(BrokerError, match="AuthenticationError") as raised:
        sample_queues(app_of(redis_url.replace("//", "//user:s3cret@")), store, AT)

    assert "s3cret" not in str(raised.value)


def _take(url: str, queue: str, count: int) -> None:
    redis.Redis.from_url(url).rpop(queue, count)


def _lease(name: str, renewed_at: float, goodbye_at: float | None = None, **state: Any) -> Lease:
    return Lease(
        role=Role.WORKER,
        name=name,
        process=name,
        host="host",
        pid=1,
        started_at=AT - 1000,
        renewed_at=renewed_at,
        period_s=5,
        goodbye_at=goodbye_at,
        state=_state(**state),
    )


def _state(queues: list[str], held: dict[str, int] | None = None) -> WorkerState:
    unknown = dict.fromkeys(
        ("loop_lag_s", "brpop_age_s", "limit_mb", "container_mb", "oom_kills", "clock_ahead_of_broker_s")
    )
    known = {"pool": "prefork", "slots": 2, "busy": [], "reserved": 0, "can_consume": True, "main_mb": 1.0}
    versions = {"code_version": "v1", "celery": "5.7.0", "python": "3.11"}
    figures = {"children_mb": 1.0, "cpu_percent": 0.0, "clock_ahead_of_store_s": None}
    return WorkerState(queues=queues, held=held or {}, **known, **versions, **figures, **unknown)  # type: ignore[arg-type]
