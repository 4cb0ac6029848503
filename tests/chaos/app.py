"""The application of the chaos tests: jobs of every temper, and a journal that knows each start without the monitor."""

import hashlib
import os
import resource
import time
from pathlib import Path
from typing import Any

from celery import Celery, signals

from monitor import install

JOURNAL = Path(os.environ["CHAOS_JOURNAL"])

app = Celery("chaos", broker=os.environ["CHAOS_BROKER_URL"])
app.conf.update(
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        # What a killed worker held comes back soon: Celery's own values mean an hour, looked after every 100 s.
        "visibility_timeout": 6,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 2,  # a worker killed while it restores would keep all others from it for 5 minutes
    },
)
install(app)


@signals.worker_process_init.connect
def limit_files(**_: object) -> None:
    """Let no file that a pool child writes grow past CHAOS_FILE_BYTES, where that is set: a full disk for everybody."""
    if limit := os.environ.get("CHAOS_FILE_BYTES"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))


@app.task(bind=True)
def short(self: Any) -> None:
    """Waits for a moment, as most jobs do."""
    _note(self)
    time.sleep(0.01)


@app.task(bind=True)
def failing(self: Any, words: str = "a mistake in the job") -> None:
    """Fails with these words."""
    _note(self)
    raise ValueError(words)


@app.task(bind=True, max_retries=5)
def retrying(self: Any) -> None:
    """Succeeds at the third attempt."""
    _note(self)
    if self.request.retries < 2:
        raise self.retry(countdown=0.3)


@app.task(bind=True, acks_late=True)
def late(self: Any) -> None:
    """Acknowledges its message at its end, so that it runs again if its worker is killed."""
    _note(self)
    time.sleep(0.15)


@app.task(bind=True)
def computing(self: Any) -> None:
    """Keeps a processor busy for some 50 ms."""
    _note(self)
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 100_000)


def _note(task: Any) -> None:
    """Write down that the job's own code runs. Short appends by many processes do not mix."""
    with JOURNAL.open("ab", buffering=0) as journal:
        journal.write(f"{task.request.id} {os.getpid()}\n".encode())
