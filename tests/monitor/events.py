"""Events as tests need them: complete, with only what matters said."""

from __future__ import annotations

from typing import Any

from monitor.job import Ended, Error, Fate, Sent, Started, Told

WORKER = "w1@alpha"


def sent(job: str = "a", at: float = 100.0, **more: Any) -> Sent:
    """A message for the job was sent."""
    fields: dict[str, Any] = {
        "task": "optimize",
        "queue": "optimization",
        "first_sent_at": at,
        "eta": None,
        "expires": None,
        "retries": 0,
        "root": job,
        "parent": None,
        "group": None,
        "sender": "gen1@web",
        "arguments": '{"args":[1],"kwargs":{}}',
    }
    return Sent(job=job, at=at, **(fields | more))


def started(job: str = "a", at: float = 101.0, run: str = "p-1", **more: Any) -> Started:
    """A run of the job started; of the message sent at 100 unless told otherwise."""
    fields: dict[str, Any] = {
        "task": "optimize",
        "queue": "optimization",
        "worker": WORKER,
        "pid": 7,
        "version": "v1",
        "sent_at": 100.0,
        "first_sent_at": 100.0,
        "received_at": at,
        "eta": None,
        "retries": 0,
        "root": job,
        "parent": None,
        "group": None,
        "acks_late": False,
        "arguments": None,
    }
    return Started(job=job, at=at, run=run, **(fields | more))


def ended(job: str = "a", at: float = 103.0, run: str = "p-1", fate: Fate = Fate.SUCCEEDED, **more: Any) -> Ended:
    """A run of the job ended after 2 s."""
    fields: dict[str, Any] = {
        "run_s": 2.0,
        "cpu_s": 1.0,
        "grew_bytes": 0,
        "reason": None,
        "error": None,
        "labels": None,
    }
    return Ended(job=job, at=at, run=run, fate=fate, **(fields | more))


def told(job: str = "a", at: float = 103.0, fate: Fate = Fate.LOST, **more: Any) -> Told:
    """The main process told a fate of the message sent at 100."""
    fields: dict[str, Any] = {
        "reason": "because",
        "run": None,
        "task": "optimize",
        "queue": "optimization",
        "worker": WORKER,
        "sent_at": 100.0,
        "root": job,
        "parent": None,
        "retries": 0,
        "returns": False,
        "error": None,
    }
    return Told(job=job, at=at, fate=fate, **(fields | more))


def error(kind: str = "ValueError") -> Error:
    """An error with a traceback."""
    return Error(kind, "it is wrong", "Traceback …", "f1")
