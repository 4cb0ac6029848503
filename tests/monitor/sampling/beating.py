"""An application whose beat sends a task each second; each sending's time goes into a list of the broker."""

import os
import time
from typing import Any

import redis
from celery import Celery, signals

BROKER_URL = os.environ["BEATING_BROKER_URL"]

app = Celery("beating", broker=BROKER_URL)
app.conf.beat_schedule = {"second": {"task": "nobody.runs", "schedule": 1.0, "options": {"expires": 1}}}


@signals.before_task_publish.connect  # type: ignore[untyped-decorator]
def note_the_time(**_: Any) -> None:
    """Note it where the recorder stamps it."""
    with redis.Redis.from_url(BROKER_URL) as broker:
        broker.rpush("sent_at", time.time())
