"""What the process that runs the job tells: the run started, the run ended.

This is the hot path: it runs inside every job. Its cost is shown by benchmarks/overhead.py.
"""

import itertools
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

import msgspec
from celery import Celery, signals
from celery.concurrency import solo

from monitor.job import FIRST_SENT_AT, RECEIVED_AT, SENT_AT, Ended, Error, Fate, Started
from monitor.recorder.arguments import Arguments
from monitor.recorder.errors import clip, error_of
from monitor.recorder.guard import Faults, guarded
from monitor.recorder.queues import QueueNames
from monitor.spool import Spool

FATES = {"SUCCESS": Fate.SUCCEEDED, "FAILURE": Fate.FAILED, "RETRY": Fate.RETRIED}

# RUSAGE_THREAD also tells the whole process's peak of resident memory, in kB; macOS has neither.
USAGE_OF = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024

MAX_LABELS = 20
MAX_LABEL = 200
MAX_REASON = 500

_exc_info = sys.exc_info
_getrusage = resource.getrusage
_wall = time.time
_monotonic = time.monotonic


class Current(msgspec.Struct):
    """The run that is going on."""

    job: str
    run: str
    before: "Current | None"  # an eager job runs inside another
    handled: BaseException | None  # what its caller was handling already is no fault of the run
    began: float = 0.0
    usage: resource.struct_rusage | None = None
    error: Error | None = None
    reason: str | None = None
    labels: dict[str, str] | None = None


# Each thread and each greenlet has its own.
_current: ContextVar[Current | None] = ContextVar("monitor_run", default=None)


def current_run(job: str) -> Current | None:
    """Return the run of that job that is going on here, if there is one."""
    current = _current.get()
    return current if current is not None and current.job == job else None


def label(**labels: object) -> None:
    """Label the job that is running with what it is about, as in `label(scenario_type="transport")`.

    Values are kept as text of at most 200 characters, 20 labels a run. Outside of a job it does nothing.
    """
    current = _current.get()
    if current is None:
        return
    kept = current.labels = current.labels or {}
    for name, value in labels.items():
        if name in kept or len(kept) < MAX_LABELS:
            kept[name] = clip(str(value)[:MAX_LABEL], MAX_LABEL)


