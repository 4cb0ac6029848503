"""Whatever is killed, and whenever: every job that was sent is accounted for, once."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.job import Fate
from monitor.store import upgrade_store
from tests.chaos.account import Account
from tests.chaos.broker import Broker, Step
from tests.chaos.faults import Killer, Supervisor
from tests.chaos.fleet import CHILDREN, Fleet
from tests.processes import wait_until
from tests.servers import RedisServer

CHAOS_S = 60.0
SEED = 2026
KILLS_AT_LEAST = 50
PAUSE_S = (0.4, 1.0)  # between two kills
SEND_EVERY_S = 0.03
SETTLE_TIMEOUT_S = 60.0

TAKEN_ALONG = "taken from its queue by a worker that was killed before it noted that"
NEVER_BEGUN = "acknowledged by a worker that was killed before the job began"


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_every_job_is_accounted_for_whoever_is_killed(
    redis_server: RedisServer, redis_url: str, postgres_url: str, tmp_path: Path, say: Callable[..., None]
) -> None:
    """Pool children, main processes and shippers die at random while jobs of every temper run."""
    upgrade_store(postgres_url)
    fleet = Fleet(tmp_path, redis_url, postgres_url)
    broker = Broker(redis_server, redis_url)
    workers = [fleet.worker("alpha"), fleet.worker("beta")]
    sender = fleet.sender("short", "failing", "retrying", "late", "computing", every_s=SEND_EVERY_S)
    chance = random.Random(SEED)
    killer = Killer(workers, fleet.spool_dir, chance)

    with Supervisor(workers):
        with Supervisor([sender]):
            _kill_for_a_while(killer, chance)
        sender.terminate()
        wait_until(lambda: not broker.jobs(), what="the broker is empty", timeout_s=SETTLE_TIMEOUT_S)
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    for worker in workers:
        worker.terminate()
    fleet.ship_the_rest()

    account = Account.of(postgres_url)
    begun, sent = fleet.ledger()
    vanished = _vanished(account.open_jobs() - broker.jobs(), broker, fleet)
    say(*_sums(killer, sent, account, vanished))
    assert sent - account.jobs.keys() == set()
    assert account.jobs.keys() - begun == set()
    assert account.open_jobs() - broker.jobs() - vanished.keys() == set()
    ways = Counter(vanished.values())
    assert ways[TAKEN_ALONG] <= killer.mains_killed  # a worker takes one message at a time
    assert ways[NEVER_BEGUN] <= killer.mains_killed * CHILDREN
    assert all(job.reason for job in account.jobs.values() if job.fate is Fate.LOST)
    assert all(run.fate for run in account.runs)
    assert account.doubles() == []
    assert fleet.started() - account.starts() == Counter()
    assert (account.starts() - fleet.started()).keys() <= account.lost_starts()  # killed before the job's first line


def _kill_for_a_while(killer: Killer, chance: random.Random) -> None:
    end = time.monotonic() + CHAOS_S
    while time.monotonic() < end or killer.kills.total() < KILLS_AT_LEAST:
        time.sleep(chance.uniform(*PAUSE_S))
        killer.strike()


def _vanished(jobs: set[str], broker: Broker, fleet: Fleet) -> dict[str, str]:
    """Tell what became of those of these jobs whose messages vanished where no hook of Celery's is called.

    A worker takes a message out of its queue, and then notes it in Redis as not acknowledged (kombu 5.7): killed in
    between, it takes the message with it. And it acknowledges a message when a child has taken the job: if both are
    killed before the child has begun, nobody knows of it. Redis's own log of commands proves either.
    """
    messages = broker.messages() if jobs else {}
    starts = Counter(job for job, _ in fleet.started().elements())
    vanished = {}
    for job in jobs:
        if {Step.SENT, Step.RESTORED} & set(messages[job]):
            vanished[job] = TAKEN_ALONG
        elif messages[job].count(Step.CLEARED) > starts[job]:
            vanished[job] = NEVER_BEGUN
    return vanished


def _sums(killer: Killer, sent: set[str], account: Account, vanished: dict[str, str]) -> list[str]:
    kills = ", ".join(f"{count} {kind}" for kind, count in killer.kills.most_common())
    return [
        f"sent    {len(sent):6}",
        *account.sums(),
        f"kills   {killer.kills.total():6}  {kills}; {killer.mains_killed} of them a worker's main process",
        *(f"vanished: {job} ({account.jobs[job].task}), {why}" for job, why in vanished.items()),
    ]
