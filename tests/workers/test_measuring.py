"""The platform measures itself: beat triggers, a worker measures, the store has it, whatever fails beside it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import make_url

from monitor.sample import METRICS
from monitor.store import open_store, upgrade_store
from monitor.store.measured import latest_samples, notes_about
from tests.processes import ChildProcess, wait_until
from tests.workers.scenes import platform_env, platform_worker, send, transport_plain
from tests.workers_process import worker_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import Engine

# What a platform with Redis and one PostgreSQL, at rest and without limits, does not have: each is measured in a test
# of its sampler, against a subject that has it.
ELSEWHERE = {
    "BrokerDiskFree": "RabbitMQ tells it",
    "BrokerMemoryLimit": "this Redis has none",
    "BrokerMemoryUsed": "likewise",
    "DatabaseReplicationLag": "there is no replica",
    "JobsDelayed": "RabbitMQ delays jobs, Redis does not",
    "MemoryLimit": "the tests run in no container with a limit",
    "MemoryUsed": "likewise",
    "OldestUnacknowledgedAge": "only while a worker holds messages",
    "PoolCheckedOut": "the application watches no engine",
    "PoolCheckoutTime": "likewise",
    "PoolOverflow": "likewise",
    "PoolSize": "likewise",
}
BY_THE_MINUTE = {name for name, metric in METRICS.items() if metric.emitter == "jobs"}
EVERY_SECOND = ("QUEUES", "BROKER", "DATABASES", "WORKERS", "SCHEDULES", "CANARIES")


@pytest.fixture
def env(redis_url: str, postgres_url: str, tmp_path: Path) -> dict[str, str]:
    """The platform's environment, measured each second."""
    periods = {f"MONITOR_{what}_EVERY_S": "1" for what in EVERY_SECOND}
    watched = {"MONITOR_DATABASES": f"orders={postgres_url}", "MONITOR_CANARIES": "optimization"}
    return platform_env(tmp_path, redis_url, redis_url) | periods | watched


@pytest.fixture
def store(env: Mapping[str, str]) -> Iterator[Engine]:
    """Its store."""
    upgrade_store(env["MONITOR_STORE_URL"])
    engine = open_store(env["MONITOR_STORE_URL"])
    yield engine
    engine.dispose()


def beat(directory: Path, env: Mapping[str, str], name: str = "beat") -> ChildProcess:
    """The platform's beat."""
    options = ["--schedule", str(directory / f"{name}-schedule"), "--pidfile", "", "--loglevel", "INFO"]
    return ChildProcess(
        [sys.executable, "-m", "celery", "-A", "workers", "beat", *options],
        log_path=directory / f"{name}.log",
        cwd=directory,
        env=worker_environment(env),
        ready_line="beat: Starting...",
    )


def missing(store: Engine, wanted: set[str]) -> set[str]:
    """Return which of these metrics have no sample yet."""
    return wanted - {sample.metric for sample in latest_samples(store, since=0.0)}


def ticks(store: Engine, metric: str) -> set[float]:
    """Return when the metric was measured last, by series."""
    return {sample.at for sample in latest_samples(store, since=0.0, metrics=[metric])}


def test_every_metric_is_measured(env: dict[str, str], store: Engine, postgres_url: str, tmp_path: Path) -> None:
    """What METRICS lists and nothing emits would be an alarm that can never ring."""
    wanted = METRICS.keys() - ELSEWHERE.keys() - BY_THE_MINUTE

    with (
        psycopg.connect(make_url(postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)),
        platform_worker(tmp_path, env, "optimization", "file-processing", "monitoring"),
        beat(tmp_path, env),
    ):
        send(env, "optimization.transport", transport_plain(), "optimization")
        wait_until(lambda: not missing(store, wanted), what="everything is measured", timeout_s=40)

    assert missing(store, wanted) == set()


def test_a_worker_says_how_the_queues_are(env: dict[str, str], store: Engine, tmp_path: Path) -> None:
    """One line a tick, and a warning for each queue that is too long."""
    env["MONITOR_CANARIES"] = ""  # they would be counted
    for number in range(12):
        send(env, "optimization.transport", transport_plain(scenario_id=str(number)), "optimization")

    with platform_worker(tmp_path, env, "monitoring") as worker, beat(tmp_path, env):
        line = "Queues: optimization 12 waiting / 0 running, file-processing 0 / 0, monitoring"
        wait_until(lambda: line in worker.log(), what="the line is logged", timeout_s=30)
        wait_until(lambda: "WARNING" in worker.log(), what="the warning is logged", timeout_s=30)

    assert not missing(store, {"JobQueueDepth"})


def test_a_broken_database_leaves_the_others_measured(env: dict[str, str], store: Engine, tmp_path: Path) -> None:
    """It becomes a note with its reason, without a password, and not a zero."""
    env["MONITOR_DATABASES"] += ",reports=postgresql://me:hunter2@127.0.0.1:1/reports"

    with platform_worker(tmp_path, env, "monitoring") as worker, beat(tmp_path, env):
        wait_until(lambda: not missing(store, {"DatabaseLatency"}), what="the other is measured", timeout_s=30)
        wait_until(lambda: notes_about(store, "database:reports"), what="the fault is noted", timeout_s=30)

    measured = {dict(sample.dimensions)["Database"] for sample in latest_samples(store, 0.0, ["DatabaseLatency"])}
    (noted,) = notes_about(store, "database:reports")
    assert measured == {"orders"}
    assert noted.name == "fault"
    assert "hunter2" not in noted.text + worker.log()


def test_two_beats_measure_once(env: dict[str, str], store: Engine, tmp_path: Path) -> None:
    """Each tick is kept once, and the second beat is noted."""
    with (
        platform_worker(tmp_path, env, "monitoring"),
        beat(tmp_path, env, "one"),
        beat(tmp_path, env, "two"),
    ):
        wait_until(lambda: notes_about(store, "beat"), what="the second beat is noted", timeout_s=30)
        wait_until(lambda: len(ticks(store, "BrokerLatency")) == 1, what="the broker is measured", timeout_s=30)

    assert "doubled" in {noted.name for noted in notes_about(store, "beat")}


def test_a_wrong_list_of_databases_is_refused_at_the_start(env: dict[str, str], tmp_path: Path) -> None:
    """In one sentence for each fault, and without the password that may stand in it."""
    env["MONITOR_DATABASES"] = "orders=oracle://me:hunter2@host/orders"
    worker = platform_worker(tmp_path, env, "monitoring")

    with pytest.raises(AssertionError):
        worker.start()

    assert "MONITOR_DATABASES: " in worker.log()
    assert "Traceback" not in worker.log()
    assert "hunter2" not in worker.log()
