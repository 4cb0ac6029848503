"""The shipper is killed in the middle of its work, at any point: its successor neither loses nor doubles anything."""

import os
import random
import signal
import threading
from pathlib import Path

import pytest

from monitor import shipper as shipper_module
from monitor.job import Fate
from monitor.settings import Settings
from monitor.shipper import Shipper
from monitor.spool import Spool, segments
from monitor.store import Store, open_store, upgrade_store, writes
from tests.chaos.account import Account
from tests.chaos.faults import forked, killed
from tests.chaos.fleet import ship
from tests.monitor.events import ended, sent, started
from tests.processes import wait_until

MANY_JOBS = 3_000
JOBS = 200
SEED = 2026
KILLS = 12
PASS_TIMEOUT_S = 10.0

KILL_AT: dict[str, tuple[object, str]] = {  # where the shipper is killed: as it enters this function
    "before a commit": (writes, "_count"),
    "between a commit and the deletion of the segments": (Shipper, "_clear"),
    "between the closing of runs and the deletion": (Shipper, "_remove"),
    "before a deletion": (Path, "unlink"),
    "between the deletion and its note in the store": (writes, "forget_segments"),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store without jobs."""
    is_embedded = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/store.db" if is_embedded else str(request.getfixturevalue("postgres_url"))
    upgrade_store(url)
    return url


@pytest.fixture
def settings(store_url: str, tmp_path: Path) -> Settings:
    """The settings of a shipper that closes the runs of vanished processes at once, and works in small batches."""
    return Settings.from_env({"MONITOR_STORE_URL": store_url, "MONITOR_SPOOL_DIR": str(tmp_path / "spool")})


@pytest.fixture(autouse=True)
def in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small batches, so that there is much to be killed in; and no grace for vanished processes."""
    monkeypatch.setattr(shipper_module, "READ_BYTES", 4_000)
    monkeypatch.setattr(shipper_module, "BATCH_BYTES", 8_000)
    monkeypatch.setattr(shipper_module, "GRACE_S", 0.0)


def test_killed_again_and_again_it_neither_loses_nor_doubles(settings: Settings) -> None:
    """At random moments."""
    chance = random.Random(SEED)
    _fill(settings, MANY_JOBS)
    kills = [killed(forked(lambda: ship(settings)), after_s=chance.uniform(0.0, 0.15)) for _ in range(KILLS)]

    ship(settings)

    assert sum(kills) >= KILLS / 2
    assert segments(settings.spool_dir) == []
    _expect_everything_once(settings, MANY_JOBS)


@pytest.mark.parametrize("moment", KILL_AT)
def test_killed_at_this_moment_it_neither_loses_nor_doubles(
    moment: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was done, and whatever was not, is found by the successor."""
    _fill(settings, JOBS)
    with monkeypatch.context() as patch:
        patch.setattr(*KILL_AT[moment], lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        _, status = os.waitpid(forked(lambda: ship(settings)), 0)
    assert os.WIFSIGNALED(status)

    ship(settings)

    assert segments(settings.spool_dir) == []
    _expect_everything_once(settings, JOBS)


def test_a_commit_that_is_still_under_way_is_waited_for(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL may be about to commit what a killed shipper sent last, when the successor asks how far it came."""
    upgrade_store(postgres_url)
    settings = Settings.from_env({"MONITOR_STORE_URL": postgres_url, "MONITOR_SPOOL_DIR": str(tmp_path / "spool")})
    spool = Spool(settings.spool_dir)
    spool.append(sent())
    ship(settings)
    spool.append(started())
    is_committing, go_on = threading.Event(), threading.Event()

    def commit_later(*_: object) -> None:
        is_committing.set()
        go_on.wait(60)

    with monkeypatch.context() as patch:
        patch.setattr(writes, "_count", commit_later)
        first = threading.Thread(target=ship, args=[settings])
        first.start()
        assert is_committing.wait(60)

    successor = threading.Thread(target=ship, args=[settings])
    successor.start()
    wait_until(lambda: _waiting_sessions(postgres_url) == 1, what="the successor waits")
    go_on.set()
    first.join()
    successor.join()

    assert Account.of(postgres_url).doubles() == []


def test_a_pass_ends_although_a_process_writes_without_a_pause(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ships what was there when it began: running after the writer, it would never clear up behind itself."""
    monkeypatch.undo()  # batches of the usual size
    writer = forked(lambda: _write_for_ever(settings.spool_dir))
    wait_until(lambda: segments(settings.spool_dir), what="the process writes")
    shipping = threading.Thread(target=ship, args=[settings], daemon=True)

    shipping.start()
    shipping.join(PASS_TIMEOUT_S)

    is_over = not shipping.is_alive()
    killed(writer)
    assert is_over


def test_what_a_process_leaves_during_a_pass_waits_for_the_next(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pass that did not read it does not clear it away."""
    clear = Shipper._clear

    def clear_late(shipper: Shipper, store: Store) -> None:
        os.waitpid(forked(lambda: Spool(settings.spool_dir).append(sent())), 0)
        clear(shipper, store)

    with monkeypatch.context() as patch:
        patch.setattr(Shipper, "_clear", clear_late)
        ship(settings)

    ship(settings)

    assert Account.of(settings.store_url).jobs.keys() == {"a"}


def _fill(settings: Settings, jobs: int) -> None:
    """Fill the spool as a process does that is killed in its last job."""

    def work() -> None:
        spool = Spool(settings.spool_dir, segment_bytes=20_000)
        for number in range(jobs):
            job, run = f"job-{number}", f"{spool.process}-{number}"
            spool.append(sent(job))
            spool.append(started(job, run=run))
            if number < jobs - 1:
                spool.append(ended(job, run=run))

    os.waitpid(forked(work), 0)


def _write_for_ever(spool_dir: Path) -> None:
    spool = Spool(spool_dir, segment_bytes=10**12)
    while True:
        spool.append(sent())


def _expect_everything_once(settings: Settings, jobs: int) -> None:
    account = Account.of(settings.store_url)
    assert len(account.jobs) == len(account.runs) == jobs
    assert {job.id for job in account.jobs.values() if job.fate is Fate.LOST} == {f"job-{jobs - 1}"}
    assert account.open_jobs() == set()
    assert account.doubles() == []
    assert account.losses == {}


def _waiting_sessions(store_url: str) -> int:
    """Count the sessions of this database that wait for a lock."""
    store = open_store(store_url)
    try:
        with store.connect() as connection:
            query = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            return int(connection.exec_driver_sql(query).scalar_one())
    finally:
        store.dispose()
