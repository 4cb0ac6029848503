"""What brings each fate about: an act sends its jobs, does to them what is to be done, and returns their ids."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from monitor.job import Fate
from tests.fates.stage import APP, Scene
from tests.processes import wait_until

Act = Callable[[Scene], Sequence[str]]

PREFORK, THREADS, SOLO, GEVENT = POOLS = ("prefork", "threads", "solo", "gevent")
HEEDS_SOFT_LIMITS = {PREFORK}
HEEDS_HARD_LIMITS = ENDS_JOBS = {PREFORK, GEVENT}

PAST_THE_LIMIT_S = 1.2
FOREVER_S = 60
HELD_S = 6


def job(task: str, *args: object) -> Act:
    """A job that is sent, and left to itself."""
    return lambda scene: scene.send(task, *args)


def call(function: str, *args: object) -> Act:
    """Jobs that a function makes in the sending process."""
    return lambda scene: scene.stage.call(function, *args)


def first(act: Act) -> Act:
    """Only the first of an act's jobs is looked at."""
    return lambda scene: act(scene)[:1]


def last(act: Act) -> Act:
    """Only the last of an act's jobs is looked at."""
    return lambda scene: act(scene)[-1:]


def limited(task: str, **limit: int) -> Act:
    """A job that outlasts its time limit: by little where nothing ends it."""

    def act(scene: Scene) -> Sequence[str]:
        heeding = HEEDS_SOFT_LIMITS if "soft_time_limit" in limit else HEEDS_HARD_LIMITS
        return scene.send(task, FOREVER_S if scene.pool in heeding else PAST_THE_LIMIT_S, **limit)

    return act


def message(body: object, content_type: str = "application/json", **headers: str) -> Act:
    """A message for the task `add` as somebody else may write it."""

    def act(scene: Scene) -> Sequence[str]:
        job = str(uuid4())
        written = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {"lang": "py", "task": f"{APP}.add", "id": job, "argsrepr": "", "kwargsrepr": ""}
        scene.publish(written, content_type, {**named, **headers})
        return [job]

    return act


def no_task_message(scene: Scene) -> Sequence[str]:
    """A message that is no task's."""
    scene.publish(b"{}")
    return ["unidentified-"]


def foreign_publisher(scene: Scene) -> Sequence[str]:
    """A job that a project without the monitor sends."""
    return [scene.stage.foreign.send_task(f"{APP}.add", (1, 2), queue=scene.queue).id]


def expired(scene: Scene) -> Sequence[str]:
    """A job that is sent too late."""
    return scene.send("add", 1, 2, expires=datetime.now(UTC) - timedelta(seconds=1))


def revoked_before_start(scene: Scene) -> Sequence[str]:
    """A job whose worker hears of the revocation first."""
    jobs = [f"revoked-{scene.pool}"]
    scene.revoke(jobs)
    return scene.send("add", 1, 2, task_id=jobs[0])


def revoked_while_reserved(scene: Scene) -> Sequence[str]:
    """A job that its worker has taken, while the only slot is busy."""
    scene.hold()
    jobs = scene.send("add", 1, 2)
    scene.worker.wait_for_log(f"[{jobs[0]}] received")
    scene.revoke(jobs, is_heard=scene.pool != GEVENT)  # which hears nothing while its pool is full
    scene.open_gate()
    return jobs


def revoked_while_eta_held(scene: Scene) -> Sequence[str]:
    """A job that its worker holds until it is due."""
    jobs = scene.send("add", 1, 2, countdown=HELD_S)
    scene.revoke(jobs)
    return jobs


def terminated_with(signal_name: str) -> Act:
    """A job that is revoked while it runs."""

    def act(scene: Scene) -> Sequence[str]:
        jobs = scene.hold()
        # Solo hears nothing while a job runs.
        scene.revoke(jobs, is_heard=scene.pool != SOLO, terminate=True, signal=signal_name)
        if scene.pool not in ENDS_JOBS:
            scene.open_gate()
        return jobs

    return act


def death(way: str, task: str = "die", *, is_late: bool = False) -> Act:
    """A job that takes its process with it."""

    def act(scene: Scene) -> Sequence[str]:
        jobs = scene.hold(task, way, is_late=is_late)
        scene.open_gate()
        return jobs

    return act


def child_stopped(scene: Scene) -> Sequence[str]:
    """A job whose process stands still for a while."""
    jobs = scene.hold()
    os.kill(scene.pid, signal.SIGSTOP)
    scene.open_gate()
    os.kill(scene.pid, signal.SIGCONT)
    return jobs


def main_stopped(scene: Scene) -> Sequence[str]:
    """A job that ends while its worker's main process stands still."""
    jobs = scene.hold()
    scene.worker.send_signal(signal.SIGSTOP)
    scene.open_gate()
    wait_until(lambda: scene.is_recorded_as(jobs[0], Fate.SUCCEEDED), what="the end of the job is recorded")
    scene.worker.send_signal(signal.SIGCONT)
    return jobs


def warm_shutdown(scene: Scene) -> Sequence[str]:
    """A job whose worker is asked to end."""
    jobs = scene.hold()
    scene.worker.send_signal(signal.SIGTERM)
    scene.worker.wait_for_log("Warm shutdown")
    scene.open_gate()
    scene.worker.wait()
    return jobs


def cold_shutdown(task: str = "hold", *, is_late: bool = False) -> Act:
    """A job whose worker is told to end at once; where it waits for the job all the same, the job may end."""

    def act(scene: Scene) -> Sequence[str]:
        jobs = scene.hold(task, is_late=is_late)
        scene.worker.send_signal(signal.SIGQUIT)
        if scene.pool == THREADS:
            scene.worker.wait_for_log("does not implement kill_job")
            scene.open_gate()
        scene.worker.wait()
        return jobs

    return act


def main_killed(task: str = "hold", *, is_late: bool = False) -> Act:
    """A job whose worker's main process is killed."""

    def act(scene: Scene) -> Sequence[str]:
        jobs = scene.hold(task, is_late=is_late)
        scene.worker.kill()
        return jobs

    return act


def garbage_in_the_queue(scene: Scene) -> Sequence[str]:
    """A job that runs while its worker takes what is no message, which ends it; and one that is next in the queue."""
    jobs = scene.hold()
    scene.stage.broker.lpush(scene.queue, "garbage")
    jobs = [*jobs, *scene.send("add", 1, 2)]
    scene.open_gate()
    assert scene.worker.wait() == 1
    scene.worker.start()
    return jobs
