"""The demo's programs: the broker, the workers, beat and the feeder, each a process with a log of its own.

Plain Popen, since no supervisor library keeps the promise that matters here, that nothing outlives the demo: what
honcho and circus started goes on after a `kill -9` of either, and mirakuru signals a worker's whole process group,
which cuts off the jobs that a warm shutdown lets finish.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from workers.demo.broker import HOST, find_server, free_port
from workers.demo.home import DemoError, Home

# What each queue's worker may run at once; two cores carry the demo's jobs with it.
CONCURRENCY = {"optimization": 2, "file-processing": 1, "monitoring": 1}

# All that the programs take over from the caller's environment: settings for Celery or the monitor that stand there are
# for another broker and another store.
INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "TMPDIR", "TZ", "USER")

LOG_TAIL_LINES = 15
SAYS_FED = "The first job is sent."


class Program:
    """One program: ready when its log says so, started again where it dies.

    The main thread has to start it: to the kernel, the end of the thread that started it is its parent's death.
    """

    def __init__(
        self, name: str, command: Sequence[str | Path], *, log: Path, env: Mapping[str, str], says_ready: str
    ) -> None:
        self.name = name
        self.deaths = 0
        self._command = [*_dying_with_us(), *map(str, command)]
        self.log = log
        self._log_start_bytes = 0
        self._env = env
        self._says_ready = says_ready
        self._is_ready = False
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; its log goes on in the same file."""
        self._is_ready = False
        with self.log.open("ab") as log:
            self._log_start_bytes = log.tell()
            self._popen = subprocess.Popen(  # noqa: S603 (our own words)
                self._command,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches the terminal's process group: the demo gets it, and ends its programs in order.
                start_new_session=True,
            )

    def revive(self) -> str | None:
        """Start it again if it has died, and return how it died; None while it runs.

        Raises:
            DemoError: when it gave up before it was ready, so that another start would not help.

        """
        if self._popen is None or self.is_running():
            return None
        status = self._popen.returncode
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        if status > 0 and not self.is_ready():
            raise DemoError(f"{self.name} {how} while it started. {self.log} ends so:\n{self._log_tail()}")
        self.deaths += 1
        self.start()
        return how

    def is_running(self) -> bool:
        """Whether it runs."""
        return self._popen is not None and self._popen.poll() is None

    def is_ready(self) -> bool:
        """Whether it has been ready since its latest start."""
        self._is_ready = self._is_ready or self._says_ready in self._latest_log()
        return self._is_ready

    def signal(self, signum: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self._popen is not None:
            self._popen.send_signal(signum)

    def _latest_log(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._log_start_bytes)
            return log.read().decode(errors="replace")

    def _log_tail(self) -> str:
        return "\n".join(self._latest_log().splitlines()[-LOG_TAIL_LINES:])


class Platform:
    """All programs of one demo, none started yet, and the settings that they share.

    Raises:
        DemoError: when there is no broker on this machine, or no free port for it.

    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._logs = home.directory("logs")
        port = free_port()
        self.settings = {
            "CELERY_BROKER_URL": f"redis://{HOST}:{port}/0",
            "CELERY_RESULT_BACKEND": f"redis://{HOST}:{port}/1",
            "MONITOR_STORE_URL": home.store_url,
            "MONITOR_SPOOL_DIR": str(home.path / "spool"),
        }
        self._env = {name: os.environ[name] for name in INHERITED if name in os.environ} | self.settings
        self.broker = self._broker(port)
        self.workers = [self._worker(queue, concurrency) for queue, concurrency in CONCURRENCY.items()]
        self.beat = self._beat()
        self.feeder = self._feeder()

    @property
    def programs(self) -> list[Program]:
        """All of them, in the order they start."""
        return [self.broker, *self.workers, self.beat, self.feeder]

    def _broker(self, port: int) -> Program:
        listening = ["--bind", HOST, "--port", str(port), "--dir", str(self._home.directory("broker"))]
        keeping = ["--save", "", "--appendonly", "yes"]
        return self._program("broker", [find_server(), *listening, *keeping], "Ready to accept connections")

    def _worker(self, queue: str, concurrency: int) -> Program:
        node = f"{queue}@demo"
        options = ["--queues", queue, "--hostname", node, "--concurrency", str(concurrency)]
        return self._celery(queue, "worker", *options, says_ready=f"{node} ready.")

    def _beat(self) -> Program:
        schedule = str(self._home.path / "beat-schedule")
        return self._celery("beat", "beat", "--schedule", schedule, "--pidfile", "", says_ready="beat: Starting...")

    def _feeder(self) -> Program:
        command = [sys.executable, "-u", "-m", "workers.demo.feeder", str(self._home.directory("files"))]
        return self._program("feeder", command, SAYS_FED)

    def _celery(self, name: str, *arguments: str, says_ready: str) -> Program:
        command = [sys.executable, "-m", "celery", "-A", "workers", *arguments, "--loglevel", "INFO"]
        return self._program(name, command, says_ready)

    def _program(self, name: str, command: Sequence[str | Path], says_ready: str) -> Program:
        return Program(name, command, log=self._logs / f"{name}.log", env=self._env, says_ready=says_ready)


def _dying_with_us() -> list[str]:
    """Return what lets the kernel kill a program when the demo is gone, whatever ended it.

    A prefork worker asks the same for its children. It is Linux's: elsewhere, a `kill -9` of the demo leaves them.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []
