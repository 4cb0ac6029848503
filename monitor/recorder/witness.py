"""What only the worker's main process can tell: runs that were cut off, and messages that never became a run."""

import logging
import re
import signal as signals_of_the_system
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import uuid4

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Celery, signals
from celery.exceptions import InvalidTaskError, Reject

from monitor.job import RECEIVED_AT, SENT_AT, Error, Event, Fate, Told
from monitor.recorder.errors import clip, error_of
from monitor.recorder.guard import guarded
from monitor.recorder.queues import QueueNames
from monitor.recorder.running import current_run

CUT_OFF = re.compile(r"signal (\d+) \((\w+)\)|exitcode (-?\d+)")
CONSUMER_LOG = "celery.worker.consumer.consumer"
MAX_REASON = 500


class Witness:
    """Records the fates that the run itself could not tell."""

    def __init__(self, app: Celery, append: Callable[[Event], bool]) -> None:
        self._append = append
        self._queues = QueueNames(app)
        self._worker: str | None = None

    def hooks(self) -> Iterable[tuple[Any, Callable[..., None]]]:
        """Return each signal with its hook."""
        return (
            (signals.celeryd_init, guarded(self.starting)),
            (signals.celeryd_after_setup, guarded(self.listen_to_the_log)),
            (signals.task_received, guarded(self.received)),
            (signals.task_failure, guarded(self.failed)),
            (signals.task_retry, guarded(self.retried)),
            (signals.task_revoked, guarded(self.revoked)),
            (signals.task_unknown, guarded(self.unknown)),
            (signals.task_rejected, guarded(self.refused)),
            (signals.task_internal_error, guarded(self.not_started)),
        )

    def starting(self, sender: str, **_: Any) -> None:
        """Learn the worker's node name."""
        self._worker = sender

    def listen_to_the_log(self, **_: Any) -> None:
        """Listen for messages that cannot be decoded: Celery 5.7 tells of them only in its log."""
        logging.getLogger(CONSUMER_LOG).addHandler(_UnreadableMessages(self))

    def received(self, request: Any, **_: Any) -> None:
        """Stamp the time into the request, which carries it to the run: no record, in the busiest process."""
        request.request_dict[RECEIVED_AT] = time.time()

    def failed(self, sender: Any, task_id: str, exception: BaseException, einfo: Any, **_: Any) -> None:
        """Tell how a run failed that was cut off, or failed after it had told its end."""
        request = sender.request
        is_its_own = request.id == task_id
        if current_run(task_id) or isinstance(exception, Reject):
            return  # the run tells it itself
        fate, reason = _cut_off(exception)
        error = error_of(exception, getattr(einfo, "traceback", None))
        fields = vars(request) if is_its_own else {"id": task_id, "task": sender.name}
        returns = fate is Fate.TIMED_OUT and bool(sender.acks_late) and not sender.acks_on_timeout
        self._tell(fate, reason, fields, error, returns=returns)

    def retried(self, sender: Any, request: Any, reason: Any = None, einfo: Any = None, **_: Any) -> None:
        """Tell of a run that did not ask for its retry."""
        if current_run(request.id):
            return  # the run tells it itself
        if reason is None:
            self._cancelled(request, returns=bool(sender.acks_late))
        elif isinstance(reason.exc, WorkerLostError):  # and the task says retry_on_worker_lost
            error = error_of(reason.exc, getattr(einfo, "traceback", None))
            self._tell(*_cut_off(reason.exc), vars(request), error)

    def revoked(self, request: Any, terminated: bool, signum: Any, expired: bool, **_: Any) -> None:  # noqa: FBT001
        """Tell of a job that was revoked, terminated, or taken too late."""
        if expired:
            self._tell(Fate.EXPIRED, "it expired before a worker started it", vars(request))
        elif terminated:
            self._tell(Fate.REVOKED, f"terminated with {_signal_name(signum)}", vars(request))
        else:
            self._tell(Fate.REVOKED, "revoked before it started", vars(request))

    def unknown(self, sender: Any, message: Any, name: str, id: str, **_: Any) -> None:  # noqa: A002 (Celery's name)
        """Tell of a job whose task this worker does not know."""
        fields = {**_fields(message), "id": id, "task": name}
        self._tell(Fate.UNKNOWN, f"{sender.hostname} knows no task of this name", fields)

    def refused(self, message: Any, exc: BaseException | None, **_: Any) -> None:
        """Tell of a message that is none of a job, or that the worker may not or cannot read."""
        reason = f"{type(exc).__name__}: {exc}" if exc else "it is no task message"
        self._tell(Fate.UNREADABLE, reason, _fields(message))

    def not_started(self, task_id: str, request: Mapping[str, Any], exception: BaseException, **_: Any) -> None:
        """Tell of a message whose keyword arguments are none: Celery drops it as if its job had succeeded (5.7)."""
        if isinstance(exception, InvalidTaskError) and not current_run(task_id):
            self._tell(Fate.UNREADABLE, f"InvalidTaskError: {exception}", request)

    def unreadable(self, headers: str, fault: object) -> None:
        """Tell of a message whose body cannot be decoded, known by what the log shows of its headers."""
        shown = dict(re.findall(r"'(id|task|root_id|parent_id)': '([^']*)'", headers))
        sent_at = re.search(rf"'{SENT_AT}': ([\d.]+)", headers)
        fields = {**shown, SENT_AT: float(sent_at.group(1)) if sent_at else None}
        self._tell(Fate.UNREADABLE, f"its body cannot be decoded: {fault}", fields)

    def _cancelled(self, request: Any, *, returns: bool) -> None:
        """Tell of a run that a cold shutdown or a lost connection cancelled.

        Celery calls it a retry, but sends nothing: an early acknowledged job is lost (5.7).
        """
        why = "the worker stopped cold and cut it off"
        why += "; its message goes back to the broker" if returns else "; its message was already acknowledged"
        self._tell(Fate.LOST, why, vars(request), returns=returns)

    def _tell(
        self,
        fate: Fate,
        reason: str | None,
        fields: Mapping[str, Any],
        error: Error | None = None,
        *,
        returns: bool = False,
    ) -> None:
        get = fields.get
        self._append(
            Told(
                job=get("id") or f"unidentified-{uuid4()}",
                at=time.time(),
                fate=fate,
                reason=clip(reason, MAX_REASON) if reason else None,
                run=None,
                task=get("task"),
                queue=self._queues.of(get("delivery_info")),
                worker=get("hostname") or self._worker,
                sent_at=get(SENT_AT),
                root=get("root_id"),
                parent=get("parent_id"),
                retries=get("retries"),
                returns=returns,
                error=error,
            )
        )


