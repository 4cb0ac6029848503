"""Made-up lives of jobs as a sender and pool children tell them: the records that the shipper is measured with."""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from monitor.job import Ended, Error, Event, Fate, Sent, Started
from monitor.spool import Spool

TASK = "workers.optimization.solve_transport"
QUEUE = "optimization"
WORKER = "optimization@solver-1"

CHILDREN = 3
FAILING = 0.03
RETRYING = 0.03

TRACEBACK = "Traceback (most recent call last):\n" + "".join(
    f'  File "/srv/app/workers/optimization.py", line {40 + at}, in step_{at}\n    return self._next(scenario, {at})\n'
    for at in range(12)
)


class Host:
    """The processes that record on one host: one that sends, and the children that run the jobs."""

    def __init__(self, directory: Path, seed: int) -> None:
        self._chance = random.Random(seed)
        self._sender = Spool(directory)
        self._children = [Spool(directory) for _ in range(CHILDREN)]
        self._runs = 0

    def lives(self, jobs: int) -> list[list[tuple[Spool, Event]]]:
        """Return that many new lives: the records of each, in order, with the spool of the process that tells it."""
        return [list(self._life(str(UUID(int=self._chance.getrandbits(128), version=4)))) for _ in range(jobs)]

    def _life(self, job: str) -> Iterator[tuple[Spool, Event]]:
        fate = self._fate()
        sent_at = first_sent_at = time.time()
        yield self._sender, _sent(job, sent_at, first_sent_at, retries=0)
        yield from self._run(job, sent_at, first_sent_at, fate, retries=0)
        if fate is Fate.RETRIED:
            sent_at += 1
            yield self._sender, _sent(job, sent_at, first_sent_at, retries=1)
            yield from self._run(job, sent_at, first_sent_at, Fate.SUCCEEDED, retries=1)

    def _run(
        self, job: str, sent_at: float, first_sent_at: float, fate: Fate, retries: int
    ) -> Iterator[tuple[Spool, Event]]:
        child = self._chance.choice(self._children)
        self._runs += 1
        run = f"{child.process}-{self._runs}"
        yield child, _started(job, run, sent_at, first_sent_at, retries)
        yield child, _ended(job, run, sent_at + 0.9, fate, run_s=self._chance.expovariate(1.0))

    def _fate(self) -> Fate:
        drawn = self._chance.random()
        if drawn < FAILING:
            return Fate.FAILED
        return Fate.RETRIED if drawn < FAILING + RETRYING else Fate.SUCCEEDED


def _sent(job: str, at: float, first_sent_at: float, retries: int) -> Sent:
    scenario = {"scenario_id": f"run-{job[:5]}", "period": "2031-W07", "products": 12, "tolerance": 0.001}
    return Sent(
        job=job,
        at=at,
        task=TASK,
        queue=QUEUE,
        first_sent_at=first_sent_at,
        eta=None,
        expires=None,
        retries=retries,
        root=job,
        parent=None,
        group=None,
        sender="gen4242@web-1",
        arguments=json.dumps({"args": [scenario], "kwargs": {"time_limit_s": 10, "api_key": "[hidden]"}}),
    )


def _started(job: str, run: str, sent_at: float, first_sent_at: float, retries: int) -> Started:
    return Started(
        job=job,
        at=sent_at + 0.5,
        run=run,
        task=TASK,
        queue=QUEUE,
        worker=WORKER,
        pid=4711,
        version="v1.4.2-17-g0a1b2c3",
        sent_at=sent_at,
        first_sent_at=first_sent_at,
        received_at=sent_at + 0.4,
        eta=None,
        retries=retries,
        root=job,
        parent=None,
        group=None,
        acks_late=False,
        arguments=None,
    )


def _ended(job: str, run: str, at: float, fate: Fate, run_s: float) -> Ended:
    went_wrong = fate in {Fate.FAILED, Fate.RETRIED}
    return Ended(
        job=job,
        at=at,
        run=run,
        fate=fate,
        run_s=run_s,
        cpu_s=run_s / 2,
        grew_bytes=0,
        reason="in 1s: no connection" if fate is Fate.RETRIED else None,
        error=Error("ValueError", f"supply of {job[:8]} is negative", TRACEBACK, "0123456789ab")
        if went_wrong
        else None,
        labels={"scenario_type": "transport", "scenario_id": f"run-{job[:5]}"},
    )
