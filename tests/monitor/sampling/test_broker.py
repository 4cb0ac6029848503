"""The broker itself, measured: its figures are its own, and what is dangerous about it is noted."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from monitor.sampling.broker import sample_broker
from monitor.sampling.channels import BrokerError
from tests.monitor.sampling.apps import AT, app_of, noted, told
from tests.monitor.sampling.managed import ManagedRabbit, until
from tests.servers import HOST, RedisServer, free_port

MB = 1_000_000


class SmallRedis(RedisServer):
    """A Redis with little memory, which throws queues away to make room, and keeps nothing on disk."""

    def arguments(self) -> Sequence[str | Path]:
        """As the parent says, but for these."""
        limits = ["--maxmemory", "8mb", "--maxmemory-policy", "allkeys-lru"]
        return [*super().arguments(), *limits, "--appendonly", "no"]


@pytest.fixture
def small_redis(servers_directory: Path) -> Iterator[SmallRedis]:
    """A Redis with little memory."""
    with SmallRedis(servers_directory / f"small-redis-{free_port()}") as server:
        yield server


def test_a_redis_tells_its_figures(redis_url: str) -> None:
    """Clients and blocked clients are counted right, and without a limit there is no share of it."""
    client = redis.Redis.from_url(redis_url)
    before = client.info()

    measured = sample_broker(app_of(redis_url), AT)

    assert told(measured, "BrokerLatency")[""] > 0
    assert told(measured, "BrokerMemory")[""] == pytest.approx(before["used_memory"] / MB, rel=0.5)
    assert told(measured, "BrokerClients") == {"": before["connected_clients"] + 1}
    assert told(measured, "BrokerEvictedKeys") == told(measured, "BrokerReplicas") == {"": 0}
    assert told(measured, "BrokerMemoryLimit") == told(measured, "BrokerMemoryUsed") == {}
    notes = noted(measured, "broker")
    assert notes["eviction policy"] == "noeviction"
    assert notes["persistence"] == "append-only file"
    assert notes["role"] == "master"
    assert notes["version"] == f"Redis {before['redis_version']}"
    assert notes["persistence failure"] is None


def test_a_redis_that_throws_queues_away_is_noted(small_redis: SmallRedis) -> None:
    """Its limit, its share of it, what it threw away and its policy are told, and that nothing outlives it."""
    client = redis.Redis.from_url(small_redis.url)
    for number in range(200):
        client.lpush(f"queue-{number}", "x" * 100_000)

    measured = sample_broker(app_of(small_redis.url), AT)

    info = client.info()
    assert told(measured, "BrokerMemoryLimit") == {"": 8 * 1024 * 1024 / MB}
    assert told(measured, "BrokerMemoryUsed")[""] == pytest.approx(
        100 * info["used_memory"] / info["maxmemory"], rel=0.2
    )
    assert told(measured, "BrokerEvictedKeys") == {"": info["evicted_keys"]}
    assert info["evicted_keys"] > 0
    notes = noted(measured, "broker")
    assert notes["eviction policy"] == "allkeys-lru"
    assert notes["persistence"] == "none: what waits is lost when it stops"


def test_a_snapshot_that_failed_is_noted(small_redis: SmallRedis) -> None:
    """A Redis that cannot write its snapshots, and takes jobs all the same, says so until one succeeds."""
    client = _failing_to_save(small_redis)
    client.config_set("stop-writes-on-bgsave-error", "no")

    measured = sample_broker(app_of(small_redis.url), AT)
    client.config_set("save", "")  # it would not stop without a last snapshot

    assert noted(measured, "broker")["persistence"] == "snapshots"
    assert noted(measured, "broker")["persistence failure"] == "the last snapshot failed"


def test_a_redis_that_takes_no_jobs_for_want_of_a_snapshot_says_why(small_redis: SmallRedis) -> None:
    """By default it then refuses even a ping: the broker cannot be used, and the sentence tells the reason."""
    client = _failing_to_save(small_redis)

    with pytest.raises(BrokerError, match="unable to persist to disk"):
        sample_broker(app_of(small_redis.url), AT)

    client.config_set("save", "")


def test_an_account_that_may_not_read_the_configuration_tells_the_rest(redis_url: str) -> None:
    """Where CONFIG is refused, as by managed services, what only it knows is left open."""
    client = redis.Redis.from_url(redis_url)
    client.acl_setuser(
        "plain", enabled=True, passwords=["+secret"], keys=["*"], categories=["+@all"], commands=["-config"]
    )
    client.config_set("appendonly", "no")

    measured = sample_broker(app_of(redis_url.replace("//", "//plain:secret@")), AT)
    client.config_set("appendonly", "yes")
    client.acl_deluser("plain")

    assert noted(measured, "broker")["persistence"] is None
    assert told(measured, "BrokerMemory")[""] > 0


def test_a_rabbitmq_without_its_api_tells_what_amqp_knows(amqp_url: str) -> None:
    """Its latency and its version."""
    measured = sample_broker(app_of(amqp_url), AT)

    assert told(measured, "BrokerLatency")[""] > 0
    assert (noted(measured, "broker")["version"] or "").startswith("RabbitMQ 3.")
    assert told(measured, "BrokerMemory") == {}


def test_a_rabbitmq_with_its_api_tells_memory_disk_and_alarms(managed_rabbit: ManagedRabbit) -> None:
    """A node that is past its limits is told with its alarm, and without it when it has recovered."""
    app = app_of(managed_rabbit.vhost_url())

    def measure() -> Any:
        return sample_broker(app, AT, management_url=managed_rabbit.api_url)

    calm = until(measure, lambda measured: bool(told(measured, "BrokerDiskFree")))
    _set_memory_limit(managed_rabbit, "0.000001")
    full = until(measure, lambda measured: bool(noted(measured, "broker")["alarms"]))
    _set_memory_limit(managed_rabbit, "0.4")
    again = until(measure, lambda measured: noted(measured, "broker")["alarms"] is None)

    assert noted(calm, "broker")["alarms"] is noted(again, "broker")["alarms"] is None
    assert told(calm, "BrokerMemory")[""] > 10
    assert told(calm, "BrokerDiskFree")[""] > 0
    assert told(calm, "BrokerMemoryUsed")[""] < 100 < told(full, "BrokerMemoryUsed")[""]
    assert (noted(full, "broker")["alarms"] or "").startswith("no memory left: senders are blocked by tests-")


def test_an_api_that_is_not_there_is_noted(managed_rabbit: ManagedRabbit) -> None:
    """AMQP's answers stay, and the note names the place without the password."""
    app, port = app_of(managed_rabbit.vhost_url()), free_port()

    measured = sample_broker(app, AT, management_url=f"http://user:s3cret@{HOST}:{port}")

    assert told(measured, "BrokerLatency")[""] > 0
    note = noted(measured, "broker")["management API"] or ""
    assert note.startswith(f"RabbitMQ's management API at http://{HOST}:{port} does not answer: ")
    assert "s3cret" not in note


def test_a_url_that_nobody_can_read_is_not_repeated() -> None:
    """A password with a character that a URL cannot have is not told in the refusal."""
    with pytest.raises(BrokerError, match="expected a broker_url that Celery can connect to") as raised:
        sample_broker(app_of("redis://:s3/cret@127.0.0.1:6379/0"), AT)

    assert "s3" not in str(raised.value)


def _failing_to_save(server: SmallRedis) -> Any:
    """Make its snapshots fail; return a client."""
    client = redis.Redis.from_url(server.url)
    client.config_set("save", "3600 1")
    (server.directory / "dump.rdb").mkdir()  # no file can take its place
    client.bgsave()
    until(lambda: client.info()["rdb_last_bgsave_status"], lambda status: status == "err")
    return client


def _set_memory_limit(server: ManagedRabbit, part: str) -> None:
    server.run([server.path.with_name("rabbitmqctl"), "set_vm_memory_high_watermark", part])