class _UnreadableMessages(logging.Handler):
    """Hands each «Can't decode message body» of the consumer's log to the witness."""

    def __init__(self, witness: Witness) -> None:
        super().__init__(logging.CRITICAL)
        self._witness = witness

    def emit(self, record: logging.LogRecord) -> None:
        if str(record.msg).startswith("Can't decode message body") and isinstance(record.args, tuple):
            fault, _, _, headers, *_ = record.args
            self._witness.unreadable(str(headers), fault)


def _cut_off(exception: BaseException) -> tuple[Fate, str | None]:
    """Return the fate that an exception of the main process means, and its reason in words."""
    if isinstance(exception, TimeLimitExceeded):
        return Fate.TIMED_OUT, f"it ran into its hard time limit of {exception.args[0]:g} s"
    if not isinstance(exception, WorkerLostError):
        return Fate.FAILED, None
    found = CUT_OFF.search(str(exception))
    if not found:
        return Fate.LOST, f"its process is gone: {exception}"
    number, name, exit_status = found.groups()
    if exit_status:
        return Fate.LOST, f"its process exited with {exit_status}"
    return Fate.LOST, f"its process was killed by signal {number} ({name})"


def _signal_name(signum: Any) -> str:
    try:
        return signals_of_the_system.Signals(int(signum)).name
    except (TypeError, ValueError):
        return str(signum)


def _fields(message: Any) -> dict[str, Any]:
    """Return what a message's headers say of its job."""
    return {**(message.headers or {}), "delivery_info": message.delivery_info}
