"""Prints facts about the platform's application as JSON, from a process of its own: making it installs the monitor."""

import json
import sys
from typing import Any

from celery.exceptions import QueueNotFound

from beat_schedule import BEAT_SCHEDULE
from workers.app import app


def main() -> None:
    """Print the facts."""
    app.loader.import_default_modules()
    facts = {
        "queue_by_task": {name: queue_of(name) for name in app.tasks if not name.startswith("celery.")},
        "queues": sorted(app.amqp.queues),
        "typo_is_refused": typo_is_refused(),
        "time_limits_s": [app.conf.task_soft_time_limit, app.conf.task_time_limit],
        "transport_options": app.conf.broker_transport_options,
        "schedule": {name: facts_of(entry) for name, entry in BEAT_SCHEDULE.items()},
        "is_scheduled": app.conf.beat_schedule == BEAT_SCHEDULE,
    }
    json.dump(facts, sys.stdout)


def queue_of(task: str) -> str:
    """The queue that a task's jobs are sent to."""
    return str(app.amqp.router.route({}, task)["queue"].name)


def typo_is_refused() -> bool:
    """Whether sending to a queue that is not the platform's fails at once."""
    try:
        app.amqp.router.route({"queue": "optimisation"}, "optimization.transport")
    except QueueNotFound:
        return True
    return False


def facts_of(entry: dict[str, Any]) -> dict[str, Any]:
    """What beat sends, where to, how often, and how long it is good for."""
    return {"task": entry["task"], "every_s": entry["schedule"], **entry["options"]}


if __name__ == "__main__":
    main()
