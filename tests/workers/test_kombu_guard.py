"""A worker outlives a restart of Redis while it holds messages, for as long as kombu needs help with that."""

from pathlib import Path

import pytest

from tests.processes import wait_until
from tests.servers import RedisServer
from tests.workers.scenes import platform_env, platform_worker, send, transport_plain
from workers.kombu_guard import Channel, guard, is_needed

# The visibility timeout is twice that: so long it takes until Redis gives the job out again.
TIME_LIMIT_S = 2
DUE_IN_S = 2
RUN_WITHIN_S = 60


def test_a_worker_outlives_a_restart_of_redis_while_it_holds_a_job(redis_server: RedisServer, tmp_path: Path) -> None:
    """The job that waited in the worker for its time comes back, and runs."""
    with redis_server.database() as url:
        env = platform_env(tmp_path, url, url) | {"WORKERS_TIME_LIMIT_S": str(TIME_LIMIT_S)}
        with platform_worker(tmp_path, env, "optimization") as worker:
            job = send(env, "optimization.transport", transport_plain(), "optimization", countdown=DUE_IN_S)
            worker.wait_for_log(f"[{job.id}] received")

            redis_server.restart()
            wait_until(lambda: job.ready() or not worker.is_running(), what="the job has run", timeout_s=RUN_WITHIN_S)

            assert worker.is_running(), worker.log()
            assert job.successful()


@pytest.fixture
def bare_kombu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kombu's channel as it was installed, for the time of a test."""
    connparams = Channel._connparams
    monkeypatch.setattr(Channel, "_connparams", getattr(connparams, "__wrapped__", connparams))


@pytest.mark.usefixtures("bare_kombu")
def test_kombu_still_needs_the_guard() -> None:
    """When this fails, a new kombu has mended its channel: remove the guard, and this file."""
    assert is_needed()


@pytest.mark.usefixtures("bare_kombu")
def test_the_guard_is_put_in_once() -> None:
    """A second application in the process finds it in place, and the fault gone."""
    guard()
    guarded = Channel._connparams

    guard()

    assert Channel._connparams is guarded
    assert not is_needed()


def test_the_guard_says_when_kombu_no_longer_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves a kombu alone that raises what its callers expect."""

    def mended(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(Channel, "_connparams", mended)

    with pytest.warns(FutureWarning, match=r"no longer needs workers/kombu_guard\.py: remove it\.$"):
        guard()

    assert Channel._connparams is mended
