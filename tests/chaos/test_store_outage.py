"""The store is away for a while: the jobs do not notice, and all that happened meanwhile comes into it."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.store import open_store, reads, upgrade_store
from tests.chaos.account import Account
from tests.chaos.fleet import Fleet
from tests.processes import wait_until
from tests.servers import PostgresServer

OUTAGE_S = 30.0
AROUND_S = 4.0  # measured before the outage, and after it
RATE_AT_LEAST = 0.5  # of the rate before; a job that waited for the store would take seconds, not milliseconds


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_a_store_that_is_down_costs_the_jobs_nothing_and_loses_nothing(
    postgres_server: PostgresServer,
    redis_url: str,
    postgres_url: str,
    tmp_path: Path,
    say: Callable[..., None],
) -> None:
    """PostgreSQL is stopped for 30 s under load: the rate of the jobs stays, and the store catches up by itself."""
    upgrade_store(postgres_url)
    fleet = Fleet(tmp_path, redis_url, postgres_url)

    with fleet.worker("alpha"), fleet.sender("short", most_waiting=100) as sender:
        wait_until(fleet.started, what="jobs run")
        before = _rate(fleet, AROUND_S)
        postgres_server.stop()
        during = _rate(fleet, OUTAGE_S)
        postgres_server.start()
        after = _rate(fleet, AROUND_S)
        sender.terminate()
        _, sent = fleet.ledger()
        wait_until(lambda: _states(postgres_url) == {"succeeded": len(sent)}, what="the store has all jobs")

    account = Account.of(postgres_url)
    say(
        f"jobs/s  {before:.0f} before, {during:.0f} during ({during / before:.2f}), {after:.0f} after",
        *account.sums(),
    )
    assert min(during, after) >= RATE_AT_LEAST * before
    assert account.jobs.keys() == sent
    assert account.doubles() == []
    assert account.losses == {}


def _rate(fleet: Fleet, for_s: float) -> float:
    """Measure how many jobs start in a second."""
    at_first, begin = fleet.started().total(), time.monotonic()
    time.sleep(for_s)
    return (fleet.started().total() - at_first) / (time.monotonic() - begin)


def _states(store_url: str) -> dict[str, int]:
    store = open_store(store_url)
    try:
        return reads.count_by_state(store, reads.JobFilter())
    finally:
        store.dispose()
