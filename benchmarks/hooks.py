"""What the monitor's hooks add to one job, measured in process, around the functions of Celery that call them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from celery import signals
from celery.app import trace
from celery.worker.request import Request
from kombu.message import Message
from kombu.serialization import dumps

from benchmarks.overhead_app import app
from monitor.job import FIRST_SENT_AT, RECEIVED_AT, SENT_AT
from monitor.recorder import record
from monitor.settings import Settings
from monitor.spool import Spool

ROUNDS = 25
JOBS = 2_000

TASK, NODE = "overhead.noop", "w1@alpha"
ARGUMENTS = {"scenario_id": "run-48211", "period": "2031-W07", "time_limit_s": 10}

LISTENERS = ("no receiver", "empty receivers", "the monitor")
Spent = dict[str, list[float]]  # the CPU microseconds of a job in each round, by who listens


def measure(directory: Path) -> dict[str, Spent]:
    """Return what a job costs where it runs, where it is received, and where it is sent, by who listens."""
    _record(directory)
    task = app.tasks[TASK]
    task.__trace__ = trace.build_tracer(TASK, task, app.loader, NODE, app=app)
    return {
        "running": _in_turns((signals.task_prerun, signals.task_postrun), _run),
        "receiving": _in_turns((signals.task_received,), _receive),
        "sending": _in_turns((signals.before_task_publish, signals.after_task_publish), _send),
    }


def _record(directory: Path) -> None:
    """Connect the monitor's hooks, without its shipper, whose thread would disturb."""
    app.finalize()
    record(app, Spool(directory / "spool"), Settings.from_env({}), after_send=_empty)


def _empty(**_: object) -> None:
    """Do nothing: what remains is the dispatch of the signal."""


def _in_turns(hot: Sequence[Any], spend_us: Callable[[], float]) -> Spent:
    receivers: dict[str, list[list[Any]]] = {
        "no receiver": [[] for _ in hot],
        "empty receivers": [[(("empty", 1), _empty)] for _ in hot],
        "the monitor": [list(signal.receivers) for signal in hot],
    }
    spent: Spent = {name: [] for name in LISTENERS}
    for number in range(ROUNDS + 1):
        for name in LISTENERS:
            with _listening(hot, receivers[name]):
                us = spend_us()
            if number:  # the first round warms up
                spent[name].append(us)
    return spent


@contextmanager
def _listening(hot: Sequence[Any], receivers: Sequence[list[Any]]) -> Iterator[None]:
    before = [list(signal.receivers) for signal in hot]
    _connect(hot, receivers)
    yield
    _connect(hot, before)


def _connect(hot: Sequence[Any], receivers: Sequence[list[Any]]) -> None:
    for signal, its_own in zip(hot, receivers, strict=True):
        signal.receivers[:] = its_own
        signal.sender_receivers_cache.clear()


def _run() -> float:
    """Run jobs as a pool child does: its message's body is decoded, its task is traced."""
    requests = [_request() for _ in range(JOBS)]
    jobs = [(request.id, {**request.request_dict, RECEIVED_AT: time.time()}, request.body) for request in requests]
    known = (app.tasks, {"application/json"}, NODE)
    began = time.thread_time()
    for job, request, body in jobs:
        trace.fast_trace_task(TASK, job, request, body, "application/json", "utf-8", _loc=known)
    return _us_since(began)


def _receive() -> float:
    """Signal jobs as the worker's main process does when it receives them."""
    requests = [_request() for _ in range(JOBS)]
    began = time.thread_time()
    for request in requests:
        signals.task_received.send(sender=app, request=request)
    return _us_since(began)


def _send() -> float:
    """Signal jobs as Celery does before and after it hands their messages to the broker."""
    messages = [_message() for _ in range(JOBS)]
    began = time.thread_time()
    for message in messages:
        to = {"body": message.body, "headers": message.headers, "exchange": "", "routing_key": "optimization"}
        properties = message.properties
        signals.before_task_publish.send(sender=TASK, declare=[], properties=properties, retry_policy=None, **to)
        signals.after_task_publish.send(sender=TASK, **to)
    return _us_since(began)


def _us_since(began: float) -> float:
    return (time.thread_time() - began) / JOBS * 1e6


def _message() -> Any:
    return app.amqp.as_task_v2(str(uuid4()), TASK, args=(), kwargs=dict(ARGUMENTS), ignore_result=True)


def _request() -> Request:
    """Return a request as a worker makes it of a message that a monitored process sent."""
    message = _message()
    now = time.time()
    content_type, content_encoding, body = dumps(message.body, serializer="json")  # type: ignore[no-untyped-call]
    arrived = Message(  # type: ignore[no-untyped-call]
        body,
        headers={**message.headers, SENT_AT: now, FIRST_SENT_AT: now},
        properties=message.properties,
        content_type=content_type,
        content_encoding=content_encoding,
        delivery_info={"exchange": "", "routing_key": "optimization"},
        accept={"application/json"},
    )
    return Request(arrived, app=app, hostname=NODE)
