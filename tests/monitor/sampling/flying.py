"""An application with canaries: its worker sends them when it is told to, and receives those of its own queues."""

import os
import time

from celery import Celery

from monitor import install
from monitor.job import CANARY
from monitor.sampling.canaries import send_canaries

app = Celery("flying", broker=os.environ["FLYING_BROKER_URL"])
install(app)


@app.task(name=CANARY, ignore_result=True)  # type: ignore[untyped-decorator]
def canary() -> None:
    """Do nothing."""


@app.task(name="flying.send")  # type: ignore[untyped-decorator]
def send(queues: list[str], period_s: float) -> None:
    """Send the canaries."""
    send_canaries(app, queues, period_s, time.time())
