"""Runs a real Celery worker for the tests that need one to kill, to stop, or to talk to over a broker."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.processes import ChildProcess

REPOSITORY = Path(__file__).parents[1]


class CeleryProcess(ChildProcess):
    """`python -m celery -A app worker …`, ready when the worker says so in its log.

    `cwd` is where the worker runs, and where its log goes: `<hostname>.log`. The application is imported from the
    repository, `env` is added to the environment, and `options` to the command line. Settings of the monitor in the
    developer's own environment do not reach the worker.
    """

    def __init__(  # noqa: PLR0913 - the options a worker is started with, all by name
        self,
        *,
        app: str,
        cwd: Path,
        queues: Sequence[str] = ("celery",),
        pool: str = "prefork",
        concurrency: int = 1,
        hostname: str = "worker@tests",
        env: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        command = [sys.executable, "-m", "celery", "-A", app, "worker", "--loglevel", "INFO"]
        command += ["--pool", pool, "--concurrency", str(concurrency)]
        command += ["--queues", ",".join(queues), "--hostname", hostname, *options]
        super().__init__(
            command,
            log_path=cwd / f"{hostname}.log",
            cwd=cwd,
            env=worker_environment(env or {}),
            ready_line=f"{hostname} ready.",
        )
        self.hostname = hostname

    def __str__(self) -> str:
        return f"Celery worker {self.hostname}"

    def quit(self) -> int | None:
        """Ends the worker by SIGQUIT, its cold shutdown; returns its exit status, `None` if it never started."""
        return self.end(signal.SIGQUIT)


def worker_environment(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program that imports this repository: the tests' own, without the monitor's settings.

    `env` is added to it; its PYTHONPATH goes before the repository.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MONITOR_")}
    folders = [env.get("PYTHONPATH"), str(REPOSITORY), inherited.get("PYTHONPATH")]
    return {**inherited, "PYTHONUNBUFFERED": "1", **env, "PYTHONPATH": os.pathsep.join(filter(None, folders))}
