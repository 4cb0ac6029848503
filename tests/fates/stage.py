"""Where the scenarios are played: workers of one pool, those who send to them, and what the monitor records of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

import redis
from celery import Celery

from monitor.settings import Settings
from monitor.shipper import Shipper
from monitor.store import open_store, reads
from tests.processes import wait_until
from tests.workers_process import CeleryProcess, worker_environment

APP = "tests.fates.app"
SENDING = "tests.fates.sending"
SHARED_QUEUE = "celery"  # where jobs go that other jobs send
SHARED_SLOTS = 4
CONTROL_TIMEOUT_S = 10.0
SENDING_TIMEOUT_S = 30.0
# What a worker says to others at its start, and waits for, is no part of a job's life.
ALONE = ("--without-mingle", "--without-gossip", "--without-heartbeat")


class Stage:
    """One pool's workers, their broker, spool and store, and a process that sends with the monitor installed."""

    def __init__(self, pool: str, broker_url: str, directory: Path) -> None:
        self.pool = pool
        self.directory = directory
        self.broker = redis.Redis.from_url(broker_url)
        # A project without the monitor: it sends, and talks to the workers.
        self.foreign = Celery("foreign", broker=broker_url, backend=broker_url, set_as_current=False)
        self._settings = {
            "MONITOR_STORE_URL": f"sqlite:///{directory}/store.db",
            "MONITOR_SPOOL_DIR": f"{directory}/spool",
            "MONITOR_CODE_VERSION": "v1",
        }
        self._environment = {
            **self._settings,
            "FATES_BROKER_URL": broker_url,
            "FATES_READ_ONLY_URL": broker_url.replace("redis://", "redis://reader:reader@"),
        }
        self._store = open_store(self._settings["MONITOR_STORE_URL"], create=True)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            opened.callback(self.foreign.close)
            opened.callback(self.broker.close)
            self._let_a_reader_in()
            self._sender = opened.enter_context(self._sender_process())
            self.shared_worker = opened.enter_context(self.worker("shared", SHARED_QUEUE, slots=SHARED_SLOTS))
            self._open = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def worker(self, name: str, queue: str, slots: int = 1) -> CeleryProcess:
        """A worker of the pool that is not started yet."""
        return CeleryProcess(
            app=APP,
            cwd=self.directory,
            queues=[queue],
            pool=self.pool,
            concurrency=slots,
            hostname=f"{name}@{self.pool}",
            env=self._environment,
            options=ALONE,
        )

    def call(self, function: str, *args: Any, **named: Any) -> list[str]:
        """Calls a function in the sending process; returns the ids of the jobs."""
        return self._sender.submit(_call, function, args, named).result(SENDING_TIMEOUT_S)

    def story(self, job: str) -> reads.Story | None:
        """What is recorded of the job with this id, or with the only id that begins so."""
        ids = reads.ids_beginning(self._store, job, limit=2)
        assert len(ids) < 2, f"several jobs begin with {job}"
        return reads.story(self._store, ids[0]) if ids else None

    def is_held(self, job: str) -> bool:
        """Tells whether the broker has a message of the job, in a queue or given out."""
        queues = [key for key in self.broker.scan_iter() if self.broker.type(key) == b"list"]
        waiting = [message for queue in queues for message in self.broker.lrange(queue, 0, -1)]
        given_out = self.broker.hvals("unacked")
        return any(job.encode() in message for message in [*waiting, *given_out])

    def end(self) -> None:
        """Ends the shared worker and the sender in order, and ships what is left, so that nothing changes any more."""
        self.shared_worker.terminate()
        self._sender.shutdown()
        shipper = Shipper(Settings.from_env(self._settings))
        shipper.ship()
        shipper.close()

    def _sender_process(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, get_context("spawn"), initializer=_live_in, initargs=(self._environment,))

    def _let_a_reader_in(self) -> None:
        commands = ["+@all", "-@write"]
        self.broker.acl_setuser(
            "reader", enabled=True, passwords=["+reader"], keys=["*"], channels=["*"], commands=commands
        )


@dataclass(frozen=True)
class Scene:
    """One scenario's part of the stage: the worker and the queue it plays on, the shared ones or its own."""

    stage: Stage
    name: str
    worker: CeleryProcess
    queue: str

    @property
    def pool(self) -> str:
        """The pool of the worker."""
        return self.stage.pool

    @property
    def gate(self) -> Path:
        """The file that ends the job which holds."""
        return self.stage.directory / f"{self.name}.gate"

    def send(self, task: str, *args: Any, **options: Any) -> list[str]:
        """Sends a job."""
        return self.stage.call("send", task, *args, queue=self.queue, **options)

    def hold(self, task: str = "hold", *args: Any, is_late: bool = False) -> list[str]:
        """Sends a job that runs until the gate is opened, and waits until it runs, and its worker's main process knows.

        Before it knows, Celery may give the job of a child that dies to another (5.7), or hang at its end.
        """
        jobs = self.send(task, str(self.gate), *args)
        wait_until(self._running.exists, what=f"{self.name} runs in {self.worker}")
        if self.pool != "solo":  # where the main process runs the job, and nothing else
            is_known = self._is_active if is_late else self._is_acknowledged
            wait_until(lambda: is_known(jobs[0]), what=f"{self.worker} knows that {self.name} runs")
        return jobs

    @property
    def pid(self) -> int:
        """The process that runs the job which holds."""
        return int(self._running.read_text())

    def open_gate(self) -> None:
        """Lets the job that holds end."""
        self.gate.touch()

    def is_recorded_as(self, job: str, state: str) -> bool:
        """Tells whether the job is recorded in this state."""
        story = self.stage.story(job)
        return story is not None and story.job.state == state

    def publish(
        self, body: bytes, content_type: str = "application/json", headers: Mapping[str, Any] | None = None
    ) -> None:
        """Publishes a message as it is."""
        with self.stage.foreign.producer_or_acquire() as producer:
            producer.publish(
                body,
                headers=headers,
                routing_key=self.queue,
                exchange="",
                content_type=content_type,
                content_encoding="utf-8",
            )

    def revoke(self, jobs: Sequence[str], *, is_heard: bool = True, **options: Any) -> None:
        """Revokes jobs, and waits for the worker's answer unless it cannot hear."""
        asked = {"reply": True, "limit": 1, "timeout": CONTROL_TIMEOUT_S} if is_heard else {}
        answers = self.stage.foreign.control.revoke(list(jobs), destination=[self.worker.hostname], **asked, **options)
        assert answers or not is_heard, f"{self.worker} did not answer"

    def _is_acknowledged(self, job: str) -> bool:
        return not self.stage.is_held(job)

    def _is_active(self, job: str) -> bool:
        asked = self.stage.foreign.control.inspect([self.worker.hostname], timeout=CONTROL_TIMEOUT_S, limit=1)
        return any(active["id"] == job for jobs in (asked.active() or {}).values() for active in jobs)

    @property
    def _running(self) -> Path:
        return self.gate.with_suffix(".running")


def _live_in(environment: Mapping[str, str]) -> None:
    complete = worker_environment(environment)
    os.environ.clear()
    os.environ.update(complete)


def _call(function: str, args: tuple[Any, ...], named: dict[str, Any]) -> list[str]:
    # Imported here, by name: where the tests themselves imported it, it would install the monitor into them.
    return list(getattr(import_module(SENDING), function)(*args, **named))
