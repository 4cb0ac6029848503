"""What a worker sees of itself, read from a thread beside its event loop.

The event loop may hang, and Celery's own answers ("pong") would not come or would hide it: nothing here waits for it.
Celery's objects are reached anew each time, since each lost connection replaces the consumer's inner ones (5.7).
"""

import platform
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from celery import __version__ as celery_version
from celery.concurrency import ALIASES
from celery.exceptions import WorkerShutdown, WorkerTerminate
from celery.worker import state as celery_state

from monitor.lease import BusySlot, WorkerState
from monitor.sampling.container import Container, read_container
from monitor.sampling.processes import Family, Usage
from monitor.sampling.reading import Reading

QueueOf = Callable[[Mapping[str, Any] | None], str | None]

TICK_EVERY_S = 1.0
CLOCK_EVERY_S = 60.0
BROKER_TIMEOUT_S = 2.0
MAX_REASON = 200


def routing_key(delivery_info: Mapping[str, Any] | None) -> str | None:
    """Return the queue of a message as Celery addresses it by default: by its name."""
    return delivery_info.get("routing_key") if delivery_info else None


class WorkerView:
    """Looks at one worker. Its main thread hangs the view in; the lease's thread looks."""

    def __init__(self, worker: Any, code_version: str, queue_of: QueueOf = routing_key) -> None:
        self.ending: str | None = None
        self._worker = worker
        self._code_version = code_version
        self._queue_of = queue_of
        self._ticked_at: float | None = None
        self._family = Family()
        self._broker_clock = BrokerClock(worker.app)

    def start_ticking(self) -> None:
        """Let the event loop stamp the time each second, where there is one.

        It is the timer of the whole worker: the stamps go on after a lost connection, when the loop does (5.7). A
        threaded timer, which other brokers than Redis, RabbitMQ and SQS get, tells nothing of the loop.
        """
        if self._worker.hub or getattr(self._worker.pool, "is_green", False):
            self._tick()
            self._worker.timer.call_repeatedly(TICK_EVERY_S, self._tick)

    def told_to_stop(self, sig: str, how: str) -> None:
        """Remember why it stops. Runs within a signal's handler, where no lock may be taken."""
        self.ending = f"told to by {sig} ({how.lower()})"

    def ends(self, fault: BaseException | None) -> bool:
        """Remember what ended it, if that was not told before; return whether it was in order.

        A worker that breaks goes through the same motions as one that is told to stop: only the exception that is on
        its way tells them apart (5.7).
        """
        if fault is None or isinstance(fault, WorkerShutdown | WorkerTerminate | KeyboardInterrupt):
            self.ending = self.ending or "told to"
            return True
        self.ending = f"broken by {type(fault).__name__}: {fault}"[:MAX_REASON]
        return False

    def look(self, clock_ahead_of_store_s: float) -> WorkerState:
        """Return what can be seen now."""
        read = Reading()
        usage = read("main_mb, children_mb, cpu_percent", self._usage, Usage(None, None, None))
        container = read("limit_mb, container_mb, oom_kills", read_container, Container(None, None, None))
        return WorkerState(
            pool=read("pool", self._pool, "unknown"),
            slots=read("slots", self._slots, 0),
            busy=read("busy", self._busy, []),
            reserved=read("reserved", _reserved, 0),
            held=read("held", self._held, {}),
            queues=read("queues", self._queues, []),
            can_consume=read("can_consume", self._can_consume, None),
            loop_lag_s=self._loop_lag_s(),
            brpop_age_s=read("brpop_age_s", self._brpop_age_s, None),
            main_mb=usage.main_mb,
            children_mb=usage.children_mb,
            limit_mb=container.limit_mb,
            container_mb=container.used_mb,
            oom_kills=container.oom_kills,
            cpu_percent=usage.cpu_percent,
            clock_ahead_of_broker_s=read("clock_ahead_of_broker_s", self._broker_clock.ahead_s, None),
            clock_ahead_of_store_s=clock_ahead_of_store_s,
            code_version=self._code_version,
            celery=celery_version,
            python=platform.python_version(),
            ending=self.ending,
            unread=read.unread,
        )

    def between(self) -> None:
        """Do what takes time: ask for the broker's clock when that is due."""
        self._broker_clock.check()

    def _tick(self) -> None:
        self._ticked_at = time.monotonic()

    def _loop_lag_s(self) -> float | None:
        ticked_at = self._ticked_at
        return None if ticked_at is None else max(0.0, time.monotonic() - ticked_at - TICK_EVERY_S)

    def _pool(self) -> str:
        cls = self._worker.pool_cls
        place = f"{cls.__module__}:{cls.__qualname__}"
        return next((alias for alias, known in ALIASES.items() if known == place), place)

    def _slots(self) -> int:
        try:
            return int(self._worker.pool.num_processes)
        except AttributeError:
            return 0  # a pool that has stopped has let go of its processes

    def _usage(self) -> Usage:
        try:
            children = self._worker.pool.info.get("processes", ())
        except AttributeError:
            children = ()
        return self._family.measure(children)

    def _busy(self) -> list[BusySlot]:
        # Celery gives greenlets' numbers out as pids.
        has_pids = not getattr(self._worker.pool, "is_green", False)
        now = time.time()
        return [
            BusySlot(
                job=request.id,
                task=request.name,
                since=request.time_start or now,
                pid=request.worker_pid if has_pids else None,
            )
            for request in _snapshot(celery_state.active_requests)
        ]

    def _held(self) -> dict[str, int]:
        requests = _snapshot(celery_state.scheduled_requests)
        return dict(Counter(self._queue_of(request.delivery_info) or "unknown" for request in requests))

    def _queues(self) -> list[str]:
        consumer = self._task_consumer()
        return sorted(queue.name for queue in consumer.queues if consumer.consuming_from(queue)) if consumer else []

    def _can_consume(self) -> bool | None:
        qos: Any = getattr(self._channel(), "qos", None)
        return bool(qos.can_consume()) if qos else None

    def _brpop_age_s(self) -> float | None:
        sent_at = getattr(self._channel(), "_brpop_sent_at", None)  # kombu 5.7, Redis only
        return None if sent_at is None else time.monotonic() - sent_at

    def _task_consumer(self) -> Any:
        return getattr(self._worker.consumer, "task_consumer", None)

    def _channel(self) -> Any:
        return getattr(self._task_consumer(), "channel", None)


