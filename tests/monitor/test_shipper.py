"""The shipper: everything in the spool comes into the store, once, and the spool is cleared behind it."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor import shipper as shipper_module
from monitor.settings import Settings
from monitor.shipper import Shipper, Shipping
from monitor.spool import Spool, segments
from monitor.store import PositionMovedError, StoreError, open_store, reads, upgrade_store
from tests.monitor.events import ended, sent, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine


@pytest.fixture
def settings(store_url: str, tmp_path: Path) -> Settings:
    """Settings of a spool and a store of this test's own."""
    return Settings.from_env({"MONITOR_STORE_URL": store_url, "MONITOR_SPOOL_DIR": str(tmp_path / "spool")})


@pytest.fixture
def spool(settings: Settings) -> Spool:
    """The spool of this process."""
    return Spool(settings.spool_dir)


@pytest.fixture
def shipper(settings: Settings) -> Iterator[Shipper]:
    """A shipper that is driven by hand."""
    shipper = Shipper(settings)
    yield shipper
    shipper.close()


def states(store: Engine) -> dict[str, str]:
    """Return each job's state."""
    return {job.id: job.state for job in reads.jobs_matching(store, reads.JobFilter())}


def in_a_process(action: Callable[[], object]) -> None:
    """Do something in a forked child, which is then killed as a job may be."""
    pid = os.fork()
    if pid == 0:
        action()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)


def eventually(condition: Callable[[], bool], within_s: float = 10.0) -> bool:
    """Wait until the condition holds; return whether it came to that."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_what_is_spooled_comes_into_the_store(spool: Spool, shipper: Shipper, store: Engine) -> None:
    """Pass by pass, the segment that is still written included."""
    spool.append(sent())
    shipper.ship()
    waiting = states(store)
    spool.append(started())
    spool.append(ended())

    shipper.ship()

    assert (waiting, states(store)) == ({"a": "waiting"}, {"a": "succeeded"})
    assert shipper.backlog_bytes() == 0


def test_a_killed_process_leaves_lost_runs_and_no_file(
    spool: Spool, shipper: Shipper, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody told is closed after the grace in which the main process may tell it."""
    in_a_process(lambda: spool.append(sent()) and spool.append(started(run=f"{spool.process}-1")))
    shipper.ship()
    within_grace = states(store)
    monkeypatch.setattr(shipper_module, "GRACE_S", 0.0)

    shipper.ship()

    assert (within_grace, states(store)) == ({"a": "running"}, {"a": "lost"})
    assert segments(spool.directory) == []
    with store.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM monitor_segments").scalar() == 0


