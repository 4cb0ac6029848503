"""A small fleet of real processes: workers on one spool directory, a sender, and what they left to be checked."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from monitor import shipper as shipper_module
from monitor.settings import Settings
from monitor.shipper import Shipper
from monitor.spool import segments
from tests.processes import ChildProcess
from tests.workers_process import CeleryProcess, worker_environment

CHILDREN = 2


class Fleet:
    """Where the processes of one test run, and how they are started."""

    def __init__(self, directory: Path, broker_url: str, store_url: str, **more_env: str) -> None:
        self.directory = directory
        self.journal = directory / "journal"
        self.journal.touch()
        self.spool_dir = directory / "spool"
        self.env = {
            "CHAOS_BROKER_URL": broker_url,
            "CHAOS_JOURNAL": str(self.journal),
            "MONITOR_STORE_URL": store_url,
            "MONITOR_SPOOL_DIR": str(self.spool_dir),
            "MONITOR_CODE_VERSION": "chaos",
            **more_env,
        }

    def worker(self, name: str, *options: str) -> CeleryProcess:
        """A prefork worker with CHILDREN children, unless its further options say otherwise."""
        return CeleryProcess(
            app="tests.chaos.app",
            cwd=self.directory,
            concurrency=CHILDREN,
            hostname=f"{name}@tests",
            env=self.env,
            # A start takes a second longer with these two.
            options=["--without-mingle", "--without-gossip", *options],
        )

    def sender(self, *tasks: str, every_s: float = 0.0, most_waiting: int = 1_000_000) -> ChildProcess:
        """A process that only sends; see tests/chaos/sender.py."""
        arguments = [str(self.directory / "ledger"), str(every_s), str(most_waiting), *tasks]
        return ChildProcess(
            [sys.executable, "-m", "tests.chaos.sender", *arguments],
            log_path=self.directory / "sender.log",
            cwd=self.directory,
            env=worker_environment(self.env),
        )

    def ledger(self) -> tuple[set[str], set[str]]:
        """The jobs that the sender began to send, and those that the broker surely has taken."""
        noted: dict[str, set[str]] = {"sending": set(), "sent": set()}
        for line in (self.directory / "ledger").read_text().splitlines():
            word, job = line.split()
            noted[word].add(job)
        return noted["sending"], noted["sent"]

    def started(self) -> Counter[tuple[str, int]]:
        """How often each process ran each job's own code, in order of the first start."""
        lines = [line.split() for line in self.journal.read_text().splitlines()]
        return Counter((job, int(pid)) for job, pid in lines)

    def ship_the_rest(self) -> None:
        """Ship what the processes left, as the next process on this host would, until nothing is left.

        They are all gone, so nobody is given the grace to tell more of a lost run.
        """
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shipper_module, "GRACE_S", 0.0)
            ship(Settings.from_env(self.env))
        assert segments(self.spool_dir) == []


def ship(settings: Settings) -> None:
    """Ship what is in the spool, in one pass."""
    shipper = Shipper(settings)
    shipper.ship()
    shipper.close()
