"""The command under Celery's own command line, in a terminal, in a pipe, and with wrong settings."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from monitor.job import Fate
from monitor.store import open_store, upgrade_store
from tests.monitor.cli.screens import save
from tests.monitor.events import ended, sent, started, told
from tests.workers_process import worker_environment

CELERY = [sys.executable, "-m", "celery", "-A", "app"]
SECRET = "hunter2"


@pytest.fixture
def application(tmp_path: Path) -> dict[str, str]:
    """A directory with an application that has the monitor, and the environment to run it in."""
    (tmp_path / "app.py").write_text(
        "from celery import Celery\n"
        "from monitor import install\n"
        "app = Celery('app', broker='memory://')\n"
        "install(app)\n"
    )
    store_url = f"sqlite:///{tmp_path}/store.db"
    upgrade_store(store_url)
    return worker_environment({"MONITOR_STORE_URL": store_url, "LANG": "C.UTF-8", "TERM": "xterm"})


def test_celery_knows_the_command(application: dict[str, str], tmp_path: Path) -> None:
    """Through the entry point, in an application that calls install(app), without its broker."""
    command = [*CELERY, "monitor", "jobs", "--json"]

    done = subprocess.run(command, cwd=tmp_path, env=application, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_wrong_settings_are_all_told_at_once(application: dict[str, str], tmp_path: Path) -> None:
    """Although it is the application that reads them first."""
    env = application | {"MONITOR_STORE_URL": f"mysql://me:{SECRET}@db/x", "MONITOR_RETENTION_DAYS": "soon"}
    command = [*CELERY, "monitor", "jobs", "--json"]

    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert "MONITOR_STORE_URL: expected" in done.stderr
    assert "MONITOR_RETENTION_DAYS: expected" in done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr


def test_a_reader_that_goes_away_is_no_error(application: dict[str, str], tmp_path: Path) -> None:
    """As with `… | head -1`."""
    read_end, write_end = os.pipe()
    os.close(read_end)

    with os.fdopen(write_end, "wb") as closed_pipe:
        command = [*CELERY, "monitor", "jobs"]
        done = subprocess.run(
            command, cwd=tmp_path, env=application, stdout=closed_pipe, stderr=subprocess.PIPE, check=False
        )

    assert done.stderr == b""


def test_a_terminal_gets_glyphs_and_colours(application: dict[str, str], tmp_path: Path) -> None:
    """Only what deviates is coloured."""
    now = time.time()
    store = open_store(application["MONITOR_STORE_URL"])
    save(store, sent(job="bad", at=now - 9), told(job="bad", at=now, fate=Fate.LOST, sent_at=now - 9))
    save(
        store, sent(job="good", at=now - 9), started(job="good", at=now - 8, sent_at=now - 9), ended(job="good", at=now)
    )

    written = _on_a_terminal([*CELERY, "monitor", "jobs"], tmp_path, application)

    assert "\x1b[1;31m✗ lost" in written
    assert "\x1b[2m✓ succeeded" in written


def _on_a_terminal(command: list[str], directory: Path, env: dict[str, str], width: int = 100) -> str:
    """Return what a program writes to a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    with subprocess.Popen(command, cwd=directory, env=env, stdin=theirs, stdout=theirs, stderr=theirs) as program:
        os.close(theirs)
        written = b""
        # Linux answers with an error where others tell the end.
        while chunk := _read(ours):
            written += chunk
        assert program.wait(timeout=30) == 0
    os.close(ours)
    return written.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:
        return b""
