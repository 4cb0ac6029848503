"""The application of the leases' tests: its workers and beat have leases, and nothing else of the monitor."""

import os
import time
from pathlib import Path
from typing import Any

from celery import Celery, signals

from monitor.lease import beat_entry
from monitor.sampling.leases import watch
from monitor.settings import Settings

PERIOD_S = 0.5

app = Celery("watched", broker=os.environ["WATCHED_BROKER_URL"])
app.conf.update(
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    beat_schedule={
        "twice a second": {"task": "watched.nothing", "schedule": 0.5},
        "once a year": {"task": "watched.nothing", "schedule": 365 * 86_400.0},
    },
)
watch(app, Settings.from_env(), period_s=PERIOD_S)


def note_entry(sender: str, **_: Any) -> None:
    """Write down which entry of beat's is being sent."""
    with Path("entries").open("a") as entries:
        entries.write(f"{sender} {beat_entry.get()}\n")


def hold(until: str) -> None:
    """Runs until a file is there, a minute at most."""
    end = time.monotonic() + 60
    while not Path(until).exists() and time.monotonic() < end:
        time.sleep(0.02)


def run_out_of_memory() -> None:
    """Raises what ends a whole prefork worker (Celery 5.7)."""
    raise MemoryError("all of it")


def nothing() -> None:
    """Does nothing."""


signals.before_task_publish.connect(note_entry)
app.task(hold, name="watched.hold")
app.task(run_out_of_memory, name="watched.run_out_of_memory")
app.task(nothing, name="watched.nothing")
