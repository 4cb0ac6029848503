"""Only sends jobs, and keeps a ledger of its own: `python -m tests.chaos.sender LEDGER EVERY_S MOST_WAITING TASK …`.

Each job is in the ledger twice: as `sending` before, as `sent` once the broker has it.
"""

import random
import signal
import sys
import threading
from pathlib import Path
from uuid import uuid4

import redis

from tests.chaos.app import app

LOOK_EVERY_JOBS = 20
LOOK_EVERY_S = 0.02


def main(ledger: Path, every_s: float, most_waiting: int, tasks: list[str]) -> None:
    """Send jobs of these tasks by chance, one each `every_s` seconds, while fewer than `most_waiting` wait."""
    is_over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: is_over.set())
    queue = redis.Redis.from_url(app.conf.broker_url)
    with ledger.open("a", buffering=1) as lines:
        while not is_over.is_set():
            if queue.llen("celery") >= most_waiting:
                is_over.wait(LOOK_EVERY_S)
                continue
            for _ in range(LOOK_EVERY_JOBS):
                job = str(uuid4())
                lines.write(f"sending {job}\n")
                app.send_task(f"tests.chaos.app.{random.choice(tasks)}", task_id=job)
                lines.write(f"sent {job}\n")
                is_over.wait(every_s)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
