"""Whoever ships may die: another process on the host goes on. And what a process has, its forked children do not."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.spool import Spool
from monitor.store import open_store, reads, upgrade_store
from tests.chaos.faults import forked, open_segments, shipper_of
from tests.chaos.fleet import Fleet
from tests.monitor.events import sent
from tests.processes import ChildProcess, wait_until
from tests.workers_process import worker_environment

CHILDREN = 3
FORKS = 40
CHILD_TIMEOUT_S = 20


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """The URL of an embedded store."""
    url = f"sqlite:///{tmp_path}/store.db"
    upgrade_store(url)
    return url


def test_another_process_ships_soon_after_a_kill(
    redis_url: str, store_url: str, tmp_path: Path, say: Callable[..., None]
) -> None:
    """The lock goes with its owner; the wait is generous, and the time is printed."""
    fleet = Fleet(tmp_path, redis_url, store_url)
    with fleet.worker("alpha") as alpha, fleet.worker("beta") as beta:
        sender = fleet.sender("short", every_s=0.02)
        with sender:
            wait_until(lambda: _jobs(store_url), what="jobs are in the store")
            owner = shipper_of(fleet.spool_dir)
            assert owner in {alpha.pid, beta.pid}

            os.kill(owner, signal.SIGKILL)
            killed_at, sent_before = time.monotonic(), len(fleet.ledger()[1])
            wait_until(lambda: shipper_of(fleet.spool_dir) not in {None, owner}, what="another process ships")
            elected_s = time.monotonic() - killed_at
            wait_until(lambda: _jobs(store_url) > sent_before, what="jobs sent after the kill are in the store")
            shipped_s = time.monotonic() - killed_at

    say(f"another process ships after {elected_s:.2f} s, new jobs are in the store after {shipped_s:.2f} s")


def test_forked_senders_share_nothing_and_all_their_jobs_are_recorded(
    redis_url: str, store_url: str, tmp_path: Path
) -> None:
    """Each process has its own segment and thread; a child that outlives its parent takes over from it."""
    fleet = Fleet(tmp_path, redis_url, store_url)
    with ChildProcess(
        [sys.executable, "-m", "tests.chaos.preforking", str(CHILDREN)],
        log_path=tmp_path / "preforking.log",
        cwd=tmp_path,
        env=worker_environment(fleet.env),
    ) as parent:
        wait_until(lambda: parent.log().count("\n") == CHILDREN + 1, what="all have sent")
        about = [json.loads(line) for line in parent.log().splitlines()]
        wait_until(lambda: _jobs(store_url) == CHILDREN + 1, what="all jobs are in the store")
        assert shipper_of(fleet.spool_dir) == parent.pid

        parent.send_signal(signal.SIGKILL)
        children = {process["pid"] for process in about} - {parent.pid}
        wait_until(lambda: shipper_of(fleet.spool_dir) in children, what="a child takes over")

    assert [process["shippers"] for process in about] == [1] * (CHILDREN + 1)
    assert [len(process["segments"]) for process in about] == [1] * (CHILDREN + 1)
    assert len({process["segments"][0] for process in about}) == CHILDREN + 1


def test_a_child_forked_while_a_thread_writes_has_no_segment_of_its_parent_s(tmp_path: Path) -> None:
    """It would hold the segment locked after its parent's death; nor may it wait for a thread that it does not have."""
    spool = Spool(tmp_path / "spool", segment_bytes=1_000)
    is_over = threading.Event()
    writer = threading.Thread(target=_append_until, args=[spool, is_over])
    writer.start()

    for _ in range(FORKS):
        os.waitpid(forked(lambda: _append_and_tell(spool, tmp_path / "told")), 0)
    is_over.set()
    writer.join()

    assert (tmp_path / "told").read_text().split() == ["1"] * FORKS


def _append_until(spool: Spool, is_over: threading.Event) -> None:
    while not is_over.is_set():
        spool.append(sent())


def _append_and_tell(spool: Spool, told: Path) -> None:
    signal.alarm(CHILD_TIMEOUT_S)
    spool.append(sent())
    with told.open("a") as file:
        file.write(f"{len(open_segments())}\n")


def _jobs(store_url: str) -> int:
    """How many jobs the store knows."""
    store = open_store(store_url)
    try:
        return sum(reads.count_by_state(store, reads.JobFilter()).values())
    finally:
        store.dispose()
