"""The jobs of the integration tests."""

import time
from pathlib import Path

from celery import shared_task

MOST_S = 120
POLL_S = 0.05


@shared_task
def add(x: int, y: int) -> int:
    """Ends at once."""
    return x + y


@shared_task
def wait_for(path: str) -> str:
    """Runs until a file is there. Its message is acknowledged as it starts: it runs once, whatever happens."""
    return _wait_for(Path(path))


@shared_task(acks_late=True)
def insist_on(path: str) -> str:
    """Runs until a file is there. Its message is acknowledged as it ends: until then it runs again and again."""
    return _wait_for(Path(path))


def _wait_for(path: Path) -> str:
    deadline = time.monotonic() + MOST_S
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return "done"
