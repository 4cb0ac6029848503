"""Leases of real workers and beats, on a real broker and real stores: who lives, who left, and who is gone."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.lease import Lease, Role
from monitor.sampling.leases import without_password
from monitor.store import upgrade_store
from tests.monitor.sampling.watched import Watched
from tests.processes import wait_until
from tests.servers import PostgresServer, RedisServer

WITHIN_S = 15.0


@pytest.fixture
def watched(tmp_path: Path, redis_url: str) -> Iterator[Watched]:
    """Where workers and beats run, with an embedded store."""
    watched = Watched(tmp_path, redis_url, f"sqlite:///{tmp_path}/store.db")
    yield watched
    watched.client.close()
    watched.store.dispose()


def long_after(lease: Lease) -> float:
    """Return a time at which a lease of the living would have been renewed."""
    return lease.renewed_at + 3 * lease.period_s + 0.001


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo", "gevent"])
def test_a_worker_of_every_pool_renews_its_lease_and_says_goodbye(watched: Watched, pool: str) -> None:
    """With the figures that each pool has, and one line at its start and one at its end."""
    with watched.worker(pool=pool) as worker:
        worker.wait_for_log("monitor 0.1.0 watches one@tests: ")
        alive = watched.renewed()
        state = watched.state()
        worker.terminate()

    left = watched.known()
    assert (alive.goodbye_at, left.goodbye_at) == (None, left.renewed_at)
    assert alive.is_fresh(alive.renewed_at + 1)
    assert not left.is_fresh(left.renewed_at)
    assert (state.pool, state.slots, state.queues) == (pool, 1 if pool == "solo" else 2, ["celery"])
    assert (state.can_consume, state.unread, state.code_version) == (True, [], "v7")
    assert (state.main_mb or 0) > 20
    assert ((state.children_mb or 0) > 20) == (pool == "prefork")
    assert 0 <= (-1 if state.loop_lag_s is None else state.loop_lag_s) < 1
    assert 0 <= (-1 if state.brpop_age_s is None else state.brpop_age_s) < 3
    assert abs(9 if state.clock_ahead_of_broker_s is None else state.clock_ahead_of_broker_s) < 0.1
    assert "monitor stopped watching one@tests" in worker.latest_log()


def test_a_lease_tells_which_slot_runs_which_job(watched: Watched, tmp_path: Path) -> None:
    """With its pid; and what is reserved behind it, and what is held until it is due, by queue."""
    done = tmp_path / "done"
    with watched.worker(queues=["celery", "other"]) as worker:
        jobs = {watched.send("hold", str(done)) for _ in range(2)}
        wait_until(lambda: len(watched.state().busy) == 2, what="both slots are busy", timeout_s=WITHIN_S)
        for queue in ("celery", "other", "other"):
            watched.send("nothing", queue=queue, countdown=3000)
        watched.send("nothing")
        wait_until(lambda: watched.state().reserved and sum(watched.state().held.values()) == 3, what="all are taken")
        state = watched.state()
        pids = {process.pid for process in worker.descendants()}
        done.touch()
        wait_until(lambda: not watched.state().busy, what="the slots are free", timeout_s=WITHIN_S)

    assert {slot.job for slot in state.busy} == jobs
    assert {slot.task for slot in state.busy} == {"watched.hold"}
    assert len({slot.pid for slot in state.busy} & pids) == 2
    assert all(0 < watched.known().renewed_at - slot.since < 60 for slot in state.busy)
    assert (state.reserved, state.held, state.queues) == (1, {"celery": 1, "other": 2}, ["celery", "other"])


def test_of_two_workers_on_one_host_the_killed_one_grows_old(watched: Watched) -> None:
    """It says no goodbye; its neighbour stays as fresh as it is."""
    with watched.worker("one") as one, watched.worker("two"):
        watched.renewed("two")
        one.kill()
        killed, alive = watched.known("one"), watched.renewed("two")
        unchanged = watched.known("one")

    assert killed.host == alive.host
    assert killed == unchanged
    assert killed.goodbye_at is None
    assert killed.is_fresh(killed.renewed_at)
    assert not killed.is_fresh(long_after(killed))


def test_a_worker_told_to_stop_says_so_while_its_job_ends(watched: Watched, tmp_path: Path) -> None:
    """It lives as long as the job, and consumes nothing: that is neither deaf nor lost."""
    done = tmp_path / "done"
    with watched.worker() as worker:
        watched.send("hold", str(done))
        wait_until(lambda: watched.state().busy, what="the job runs", timeout_s=WITHIN_S)
        worker.send_signal(signal.SIGTERM)
        wait_until(lambda: not watched.state().queues, what="it consumes nothing", timeout_s=WITHIN_S)
        ending, draining = watched.state(), watched.renewed()
        done.touch()
        worker.wait()

    assert (len(ending.busy), ending.ending) == (1, "told to by SIGTERM (warm)")
    assert draining.goodbye_at is None
    assert watched.known().goodbye_at is not None


def test_a_blocked_loop_tells_how_late_it_is(watched: Watched, tmp_path: Path) -> None:
    """The solo pool's job keeps the loop from turning: the thread beside it goes on renewing the lease."""
    with watched.worker(pool="solo"):
        watched.send("hold", str(tmp_path / "done"))
        wait_until(lambda: (watched.state().loop_lag_s or 0) > 2, what="the loop is late", timeout_s=WITHIN_S)
        blocked = watched.state()
        (tmp_path / "done").touch()
        wait_until(lambda: (watched.state().loop_lag_s or 0) < 1, what="the loop turns again", timeout_s=WITHIN_S)

    assert [slot.task for slot in blocked.busy] == ["watched.hold"]
    assert (blocked.slots, blocked.queues) == (1, ["celery"])


