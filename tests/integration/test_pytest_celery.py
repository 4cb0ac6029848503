"""The monitor in a worker, with brokers and a backend, that pytest-celery starts, kills and restarts."""

import pytest
from celery.result import AsyncResult
from pytest_celery.api.broker import CeleryTestBroker
from pytest_celery.api.setup import CeleryTestSetup
from pytest_celery.api.worker import CeleryTestWorker
from pytest_celery.vendors.rabbitmq.defaults import CELERY_RABBITMQ_BROKER

from monitor.job import Fate
from tests.integration import tasks
from tests.integration.records import Records

RESULT_TIMEOUT_S = 60

on_rabbitmq = pytest.mark.parametrize("celery_broker", [CELERY_RABBITMQ_BROKER], indirect=True)


def test_a_job_is_recorded_on_every_broker(celery_setup: CeleryTestSetup, records: Records) -> None:
    """A job through RabbitMQ and Redis, and one through Redis alone, ends in the store as it ended for its sender."""
    result = _send(celery_setup, "sum", tasks.add.name, 40, 2)

    assert result.get(timeout=RESULT_TIMEOUT_S) == 42
    story = records.finished("sum")
    assert (story.job.task, story.job.fate, story.job.queue) == (tasks.add.name, Fate.SUCCEEDED, "celery")
    assert [(run.fate, run.worker) for run in story.runs] == [(Fate.SUCCEEDED, story.job.worker)]


@on_rabbitmq
def test_a_killed_workers_run_is_lost_and_its_job_goes_on(
    celery_setup: CeleryTestSetup, celery_worker: CeleryTestWorker, records: Records
) -> None:
    """The run that died with its worker stays beside the one that the restarted worker made of the same message."""
    stop = records.directory / "stop"
    result = _send(celery_setup, "insisting", tasks.insist_on.name, str(stop))
    (killed,) = records.running("insisting").runs

    celery_worker.kill()
    stop.touch()
    celery_worker.restart()

    assert result.get(timeout=RESULT_TIMEOUT_S) == "done"
    story = records.finished("insisting")
    assert [run.fate for run in story.runs] == [Fate.LOST, Fate.SUCCEEDED]
    assert story.runs[0].id == killed.id
    assert str(story.runs[0].reason).startswith(f"its process {killed.pid} is gone")
    assert (story.job.fate, story.job.runs) == (Fate.SUCCEEDED, 2)


@on_rabbitmq
def test_jobs_are_recorded_once_over_a_restart_of_the_broker(
    celery_setup: CeleryTestSetup, celery_broker: CeleryTestBroker, records: Records
) -> None:
    """The job that ended before, the one that ran through it, and the one sent after: each is there, and once."""
    stop = records.directory / "stop"
    _send(celery_setup, "before", tasks.add.name, 1, 2).get(timeout=RESULT_TIMEOUT_S)
    _send(celery_setup, "through", tasks.wait_for.name, str(stop))
    records.running("through")

    celery_broker.restart()
    stop.touch()
    after = _send(celery_setup, "after", tasks.add.name, 3, 4)

    assert after.get(timeout=RESULT_TIMEOUT_S) == 7
    records.finished("after")  # what the broker may have given out twice came before it
    for job in ("before", "through", "after"):
        assert [run.fate for run in records.finished(job).runs] == [Fate.SUCCEEDED]
    assert records.count_by_state() == {Fate.SUCCEEDED: 3}


def _send(setup: CeleryTestSetup, job: str, task: str, *args: object) -> AsyncResult:
    """Sends a job as a sender without the monitor does, and without the task's code."""
    result: AsyncResult = setup.app.send_task(task, args, task_id=job)
    return result