def test_a_full_segment_is_deleted_while_its_process_lives(
    settings: Settings, shipper: Shipper, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its process's open runs stay open."""
    monkeypatch.setattr(shipper_module, "GRACE_S", 0.0)
    spool = Spool(settings.spool_dir, segment_bytes=200)
    spool.append(started(run=f"{spool.process}-1"))
    for job in "bcd":
        spool.append(sent(job))

    for _ in range(2):
        shipper.ship()

    assert [found.is_closed() for found in segments(spool.directory)] == [False, False]
    assert states(store) == {"a": "running", "b": "waiting", "c": "waiting", "d": "waiting"}


def test_a_successor_goes_on_where_the_store_is(
    spool: Spool, shipper: Shipper, settings: Settings, store: Engine
) -> None:
    """Positions are the store's: whoever ships next neither doubles nor leaves out."""
    spool.append(sent())
    shipper.ship()
    spool.append(started())

    successor = Shipper(settings)
    successor.ship()
    successor.close()

    story = reads.story(store, "a")
    assert story is not None
    assert [type(event).__name__ for event in story.events] == ["Sent", "Started"]


def test_a_shipper_that_was_overtaken_asks_again(
    spool: Spool, shipper: Shipper, settings: Settings, store: Engine
) -> None:
    """It never writes from a position that is not the store's."""
    spool.append(sent())
    shipper.ship()
    spool.append(started())
    other = Shipper(settings)
    other.ship()
    other.close()
    spool.append(ended())

    with pytest.raises(PositionMovedError):
        shipper.ship()
    shipper.ship()

    assert states(store) == {"a": "succeeded"}


def test_past_its_bound_the_spool_drops_the_oldest_and_counts(
    settings: Settings, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound holds while the store is down; what was dropped is counted when it is back."""
    small = replace(settings, spool_max_mb=1)
    for job in ("oldest", "older", "newest"):
        in_a_process(lambda job=job: [Spool(small.spool_dir).append(sent(job, arguments="x" * 600_000))])  # type: ignore[misc]
    shipper = Shipper(small)
    monkeypatch.setattr(Shipper, "_open", _unavailable)
    with pytest.raises(StoreError):
        shipper.ship()
    monkeypatch.undo()

    shipper.ship()
    shipper.close()

    assert states(store) == {"newest": "waiting"}
    assert reads.lost(store) == {"the spool was full": (2, 0)}


def test_an_event_that_the_store_refuses_does_not_hold_up_the_others(
    spool: Spool, shipper: Shipper, store: Engine
) -> None:
    """It alone is lost, and counted."""
    if store.dialect.name == "sqlite":
        spool.append(ended("refused", grew_bytes=2**63))
    else:
        spool.append(sent("refused", task="no \0 in PostgreSQL"))
    spool.append(sent("good"))

    shipper.ship()

    assert states(store) == {"good": "waiting"}
    assert reads.lost(store) == {"refused by the store": (1, 0)}


def test_the_thread_ships_and_finishes(spool: Spool, settings: Settings, store: Engine) -> None:
    """What was told last is in the store when the process ends."""
    shipping = Shipping(settings)
    shipping.start()
    spool.append(sent())

    shipping.finish()

    assert states(store) == {"a": "waiting"}


def test_one_ships_and_another_takes_over(spool: Spool, settings: Settings, store: Engine) -> None:
    """The lock goes with its process: the next one ships soon after a kill."""
    pid = os.fork()
    if pid == 0:
        Shipping(settings).start()
        signal.pause()
    assert eventually((settings.spool_dir / "shipper.lock").exists)
    waiting = Shipping(settings)
    waiting.start()
    spool.append(sent("first"))
    assert eventually(lambda: "first" in states(store))

    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    spool.append(sent("second"))

    assert eventually(lambda: "second" in states(store))
    waiting.finish()


def test_a_pool_child_never_ships(settings: Settings) -> None:
    """Its main process does."""
    shipping = Shipping(settings)
    shipping.belongs_to_worker()
    pid = os.fork()
    if pid == 0:
        shipping.start()
        os._exit(int(any(thread.name == "monitor-shipper" for thread in threading.enumerate())))

    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0


def test_finishing_is_bounded_when_the_store_hangs(
    spool: Spool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead store does not hold up the worker's shutdown; the events stay in the spool."""
    monkeypatch.setattr(shipper_module, "LAST_FLUSH_S", 0.1)
    hanging, released = threading.Event(), threading.Event()

    def hang(_: Shipper) -> None:
        hanging.set()
        released.wait(30)

    monkeypatch.setattr(Shipper, "ship", hang)
    spool.append(sent())
    shipping = Shipping(settings)
    shipping.start()
    assert hanging.wait(10)

    shipping.finish()

    assert shipping._flushed.is_set() is False
    assert len(segments(settings.spool_dir)) == 1
    released.set()


def test_an_older_store_on_a_server_is_not_written(postgres_url: str, tmp_path: Path) -> None:
    """Events wait in the spool until somebody upgrades it."""
    settings = Settings.from_env({"MONITOR_STORE_URL": postgres_url, "MONITOR_SPOOL_DIR": str(tmp_path / "spool")})
    Spool(settings.spool_dir).append(sent())
    shipper = Shipper(settings)
    with pytest.raises(StoreError):
        shipper.ship()

    upgrade_store(postgres_url)
    shipper.ship()
    shipper.close()

    engine = open_store(postgres_url)
    assert states(engine) == {"a": "waiting"}
    engine.dispose()


def _unavailable(_: Shipper) -> None:
    raise StoreError("the store is down")