def test_a_cold_stop_says_goodbye(watched: Watched, tmp_path: Path) -> None:
    """Although Celery sends no signal of its end: whoever stopped it did so on purpose."""
    with watched.worker() as worker:
        watched.send("hold", str(tmp_path / "never"))
        wait_until(lambda: watched.state().busy, what="the job runs", timeout_s=WITHIN_S)

        worker.quit()

    assert watched.known().goodbye_at is not None
    assert watched.state().ending == "told to by SIGQUIT (cold)"


def test_a_broken_worker_says_why_and_no_goodbye(watched: Watched) -> None:
    """A job that runs out of memory ends the whole worker in what looks like good order (Celery 5.7)."""
    with watched.worker() as worker:
        watched.renewed()
        watched.send("run_out_of_memory")

        worker.wait()

    assert watched.known().goodbye_at is None
    assert watched.state().ending == "broken by MemoryError: Process got: all of it"


def test_a_cancelled_consumer_is_missing_from_the_queues(watched: Watched) -> None:
    """The worker answers "pong" all the same; the lease is not deceived."""
    with watched.worker(queues=["celery", "other"]):
        wait_until(lambda: watched.state().queues == ["celery", "other"], what="it consumes both", timeout_s=WITHIN_S)

        watched.client.control.cancel_consumer("other")

        wait_until(lambda: watched.state().queues == ["celery"], what="it consumes one", timeout_s=WITHIN_S)
        assert watched.client.control.ping(timeout=5, limit=1) == [{"one@tests": {"ok": "pong"}}]


def test_a_frozen_worker_grows_old_until_it_thaws(watched: Watched) -> None:
    """And then it is the same process, that has said no goodbye."""
    with watched.worker() as worker, watched.worker("neighbour"):
        watched.renewed()
        worker.send_signal(signal.SIGSTOP)
        frozen = watched.known()
        watched.renewed("neighbour", times=4)
        still = watched.known()
        worker.send_signal(signal.SIGCONT)
        thawed = watched.renewed()

    assert still.renewed_at - frozen.renewed_at < frozen.period_s
    assert not still.is_fresh(long_after(still))
    assert (thawed.process, thawed.goodbye_at) == (frozen.process, None)


def test_leases_go_on_without_the_broker(watched: Watched, redis_server: RedisServer) -> None:
    """They say that the worker consumes nothing; when the broker is back, it does, and its loop turns."""
    with watched.worker():
        watched.renewed()
        redis_server.stop()
        wait_until(lambda: not watched.state().queues, what="it consumes nothing", timeout_s=WITHIN_S)
        without = watched.renewed()
        redis_server.start()
        wait_until(lambda: watched.state().queues, what="it consumes again")
        watched.renewed(times=4)

    assert without.goodbye_at is None
    assert (watched.state().loop_lag_s or 0) < 1.5


def test_leases_outlive_their_store(
    tmp_path: Path, redis_url: str, postgres_server: PostgresServer, postgres_url: str
) -> None:
    """The thread goes on trying, says so once, and keeps no connection; a stop meanwhile does not wait for it."""
    upgrade_store(postgres_url)
    watched = Watched(tmp_path, redis_url, postgres_url)
    with watched.worker("one") as one, watched.worker("two") as two:
        watched.renewed("one")
        watched.renewed("two")
        postgres_server.stop()
        one.wait_for_log("The lease of one@tests cannot be renewed")
        assert one.terminate() == 0
        postgres_server.start()
        watched.store.dispose()
        renewed = watched.renewed("two")
        two.terminate()

    assert "one@tests could not tell the store that it stops" in one.latest_log()
    assert one.latest_log().count("cannot be renewed") == 1
    assert two.latest_log().count("The lease of two@tests is renewed again") == 1
    assert watched.known("one").goodbye_at is None
    assert renewed.process == watched.known("two").process
    assert watched.known("two").goodbye_at is not None
    watched.client.close()
    watched.store.dispose()


def test_beat_has_a_lease_with_its_entries_and_its_tick(watched: Watched) -> None:
    """And whatever it sends can be told from which entry it came."""
    with watched.beat() as beat:
        alive = watched.renewed(role=Role.BEAT)
        state = watched.beat_state()
        beat.terminate()

    left = watched.known(role=Role.BEAT)
    assert (alive.goodbye_at, left.goodbye_at) == (None, left.renewed_at)
    assert alive.name.startswith("celerybeat@")
    assert state.tick_age_s < 2
    assert state.tick_overdue_s < 1
    assert state.entries == {
        "twice a second": "<freq: now>",  # Celery's own words leave room
        "once a year": "<freq: 365.00 days>",
        "celery.backend_cleanup": "<crontab: 0 4 * * * (m/h/dM/MY/d)>",  # beat's own
    }
    assert set((watched.directory / "entries").read_text().splitlines()) == {"watched.nothing twice a second"}
    assert "watches celerybeat@" in beat.log()
    assert "monitor stopped watching celerybeat@" in beat.log()


def test_two_beats_are_two(watched: Watched) -> None:
    """Even on one host, where they go by one name: each process has its own lease; a killed one says no goodbye."""
    with watched.beat(1) as one, watched.beat(2):
        wait_until(lambda: len(watched.leases(Role.BEAT)) == 2, what="there are two", timeout_s=WITHIN_S)
        one.kill()

        first, second = watched.leases(Role.BEAT)

    assert first.name == second.name
    assert first.process != second.process
    assert (first.goodbye_at, second.goodbye_at) == (None, None)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@host:6379/0", "redis://:***@host:6379/0"),
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("postgresql://u:se/cr@et@host/db?password=secret", "postgresql://u:***@host/db"),
        ("sqlite:////var/lib/monitor/store.db", "sqlite:////var/lib/monitor/store.db"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    """Not even one that should have been escaped."""
    assert without_password(url) == shown
