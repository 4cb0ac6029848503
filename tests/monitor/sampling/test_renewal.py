"""One lease and its thread, in this process: its times, its end, and what no fork may take along."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from monitor.lease import BeatState, Lease, Role
from monitor.sampling import renewal as renewal_module
from monitor.sampling.renewal import Renewal
from monitor.settings import Settings
from monitor.store.measured import leases_since
from tests.processes import wait_until


class Something:
    """A holder that sees nothing of interest, and may fail to."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.looks = 0

    def look(self, clock_ahead_of_store_s: float) -> BeatState:
        """Return next to nothing."""
        self.looks += 1
        if self.fault:
            raise self.fault
        return BeatState(
            tick_age_s=0.0,
            entries={},
            clock_ahead_of_store_s=clock_ahead_of_store_s,
            code_version="v7",
            celery="",
            python="",
        )

    def between(self) -> None:
        """Do nothing."""


@pytest.fixture
def holder() -> Something:
    """The holder of the lease."""
    return Something()


@pytest.fixture
def renewal(store_url: str, tmp_path: Path, holder: Something) -> Iterator[Renewal]:
    """A lease that is renewed ten times a second, once it is started."""
    settings = Settings.from_env({"MONITOR_STORE_URL": store_url, "MONITOR_SPOOL_DIR": str(tmp_path)})
    renewal = Renewal(settings, Role.BEAT, "beat@here", holder, period_s=0.1)
    yield renewal
    renewal.finish()


def only(store: Engine) -> Lease:
    """Return the one lease there is, once there is one."""
    wait_until(lambda: leases_since(store, 0.0), what="there is a lease", timeout_s=10)
    (lease,) = leases_since(store, 0.0)
    return lease


def test_its_times_are_the_stores(renewal: Renewal, store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose clock is an hour behind has a lease as fresh as any."""
    monkeypatch.setattr(renewal_module, "clock", lambda _: time.time() + 3600)
    renewal.start()

    lease = only(store)

    assert lease.renewed_at == pytest.approx(time.time() + 3600, abs=5)
    assert 0 <= lease.renewed_at - lease.started_at < 10
    assert lease.state is not None
    assert lease.state.clock_ahead_of_store_s == pytest.approx(-3600, abs=0.5)


def test_a_look_that_fails_is_made_up_for(
    renewal: Renewal, holder: Something, store: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """It costs a renewal and not the thread, and is said once."""
    holder.fault = ZeroDivisionError("nothing to see")
    renewal.start()
    wait_until(lambda: holder.looks > 2, what="it looks again", timeout_s=10)
    missing = leases_since(store, 0.0)

    holder.fault = None

    assert missing == []
    assert only(store).goodbye_at is None
    wait_until(lambda: "is renewed again" in caplog.text, what="it says so", timeout_s=10)
    assert caplog.text.count("cannot be renewed, so that it may be taken for lost: ZeroDivisionError") == 1


def test_a_last_word_may_be_without_goodbye(renewal: Renewal, store: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """As of a worker that breaks; what is said after the end changes nothing."""
    caplog.set_level("INFO", "monitor.sampling")
    renewal.start()
    first = only(store)

    renewal.finish(in_order=False)
    renewal.finish(in_order=True)

    assert only(store).renewed_at > first.renewed_at
    assert only(store).goodbye_at is None
    assert caplog.text.count("monitor stopped watching beat@here") == 1


def test_a_lease_that_never_began_says_no_goodbye(renewal: Renewal, store: Engine) -> None:
    """Nothing waits for it either."""
    renewal.finish()

    assert leases_since(store, 0.0) == []


def test_a_forked_child_neither_renews_nor_ends_the_lease(renewal: Renewal, store: Engine) -> None:
    """Its exit handlers run as the parent's would."""
    renewal.start()
    only(store)
    pid = os.fork()
    if pid == 0:
        began = time.monotonic()
        renewal.finish()
        os._exit(time.monotonic() - began > 1 or renewal._engine is not None)
    _, status = os.waitpid(pid, 0)

    at = only(store).renewed_at
    wait_until(lambda: only(store).renewed_at > at, what="the parent renews it", timeout_s=10)

    assert status == 0  # it waited for nothing, and had nothing of the parent's
    assert only(store).goodbye_at is None
    assert only(store).pid == os.getpid()


def test_no_connection_is_kept_between_renewals(renewal: Renewal, store: Engine) -> None:
    """However many workers there are, the database has its connections for the jobs."""
    renewal.start()
    only(store)

    wait_until(lambda: _connections(store) == 1, what="only the test's own connection is left", timeout_s=10)


def _connections(store: Engine) -> int:
    if store.dialect.name == "sqlite":
        return 1  # a file
    with store.connect() as connection:
        question = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        return int(connection.exec_driver_sql(question).scalar_one())
