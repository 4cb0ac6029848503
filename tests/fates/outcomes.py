"""What must be recorded of a job."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass, replace

from monitor.job import Fate
from monitor.store.reads import Story

WAITING = "waiting"
ITS_WORKER = "the worker it is played on"

ERRORS = "billiard.exceptions"


@dataclass(frozen=True, slots=True)
class Ran:
    """What must be recorded of one run: its fate, the class of its error, a part of its reason, its worker."""

    fate: Fate | None
    error: str | None = None
    reason: str | None = None
    worker: str | None = ITS_WORKER


@dataclass(frozen=True, slots=True)
class Outcome:
    """What must be recorded of a job, in the same words, and whether the broker still has a message of it.

    `is_held` is None where that is up to chance.
    """

    state: str
    runs: tuple[Ran, ...] = ()
    error: str | None = None
    reason: str | None = None
    worker: str | None = ITS_WORKER
    is_held: bool | None = False


def recorded(story: Story | None, worker: str, expected: Outcome, *, is_held: bool) -> Outcome:
    """What is recorded of a job that was played on that worker, cut to what is expected of it."""
    held = None if expected.is_held is None else is_held
    if story is None:
        return replace(NEVER_SENT, is_held=held)
    its_worker = {worker: ITS_WORKER}
    wanted = [run.reason for run in expected.runs] + [None] * len(story.runs)
    runs = tuple(
        Ran(run.fate, run.error, _part(run.reason, part), its_worker.get(run.worker or "", run.worker))
        for run, part in zip(story.runs, wanted, strict=False)
    )
    job = story.job
    reason = _part(job.reason, expected.reason)
    return Outcome(job.state, runs, job.error, reason, its_worker.get(job.worker or "", job.worker), held)


def _part(reason: str | None, expected: str | None) -> str | None:
    return expected if expected and expected in (reason or "") else reason


def ran(fate: Fate, error: str | None = None, reason: str | None = None, *, before: Iterable[Ran] = ()) -> Outcome:
    """The job ends with the fate of its last run; `before` are the others."""
    return Outcome(fate, (*before, Ran(fate, error, reason)), error, reason)


def told(fate: Fate, reason: str, error: str | None = None) -> Outcome:
    """The job ends without a run."""
    return Outcome(fate, reason=reason, error=error)


def goes_back(reason: str) -> Outcome:
    """The run is lost, the job is not: its message goes back to the broker."""
    return Outcome(WAITING, (Ran(Fate.LOST, reason=reason),), is_held=True)


def here(outcome: Outcome) -> Outcome:
    """The same without a worker: in the sending process, on this host."""
    host = socket.gethostname()
    return replace(outcome, runs=tuple(replace(run, worker=host) for run in outcome.runs), worker=host)


NEVER_SENT = Outcome("not recorded", worker=None)
SUCCEEDED = ran(Fate.SUCCEEDED)
SOFT_LIMIT = ran(Fate.FAILED, f"{ERRORS}.SoftTimeLimitExceeded")
HARD_LIMIT = ran(Fate.TIMED_OUT, f"{ERRORS}.TimeLimitExceeded", "it ran into its hard time limit of 1 s")
EXPIRED = told(Fate.EXPIRED, "it expired before a worker started it")
REVOKED = told(Fate.REVOKED, "revoked before it started")
RETRIED = Ran(Fate.RETRIED, "ConnectionError", "nobody is there")
KILLED = ran(Fate.LOST, f"{ERRORS}.WorkerLostError", "its process was killed by signal 9 (SIGKILL)")
SEGFAULTED = ran(Fate.LOST, f"{ERRORS}.WorkerLostError", "its process was killed by signal 11 (SIGSEGV)")
EXITED = ran(Fate.LOST, f"{ERRORS}.WorkerLostError", "its process exited with 3")
# Told by the next process, when the one that owned the run is gone.
VANISHED = ran(Fate.LOST, reason="nobody told why; its message was already acknowledged")
VANISHED_AND_GOES_BACK = goes_back("nobody told why; its message goes back to the broker")


def failed(error: str, reason: str | None = None) -> Outcome:
    """The run fails."""
    return ran(Fate.FAILED, error, reason)


def cut_off(exception: str) -> Outcome:
    """The run is lost, by an exception that no job may catch."""
    return ran(Fate.LOST, reason=f"cut off by {exception}")


def terminated(signal_name: str) -> Outcome:
    """The run is ended by a revocation."""
    return ran(Fate.REVOKED, reason=f"terminated with {signal_name}")


def unreadable(reason: str) -> Outcome:
    """The message cannot be read, or may not."""
    return told(Fate.UNREADABLE, reason)
