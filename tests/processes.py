"""Runs real programs for the tests: each in a session of its own, its output in a log file, and nothing left behind.

Plain `Popen` and not mirakuru: mirakuru's `stop()` signals the whole process group, which kills the jobs in a prefork
worker's children where a warm shutdown lets them finish; and it has no log to show when a start fails.
"""

import atexit
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

START_TIMEOUT_S = 60.0
END_TIMEOUT_S = 30.0
POLL_S = 0.02
LOG_TAIL_CHARS = 3000


class ProcessError(AssertionError):
    """A program did not do what the test needs of it; the message ends with the tail of its log."""


def wait_until(condition: Callable[[], object], *, what: str, timeout_s: float = START_TIMEOUT_S) -> None:
    """Waits until the condition is true; `AssertionError` naming `what` was awaited after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:g} s in vain until {what}")
        time.sleep(POLL_S)


def lives(process: psutil.Process) -> bool:
    """Tells whether a process of any parent still runs."""
    # A child outlived by its parent stays a zombie until process 1 takes note of it, which in a container may be never.
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class ChildProcess:
    """One program with its log, ready when the log says `ready_line`, by default at once.

    `env` is its whole environment, by default that of the tests. After its end, by whatever signal, it can be started
    again; the log goes on in the same file. As a context manager it starts the program, and kills it at the end.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log_path: Path,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        ready_line: str = "",
    ) -> None:
        self.command = [str(part) for part in command]
        self.log_path = log_path
        self.cwd = cwd
        self.env = dict(os.environ if env is None else env)
        self.ready_line = ready_line
        self._popen: subprocess.Popen[bytes] | None = None
        self._log_start_bytes = 0

    def __str__(self) -> str:
        return Path(self.command[0]).name

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The process id of the latest start."""
        return self._started().pid

    def start(self) -> Self:
        """Starts the program and waits until it is ready; a `ProcessError` with the log's tail if that fails."""
        assert not self.is_running(), f"{self} already runs"
        self._spawn()
        try:
            self._wait_until(lambda: self.is_ready() or not self.is_running(), what="is ready")
        except BaseException:  # Ctrl-C too: nobody else knows of a program that has not started yet.
            self.kill()
            raise
        if not self.is_running():
            raise ProcessError(f"{self} ended with status {self.wait()} while it started\n{self._log_tail()}")
        return self

    def is_running(self) -> bool:
        """Tells whether the program itself runs, whatever its children do."""
        return self._popen is not None and self._popen.poll() is None

    def is_ready(self) -> bool:
        """Tells whether the program is up and does its work."""
        return self.ready_line in self.latest_log()

    def send_signal(self, signum: signal.Signals) -> None:
        """Sends a signal to the program alone, and does not wait for what comes of it."""
        self._started().send_signal(signum)

    def terminate(self) -> int | None:
        """Ends the program by SIGTERM; returns its exit status, `None` if it never started."""
        return self.end(signal.SIGTERM)

    def kill(self) -> int | None:
        """Ends the program by SIGKILL; returns its exit status, `None` if it never started."""
        return self.end(signal.SIGKILL)

    def end(self, signum: signal.Signals) -> int | None:
        """Signals the program and waits for its end like `wait`; `None` if it never started."""
        if self._popen is None:
            return None
        family = self.descendants()
        self.send_signal(signum)
        return self._wait_and_sweep(family, END_TIMEOUT_S)

    def wait(self, timeout_s: float = END_TIMEOUT_S) -> int:
        """Waits for the program's end, kills the children it left, and returns its exit status.

        A program that does not end within `timeout_s` seconds is killed, and a `ProcessError` says so.
        """
        return self._wait_and_sweep(self.descendants(), timeout_s)

    def descendants(self) -> list[psutil.Process]:
        """The program's children and theirs, also those with a session of their own."""
        try:
            return psutil.Process(self.pid).children(recursive=True) if self.is_running() else []
        except psutil.NoSuchProcess:
            return []

    def log(self) -> str:
        """All that the program wrote, in all its starts."""
        return self.log_path.read_text(errors="replace")

    def latest_log(self) -> str:
        """What the program wrote since its latest start."""
        return self.log_path.read_bytes()[self._log_start_bytes :].decode(errors="replace")

    def wait_for_log(self, text: str, timeout_s: float = START_TIMEOUT_S) -> None:
        """Waits until the latest start of the program wrote `text`."""
        self._wait_until(lambda: text in self.latest_log(), what=f"wrote {text!r}", timeout_s=timeout_s)

    def _started(self) -> subprocess.Popen[bytes]:
        assert self._popen is not None, f"{self} was never started"
        return self._popen

    def _spawn(self) -> None:
        with self.log_path.open("ab") as log:
            self._log_start_bytes = log.tell()
            self._popen = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches the terminal's process group: the tests get it, and end their programs in order.
                start_new_session=True,
            )
        _unended.add(self)

    def _wait_until(self, condition: Callable[[], object], *, what: str, timeout_s: float = START_TIMEOUT_S) -> None:
        try:
            wait_until(condition, what=f"{self} {what}", timeout_s=timeout_s)
        except AssertionError as error:
            raise ProcessError(f"{error}\n{self._log_tail()}") from None

    def _wait_and_sweep(self, family: Sequence[psutil.Process], timeout_s: float) -> int:
        try:
            return self._started().wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ProcessError(f"{self} had to be killed after {timeout_s:g} s\n{self._log_tail()}") from None
        finally:
            # Once only: later the process group's number may be somebody else's.
            if self in _unended:
                self._sweep(family)

    def _sweep(self, family: Sequence[psutil.Process]) -> None:
        # PostgreSQL's children have sessions of their own, so the group alone would miss them.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._started().wait(END_TIMEOUT_S)
        wait_until(lambda: not any(map(lives, family)), what=f"{self}'s children end", timeout_s=END_TIMEOUT_S)
        _unended.discard(self)

    def _log_tail(self) -> str:
        return f"--- end of {self.log_path} ---\n{self.log()[-LOG_TAIL_CHARS:]}"


_unended: set[ChildProcess] = set()
_tests_pid = os.getpid()


@atexit.register
def _kill_what_is_left() -> None:
    """Catches what a second Ctrl-C left, when it broke off the fixtures' clean-up; does nothing in forked children."""
    for process in tuple(_unended) if os.getpid() == _tests_pid else ():
        process.kill()
