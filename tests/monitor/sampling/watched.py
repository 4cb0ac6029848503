"""Real workers and beats that have leases, and what the leases say of them."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from celery import Celery

from monitor.lease import BeatState, Lease, Role, WorkerState
from monitor.store import Store, open_store
from monitor.store.measured import leases_since
from tests.processes import ChildProcess, wait_until
from tests.workers_process import CeleryProcess, worker_environment

OPTIONS = ("--without-mingle", "--without-gossip")  # a start takes a second longer with these two


class Watched:
    """Where the processes of one test run, and how they are started."""

    def __init__(self, directory: Path, broker_url: str, store_url: str) -> None:
        self.directory = directory
        self.env = {
            "WATCHED_BROKER_URL": broker_url,
            "MONITOR_STORE_URL": store_url,
            "MONITOR_CODE_VERSION": "v7",
        }
        self.store: Store = open_store(store_url, create=True)
        self.client = Celery("client", broker=broker_url, set_as_current=False)

    def worker(self, name: str = "one", pool: str = "prefork", queues: Sequence[str] = ("celery",)) -> CeleryProcess:
        """A worker with two slots."""
        return CeleryProcess(
            app="tests.monitor.sampling.watched_app",
            cwd=self.directory,
            queues=queues,
            pool=pool,
            concurrency=2,
            hostname=f"{name}@tests",
            env=self.env,
            options=OPTIONS,
        )

    def beat(self, number: int = 1) -> ChildProcess:
        """A beat with its schedule in a file of its own."""
        app = "tests.monitor.sampling.watched_app"
        command = [sys.executable, "-m", "celery", "-A", app, "beat", "-l", "INFO", "-s", f"schedule-{number}"]
        return ChildProcess(
            command,
            log_path=self.directory / f"beat-{number}.log",
            cwd=self.directory,
            env=worker_environment(self.env),
            ready_line="Scheduler: Sending due task",
        )

    def send(self, task: str, *arguments: Any, **options: Any) -> str:
        """Send a job; return its id."""
        return str(self.client.send_task(f"watched.{task}", arguments, **{"queue": "celery", **options}).id)

    def leases(self, role: Role = Role.WORKER) -> list[Lease]:
        """All leases that there are, the oldest process first."""
        return leases_since(self.store, 0.0, role)

    def lease(self, name: str = "one", role: Role = Role.WORKER) -> Lease | None:
        """The one lease of that name, if there is one yet."""
        found = [lease for lease in self.leases(role) if lease.name == f"{name}@tests" or role is Role.BEAT]
        assert len(found) <= 1
        return found[0] if found else None

    def known(self, name: str = "one", role: Role = Role.WORKER) -> Lease:
        """The one lease of that name."""
        wait_until(lambda: self.lease(name, role), what=f"{name} has a lease", timeout_s=15)
        lease = self.lease(name, role)
        assert lease is not None
        return lease

    def renewed(self, name: str = "one", role: Role = Role.WORKER, times: int = 2) -> Lease:
        """The lease after it was renewed so often from now on: the look of the second is wholly after now."""
        for _ in range(times):
            wait_until(partial(self._is_renewed, self.known(name, role)), what="the lease is renewed", timeout_s=15)
        return self.known(name, role)

    def _is_renewed(self, before: Lease) -> bool:
        return any(
            lease.process == before.process and lease.renewed_at > before.renewed_at
            for lease in self.leases(before.role)
        )

    def state(self, name: str = "one") -> WorkerState:
        """What the worker sees of itself, as its latest lease says."""
        state = self.known(name).state
        assert isinstance(state, WorkerState)
        return state

    def beat_state(self) -> BeatState:
        """What beat sees of itself, as its latest lease says."""
        state = self.known(role=Role.BEAT).state
        assert isinstance(state, BeatState)
        return state
