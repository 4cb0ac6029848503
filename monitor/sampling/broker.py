"""Measures the broker itself: how fast it answers, how full it is, and whether it may lose what it holds."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from celery import Celery
from redis import Redis
from redis.exceptions import ResponseError

from monitor.sample import Measured
from monitor.sampling import management
from monitor.sampling.channels import BrokerError, open_channel

SUBJECT = "broker"
MB = 1_000_000


def sample_broker(app: Celery, at: float, *, management_url: str | None = None) -> Measured:
    """Measure the application's broker at the tick `at`, in Unix seconds.

    `management_url` is that of RabbitMQ's management API, as http://user:password@host:15672.

    Raises:
        BrokerError: when the broker cannot be reached.

    """
    measured = Measured()
    with open_channel(app) as channel:
        match channel.connection.client.transport.driver_type:
            case "redis":
                _tell_redis(measured, at, channel)
            case "amqp":
                _tell_rabbitmq(measured, at, channel)
                if management_url:
                    _tell_managed(measured, at, management_url)
            case "sqs":
                from monitor.sampling.queues import sqs  # noqa: PLC0415 (boto3 is there only where SQS is)

                _tell_latency(measured, at, lambda: sqs.ping(channel))
    return measured


def _tell_latency(measured: Measured, at: float, question: Callable[[], object]) -> None:
    began = time.perf_counter()
    question()
    measured.add("BrokerLatency", at, (time.perf_counter() - began) * 1e3)


def _tell_redis(measured: Measured, at: float, channel: Any) -> None:
    redis: Any = Redis(connection_pool=channel.client.connection_pool)
    _tell_latency(measured, at, redis.ping)
    info = redis.info()
    for metric, field, unit in _REDIS_NUMBERS:
        value = info.get(field)
        measured.add(metric, at, None if value is None else value / unit)
    limit = info.get("maxmemory")
    if limit:
        measured.add("BrokerMemoryLimit", at, limit / MB)
        measured.add("BrokerMemoryUsed", at, 100 * info["used_memory"] / limit)
    for name, text in _redis_notes(info, _saves(redis), channel).items():
        measured.note(SUBJECT, name, text)


_REDIS_NUMBERS = (
    ("BrokerMemory", "used_memory", MB),
    ("BrokerFragmentation", "mem_fragmentation_ratio", 0.01),
    ("BrokerEvictedKeys", "evicted_keys", 1),
    ("BrokerClients", "connected_clients", 1),
    ("BrokerBlockedClients", "blocked_clients", 1),
    ("BrokerReplicas", "connected_slaves", 1),
)


def _redis_notes(info: Mapping[str, Any], saves: str | None, channel: Any) -> dict[str, str | None]:
    product = "Valkey" if "valkey_version" in info else "Redis"
    timeout_s = channel.visibility_timeout
    return {
        "version": f"{product} {info.get('valkey_version', info.get('redis_version', 'of an unknown version'))}",
        "role": info.get("role"),
        "replication": "the link to its master is down" if info.get("master_link_status") == "down" else None,
        "eviction policy": info.get("maxmemory_policy"),
        "persistence": _persistence(info, saves),
        "persistence failure": _persistence_failure(info),
        "loading": "it is still loading its data" if info.get("loading") else None,
        "visibility timeout": f"{timeout_s:g} s",
    }


def _saves(redis: Any) -> str | None:
    """Return when snapshots are taken, as Redis writes it; empty: never, None: it does not tell (managed ones)."""
    try:
        return str(redis.config_get("save").get("save", ""))
    except ResponseError:
        return None


def _persistence(info: Mapping[str, Any], saves: str | None) -> str | None:
    appends = bool(info.get("aof_enabled"))
    if saves is None and not appends:
        return None  # whether it takes snapshots is not known
    kinds = [kind for kind, is_on in (("append-only file", appends), ("snapshots", bool(saves))) if is_on]
    return " and ".join(kinds) or "none: what waits is lost when it stops"


def _persistence_failure(info: Mapping[str, Any]) -> str | None:
    failed = [words for field, words in _PERSISTENCE_FAILURES if info.get(field) == "err"]
    return ", and ".join(failed) or None


_PERSISTENCE_FAILURES = (
    ("rdb_last_bgsave_status", "the last snapshot failed"),
    ("aof_last_write_status", "the last write to the append-only file failed"),
    ("aof_last_bgrewrite_status", "the last rewrite of the append-only file failed"),
)


def _tell_rabbitmq(measured: Measured, at: float, channel: Any) -> None:
    # The cheapest question that waits for an answer, and needs no right.
    _tell_latency(measured, at, lambda: channel.basic_qos(0, 1, a_global=False))
    properties = channel.connection.server_properties
    measured.note(SUBJECT, "version", f"{properties.get('product')} {properties.get('version')}")


class _Node(msgspec.Struct):
    """One node of the cluster as the management API tells it; of one that is down it tells little."""

    name: str
    running: bool = True
    mem_used: int | None = None
    mem_limit: int | None = None
    mem_alarm: bool = False
    disk_free: int | float | None = None
    disk_free_alarm: bool = False
    partitions: list[str] = []


class _Totals(msgspec.Struct):
    connections: int | None = None


class _Overview(msgspec.Struct):
    object_totals: _Totals = msgspec.field(default_factory=_Totals)


def _tell_managed(measured: Measured, at: float, url: str) -> None:
    """Add what the management API tells; a note while it does not: AMQP has told what it can."""
    fault = None
    try:
        nodes = management.ask(url, "nodes", list[_Node])
        measured.add("BrokerClients", at, management.ask(url, "overview", _Overview).object_totals.connections)
        _tell_nodes(measured, at, nodes)
    except BrokerError as refused:
        fault = str(refused)
    measured.note(SUBJECT, "management API", fault)


def _tell_nodes(measured: Measured, at: float, nodes: list[_Node]) -> None:
    """Add the numbers of the node that is nearest to its limit: its alarm stops the senders of all."""
    memory = [(node.mem_used, node.mem_limit) for node in nodes]
    told = [(used / limit, used, limit) for used, limit in memory if used is not None and limit]
    if told:
        part, used, limit = max(told)
        measured.add("BrokerMemory", at, used / MB)
        measured.add("BrokerMemoryLimit", at, limit / MB)
        measured.add("BrokerMemoryUsed", at, 100 * part)
    free = [node.disk_free for node in nodes if node.disk_free is not None]
    measured.add("BrokerDiskFree", at, min(free) / MB if free else None)
    measured.note(SUBJECT, "alarms", "; ".join(_alarms(nodes)) or None)


def _alarms(nodes: list[_Node]) -> list[str]:
    return [f"{words} {node.name}" for node in sorted(nodes, key=lambda node: node.name) for words in _alarms_of(node)]


def _alarms_of(node: _Node) -> list[str]:
    told = (
        (node.mem_alarm, "no memory left: senders are blocked by"),
        (node.disk_free_alarm, "no disk space left: senders are blocked by"),
        (bool(node.partitions), "the network is split, seen by"),
        (not node.running, "not running:"),
    )
    return [words for is_so, words in told if is_so]
