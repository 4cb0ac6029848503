"""The spool cannot be written, is full, or past its bound: jobs go on, and each lost record is counted."""

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
from celery import Celery

from monitor import shipper as shipper_module
from monitor import spool as spool_module
from monitor.job import Dropped, Ended, Fate, Started
from monitor.settings import Settings
from monitor.shipper import Shipper
from monitor.spool import Spool, segments
from monitor.store import Store, StoreError
from tests.chaos.account import Account
from tests.chaos.faults import forked
from tests.chaos.fleet import Fleet, ship
from tests.monitor.events import sent, started
from tests.processes import wait_until

RECORDS_A_RUN = 2  # its start and its end: the tests send without a monitor
FULL_AT_BYTES = 20_000
LONG_WORDS = "x" * 20_000
ALL = 10_000_000

Send = Callable[..., int]


@pytest.fixture
def send(redis_url: str) -> Send:
    """Sends jobs without a monitor; tells how many."""
    app = Celery(broker=redis_url, set_as_current=False)

    def send(task: str, count: int = 1, **arguments: object) -> int:
        for _ in range(count):
            app.send_task(f"tests.chaos.app.{task}", kwargs=arguments)
        return count

    return send


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """The URL of a store that the first shipper makes."""
    return f"sqlite:///{tmp_path}/store/store.db"


@pytest.mark.parametrize("fault", ["a file in its place", "read-only"])
def test_jobs_go_on_where_the_spool_cannot_be_written(
    fault: str, redis_url: str, store_url: str, send: Send, tmp_path: Path
) -> None:
    """Once it can be written again, it is told how much was lost."""
    fleet = Fleet(tmp_path, redis_url, store_url)
    worker = fleet.worker("alpha", "--concurrency", "1")
    if fault == "read-only":
        fleet.spool_dir.mkdir(mode=0o500)
        if os.geteuid() == 0:  # who may write everywhere, unless that is taken away
            worker.command = ["setpriv", "--bounding-set=-dac_override", *worker.command]
    else:
        fleet.spool_dir.touch()

    with worker:
        send("short", 20)
        wait_until(lambda: fleet.started().total() == 20, what="all jobs run")
        worker.wait_for_log("Events are dropped")
        was_empty = not fleet.spool_dir.is_dir() or not any(fleet.spool_dir.iterdir())
        fleet.spool_dir.chmod(0o700) if fault == "read-only" else fleet.spool_dir.unlink()
        wait_until(lambda: send("short") and segments(fleet.spool_dir), what="records are written again")
        worker.terminate()
    fleet.ship_the_rest()

    account = Account.of(store_url)
    assert was_empty
    assert account.losses["the spool could not be written"][0] >= 20 * RECORDS_A_RUN
    _expect_all_counted(account, fleet)


def test_jobs_go_on_where_the_disk_is_full(redis_url: str, store_url: str, send: Send, tmp_path: Path) -> None:
    """A limit to the size of files stands for the full disk: it tears records in the same way, for root and for all."""
    fleet = Fleet(tmp_path, redis_url, store_url, CHAOS_FILE_BYTES=str(FULL_AT_BYTES))
    worker = fleet.worker("alpha", "--concurrency", "1")

    with worker:
        send("short", 150)
        wait_until(lambda: fleet.started().total() == 150, what="all jobs run")
        wait_until(lambda: send("short") and _has_room(fleet), what="there is room again")
        worker.terminate()
    fleet.ship_the_rest()

    account = Account.of(store_url)
    assert account.losses["the spool could not be written"][0] > 0
    _expect_all_counted(account, fleet)


def test_while_the_disk_stays_full_each_record_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it was tried to begin a new segment in between."""
    monkeypatch.setattr(spool_module, "RETRY_AFTER_S", 0.0)

    os.waitpid(forked(lambda: _append_to_a_full_disk(tmp_path / "spool")), 0)

    records = [record for segment in segments(tmp_path / "spool") for _, record, _ in segment.read(0, ALL).records]
    assert [record.records for record in records if isinstance(record, Dropped)] == [10]
    assert len(records) == 2


def test_jobs_go_on_where_the_spool_is_past_its_bound(
    redis_url: str, store_url: str, send: Send, tmp_path: Path
) -> None:
    """While the store is down the oldest records are dropped; they are counted when it is back."""
    fleet = Fleet(tmp_path, redis_url, store_url, MONITOR_SPOOL_MAX_MB="1")
    in_the_way = tmp_path / "store"
    in_the_way.touch()

    with fleet.worker("alpha", "--max-tasks-per-child", "20") as worker:
        send("failing", 120, words=LONG_WORDS)
        wait_until(lambda: fleet.started().total() == 120, what="all jobs run")
        worker.wait_for_log("The spool is full")
        in_the_way.unlink()
        wait_until((tmp_path / "store" / "store.db").exists, what="the store is made")
        worker.terminate()
    fleet.ship_the_rest()

    account = Account.of(store_url)
    jobs = [job for job, _ in fleet.started()]
    assert account.losses.keys() == {"the spool was full"}
    assert (jobs[0] in account.jobs, jobs[-1] in account.jobs) == (False, True)
    _expect_all_counted(account, fleet)


def test_what_was_dropped_is_counted_by_whoever_ships_next(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shipper that dropped it may be gone before the store is back; the runs left open are closed all the same."""
    monkeypatch.setattr(shipper_module, "GRACE_S", 0.0)
    settings = Settings.from_env(Fleet(tmp_path, "", store_url, MONITOR_SPOOL_MAX_MB="1").env)
    first = Shipper(settings)
    go_on, tell = os.pipe()
    writer = forked(lambda: _leave_a_run_and_much_else(settings.spool_dir, go_on))
    wait_until(lambda: any(found.size() for found in segments(settings.spool_dir)), what="the run starts")
    first.ship()
    os.write(tell, b"x")
    os.waitpid(writer, 0)
    with monkeypatch.context() as patch:
        patch.setattr(Shipper, "_open", _unavailable)
        with pytest.raises(StoreError):
            first.ship()
    first.close()

    ship(settings)

    account = Account.of(store_url)
    assert account.losses == {"the spool was full": (200, 0)}
    assert {job.id: job.fate for job in account.jobs.values()} == {"cut off": Fate.LOST}


def _append_to_a_full_disk(spool_dir: Path) -> None:
    spool = Spool(spool_dir)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    for _ in range(10):
        spool.append(sent())
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    spool.append(sent())


def _unavailable(_: Shipper) -> Store:
    raise StoreError("the store is down")


def _leave_a_run_and_much_else(spool_dir: Path, go_on: int) -> None:
    """Start a run, wait, and then write more than a megabyte."""
    spool = Spool(spool_dir)
    spool.append(started("cut off", run=f"{spool.process}-1"))
    os.read(go_on, 1)
    for number in range(200):
        spool.append(sent(f"job-{number}", arguments="x" * 6_000))


def _has_room(fleet: Fleet) -> bool:
    """Whether the segment that is written now is new: what was dropped before it has been told."""
    return segments(fleet.spool_dir)[-1].size() < FULL_AT_BYTES / 2


def _expect_all_counted(account: Account, fleet: Fleet) -> None:
    """What the pool children told and what they lost is all there was to tell."""
    kept = sum(isinstance(event, (Started, Ended)) for event in account.events)
    lost = sum(records for records, _ in account.losses.values())
    assert kept + lost == RECORDS_A_RUN * fleet.started().total()
    assert account.doubles() == []
