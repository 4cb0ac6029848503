"""What the sending process does, where the monitor is installed; never imported by the tests themselves."""

from contextlib import suppress
from typing import Any
from uuid import uuid4

from celery import chord, group

from tests.fates.app import add, add_up, app, exit_late, fail
from tests.fates.stage import APP


def send(task: str, *args: Any, **options: Any) -> list[str]:
    """Sends a job, whether there is such a task or not."""
    return [app.send_task(f"{APP}.{task}", args, **options).id]


def send_chain() -> list[str]:
    """Sends two jobs, the second with the result of the first."""
    last = (add.s(1, 2) | add.s(3)).apply_async()
    return [last.parent.id, last.id]


def send_group() -> list[str]:
    """Sends two jobs side by side."""
    return [result.id for result in group(add.s(1, 2), add.s(3, 4)).apply_async().results]


def send_chord() -> list[str]:
    """Sends two jobs side by side, and one with their results."""
    last = chord([add.s(1, 2), add.s(3, 4)], add_up.s()).apply_async()
    return [*(result.id for result in last.parent.results), last.id]


def send_failing_chord() -> list[str]:
    """Sends a chord with one job, which fails; returns its id, and that of the job which is never sent."""
    last = chord([fail.si()], add_up.s()).apply_async()
    return [last.parent.results[0].id, last.id]


def run_eagerly(task: str, *args: Any) -> list[str]:
    """Runs a job here and now."""
    return [app.tasks[f"{APP}.{task}"].apply(args).id]


def exit_eagerly() -> list[str]:
    """Runs a job here and now that ends the process, if it is let."""
    job = str(uuid4())
    with suppress(SystemExit):
        exit_late.apply(task_id=job)
    return [job]