class Running:
    """Records the start and the end of each run."""

    def __init__(self, app: Celery, spool: Spool, arguments: Arguments | None, version: str) -> None:
        self._spool = spool
        self._append = spool.append
        self._faults = Faults()
        self._arguments = arguments
        self._version = version
        self._queues = QueueNames(app)
        self._numbers = itertools.count(1)
        self._has_usage = not _is_cooperative()
        self._is_solo = False
        self._pid = os.getpid()
        os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self) -> None:
        self._pid = os.getpid()

    def hooks(self) -> Iterable[tuple[Any, Callable[..., None]]]:
        """Return each signal with its hook."""
        return (
            (signals.celeryd_after_setup, guarded(self.know_the_pool)),
            (signals.task_prerun, self.started),
            (signals.task_postrun, self.ended),
            (signals.task_failure, guarded(self.failed)),
            (signals.task_retry, guarded(self.retried)),
        )

    def know_the_pool(self, instance: Any, **_: Any) -> None:
        """Learn whether the worker acknowledges even early messages only after the run.

        The solo pool keeps the event loop, which sends the acknowledgements, from turning while a job runs (5.7).
        """
        self._is_solo = issubclass(instance.pool_cls, solo.TaskPool)

    def started(self, task_id: str, task: Any, args: Any, kwargs: Any, **_: Any) -> None:
        """Record that a run starts."""
        # Guarded here, not by a wrapper: in the hot path a call more is a good part of the cost.
        try:
            run = f"{self._spool.process}-{next(self._numbers)}"
            current = Current(task_id, run, _current.get(), _exc_info()[1])
            self._append(self._start(run, task_id, task, args, kwargs))
            _current.set(current)
            if self._has_usage:
                current.usage = _getrusage(USAGE_OF)
            current.began = _monotonic()
        except Exception as fault:  # noqa: BLE001
            self._faults.note(fault)

    def ended(self, task_id: str, task: Any, retval: Any, state: str | None, **_: Any) -> None:
        """Record that a run ended, as far as the run itself can tell."""
        now = _monotonic()
        try:
            current = _current.get()
            if current is not None and current.job == task_id:
                _current.set(current.before)
                self._append(self._end(current, now - current.began, task, retval, state))
        except Exception as fault:  # noqa: BLE001
            self._faults.note(fault)

    def failed(self, task_id: str, exception: BaseException, einfo: Any, **_: Any) -> None:
        """Keep the error of the run that is going on for its end."""
        current = current_run(task_id)
        if current is not None:
            current.error = error_of(exception, getattr(einfo, "traceback", None))

    def retried(self, request: Any, reason: Any, einfo: Any, **_: Any) -> None:
        """Keep why the run is retried for its end."""
        current = current_run(request.id)
        if current is None or reason is None:
            return
        current.reason = clip(str(reason), MAX_REASON)
        cause = getattr(reason, "exc", None)
        if isinstance(cause, BaseException):
            current.error = error_of(cause, getattr(einfo, "traceback", None))

    def _start(self, run: str, job: str, task: Any, args: Any, kwargs: Any) -> Started:
        get = task.request.__dict__.get
        sent_at = get(SENT_AT)
        return Started(
            job,
            _wall(),
            run,
            task.name,
            self._queues.of(get("delivery_info")),
            get("hostname"),
            self._pid,
            self._version,
            sent_at,
            get(FIRST_SENT_AT),
            get(RECEIVED_AT),
            get("eta"),
            get("retries") or 0,
            get("root_id"),
            get("parent_id"),
            get("group"),
            bool(task.acks_late or self._is_solo) and not get("is_eager"),
            self._arguments.written(args, kwargs, task) if sent_at is None and self._arguments else None,
        )

    def _end(self, current: Current, run_s: float, task: Any, retval: Any, state: str | None) -> Ended:
        cpu_s, grew_bytes = _used(current.usage)
        # An exception that passes by after a success can only be of storing the result, or of what follows it.
        thrown = _exc_info()[1]
        if thrown is current.handled:
            thrown = None
        fate = FATES.get(state) if thrown is None else None  # type: ignore[arg-type]
        returns = False
        if fate is None:
            fate = _unusual_fate(current, state, retval, thrown)
            returns = fate is Fate.LOST and _returns(task, thrown)
        reason, error, labels = current.reason, current.error, current.labels
        return Ended(current.job, _wall(), current.run, fate, run_s, cpu_s, grew_bytes, reason, error, labels, returns)


def _used(before: Any) -> tuple[float | None, int | None]:
    """Return the CPU seconds since then, and the growth of the peak memory in bytes."""
    if before is None:
        return None, None
    now = _getrusage(USAGE_OF)
    cpu_s = now.ru_utime + now.ru_stime - before.ru_utime - before.ru_stime
    return cpu_s, (now.ru_maxrss - before.ru_maxrss) * MAXRSS_BYTES


def _unusual_fate(current: Current, state: str | None, retval: Any, thrown: BaseException | None) -> Fate:
    """Return the fate of a run that neither succeeded, failed nor is retried, and note its reason."""
    if state == "SUCCESS":
        current.reason = "the work was done, but its result could not be stored"
        current.error = error_of(thrown) if thrown else None
        return Fate.FAILED
    if state == "REJECTED":
        return Fate.REQUEUED if getattr(retval, "requeue", False) else Fate.REJECTED
    if state == "IGNORED":
        # Task.replace() ends the run with this very text (Celery 5.7), and gives the job to another task.
        return Fate.REPLACED if str(retval) == "Replaced by new task" else Fate.IGNORED
    if state in FATES:
        return FATES[state]
    # No state at all means in every pool that the run was cut off; who did it, if anybody tells, overrules this.
    current.reason = f"cut off by {type(thrown).__name__}" if thrown else "cut off"
    return Fate.LOST


def _returns(task: Any, thrown: BaseException | None) -> bool:
    """Whether the broker gives out again the message of a run that was cut off."""
    # gevent's and eventlet's pools hide that they killed a run: Celery takes it for done, and acknowledges it (5.7).
    is_hidden = type(thrown).__name__ == "GreenletExit"
    return bool(task.acks_late) and not task.request.is_eager and not is_hidden


def _is_cooperative() -> bool:
    """Whether greenlets share this thread, so that its CPU time is everybody's."""
    patched = getattr(sys.modules.get("gevent.monkey"), "is_module_patched", None)
    return bool(patched and patched("threading")) or "eventlet.patcher" in sys.modules
