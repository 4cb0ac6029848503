"""Names a database connection after the job that uses it, so that a row of pg_stat_activity leads to the job."""

import re
from functools import lru_cache

from celery import current_app

PREFIX = "celery:"
MAX_BYTES = 63  # where PostgreSQL cuts an application_name
CUT = ".."  # stands for the beginning of a task's name that does not fit

# What needs no quoting in SQL, and what PostgreSQL keeps as it is.
_PLAIN_ID = re.compile(r"[A-Za-z0-9_.:@/+=-]+")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.@/+=<>-]")


def name_of_current_job() -> str | None:
    """Return the name for connections of the job that this thread runs; None outside a job."""
    task = current_app.current_worker_task
    return connection_name(task.request.id, task.name) if task and task.request.id else None


@lru_cache(maxsize=64)  # a job asks each time it checks a connection out
def connection_name(job: str, task: str) -> str | None:
    """Return `celery:<job id>:<task>`, with the whole id; of a task's name that is too long, its end.

    None where the id does not fit, or has characters that PostgreSQL would not keep: half an id leads nowhere.
    """
    room = MAX_BYTES - len(f"{PREFIX}{job}:")
    if room <= len(CUT) or not _PLAIN_ID.fullmatch(job):
        return None
    plain = _NOT_PLAIN.sub("_", task)
    return f"{PREFIX}{job}:{plain if len(plain) <= room else CUT + plain[len(CUT) - room :]}"


def job_of(application_name: str) -> tuple[str, str] | None:
    """Return the id and the task of the job that a connection is named after; None where it is named otherwise."""
    if not application_name.startswith(PREFIX):
        return None
    job, _, task = application_name.removeprefix(PREFIX).rpartition(":")
    return (job, task) if job and task else None