class BrokerClock:
    """The clock of the broker, where it has one that can be asked for: Redis."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._asked_at: float | None = None
        self._ahead_s: float | None = None
        self._fault: Exception | None = None

    def ahead_s(self) -> float | None:
        """Return how far this host's clock was ahead when it was last compared.

        Raises:
            Exception: what the last comparing raised.

        """
        if self._fault:
            raise self._fault
        return self._ahead_s

    def check(self) -> None:
        """Compare the clocks, once a minute at most, on a connection that is closed again."""
        now = time.monotonic()
        if self._asked_at is not None and now - self._asked_at < CLOCK_EVERY_S:
            return
        self._asked_at, self._ahead_s, self._fault = now, None, None
        try:
            self._ahead_s = self._compare()
        except Exception as fault:  # noqa: BLE001 (told by whoever looks)
            self._fault = fault

    def _compare(self) -> float | None:
        limits = {"socket_timeout": BROKER_TIMEOUT_S, "socket_connect_timeout": BROKER_TIMEOUT_S, "max_retries": 0}
        with self._app.connection_for_read(transport_options=limits) as connection:
            if connection.transport.driver_type != "redis":
                return None
            client = connection.default_channel.client
            before = time.time()
            seconds, microseconds = client.time()
            half_way = (before + time.time()) / 2
            return half_way - float(seconds) - float(microseconds) / 1e6


def _reserved() -> int:
    reserved = _snapshot(celery_state.reserved_requests)
    return sum(1 for request in reserved if request not in celery_state.active_requests)


def _snapshot(requests: Any) -> Iterable[Any]:
    """Return the members of a WeakSet that another thread changes.

    Going through it would fail while it grows; its set of references is copied in one step.
    """
    return [request for reference in requests.data.copy() if (request := reference()) is not None]
