"""The demo's directory: its broker's data, its store, its spool and its logs, for its owner alone."""

import fcntl
import itertools
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

LOCK = "demo.lock"


class DemoError(Exception):
    """The demo cannot go on; the message says why in one sentence."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where everything of one demo lies. It is locked as long as this process lives."""

    path: Path
    lock_fd: int

    @property
    def store_url(self) -> str:
        """The store, for SQLAlchemy."""
        return f"sqlite:///{self.path / 'store.db'}"

    def directory(self, name: str) -> Path:
        """Return a new directory in it."""
        path = self.path / name
        path.mkdir(mode=0o700)
        return path


def claim_home(parent: Path) -> Home:
    """Return an empty directory of this demo's own: `demo`, `demo-2` beside a demo that runs already, and so on.

    What an earlier demo left there is removed.

    Raises:
        DemoError: when it cannot be written, or holds what no demo made.

    """
    for number in itertools.count(1):
        path = parent / ("demo" if number == 1 else f"demo-{number}")
        try:
            lock_fd = _lock(path)
            if lock_fd is not None:
                _empty(path)
                return Home(path, lock_fd)
        except OSError as fault:
            raise DemoError(
                f"The demo keeps its data in {path}, and cannot: {fault.strerror}. "
                "Run it in a directory that you may write to."
            ) from None
    raise AssertionError("unreachable: there is always another number")


def _lock(path: Path) -> int | None:
    """Lock the directory, made where it is missing; None when another demo has it. The lock ends with the process."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(path.iterdir()) and not (path / LOCK).exists():
        raise DemoError(
            f"The demo empties {path} when it starts, and there are files that no demo made: move them away."
        )
    fd = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _empty(path: Path) -> None:
    for entry in path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != LOCK:
            entry.unlink()
