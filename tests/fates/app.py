"""The application whose jobs meet every fate. It runs in workers and senders, never in the tests' own process."""

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from celery import Celery, Task
from celery.backends.redis import RedisBackend
from celery.exceptions import Ignore, Reject

from monitor import install

MOST_S = 60
POLL_S = 0.02
NARROW_BYTES = 20_000

app = Celery("fates", broker=os.environ["FATES_BROKER_URL"], backend=os.environ["FATES_BROKER_URL"])
install(app)

read_only = RedisBackend(app=app, url=os.environ["FATES_READ_ONLY_URL"])
narrow = RedisBackend(app=app, url=os.environ["FATES_BROKER_URL"])
narrow._MAX_STR_VALUE_SIZE = NARROW_BYTES  # of 512 MB


class Unpicklable(Exception):  # noqa: N818 (its name says what it is)
    """Cannot be made again from its arguments, as pickle would."""

    def __init__(self, row: int, column: str) -> None:
        super().__init__(f"row {row}, column {column}")


class Careless(Task):
    """Fails after its success."""

    def on_success(self, *_: object) -> NoReturn:
        """Fails where the result is stored already."""
        raise ValueError("it is too late for this")


@app.task
def add(x: int, y: int) -> int:
    """Adds."""
    return x + y


@app.task
def add_up(numbers: list[int]) -> int:
    """Adds the results of others."""
    return sum(numbers)


@app.task(base=Careless)
def succeed_carelessly() -> None:
    """Succeeds, and fails to say so."""


@app.task
def fail() -> NoReturn:
    """Fails."""
    raise ValueError("it is wrong")


@app.task
def fail_unpicklably() -> NoReturn:
    """Fails with an error that cannot travel between processes."""
    raise Unpicklable(7, "demand")


@app.task
def run_out_of_memory() -> NoReturn:
    """Fails as a worker takes for its own end."""
    raise MemoryError("no room")


@app.task
def return_object() -> object:
    """Returns what no serializer takes."""
    return object()


@app.task(backend=narrow)
def return_too_much() -> str:
    """Succeeds, with a result too long for its backend, which takes the failure to store it."""
    return NARROW_BYTES * "x"


@app.task(backend=read_only)
def return_to_read_only() -> str:
    """Succeeds, where nothing can be stored."""
    return "done"


@app.task(autoretry_for=(ConnectionError,), max_retries=2, default_retry_delay=0)
def always_retry() -> NoReturn:
    """Is retried until it may not be any more."""
    raise ConnectionError("nobody is there")


@app.task(bind=True, default_retry_delay=0)
def retry_once(self: Task) -> str:
    """Succeeds when it is retried."""
    if self.request.retries == 0:
        raise self.retry(exc=ConnectionError("nobody is there yet"))
    return "done"


@app.task
def reject() -> NoReturn:
    """Refuses its message for good."""
    raise Reject("no use")


@app.task(bind=True, acks_late=True)
def reject_once(self: Task) -> str:
    """Gives its message back once."""
    if _is_first(self):
        raise Reject("not yet", requeue=True)
    return "done"


@app.task
def ignore() -> NoReturn:
    """Asks that its result be ignored."""
    raise Ignore


@app.task(bind=True)
def replace(self: Task) -> Any:
    """Puts another task in its place."""
    return self.replace(add.s(1, 2))


@app.task
def sleep(seconds: float) -> None:
    """Takes its time."""
    time.sleep(seconds)


@app.task
def sleep_deaf(seconds: float) -> None:
    """Takes its time, and hears no SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(seconds)


@app.task(bind=True, acks_late=True, acks_on_timeout=False)
def sleep_once(self: Task, seconds: float) -> None:
    """Takes its time, but not when its message is given out again."""
    if _is_first(self):
        time.sleep(seconds)


@app.task
def hold(gate: str) -> None:
    """Runs until its gate is opened."""
    _hold(Path(gate))


@app.task(acks_late=True)
def hold_late(gate: str) -> None:
    """Runs until its gate is opened; its message is acknowledged at the end."""
    _hold(Path(gate))


@app.task
def die(gate: str, way: str) -> None:
    """Takes its process with it when its gate is opened."""
    _hold(Path(gate))
    WAYS_OUT[way]()


@app.task(acks_late=True)
def die_late(gate: str, way: str) -> None:
    """Takes its process with it when its gate is opened; its message would be acknowledged afterwards."""
    _hold(Path(gate))
    WAYS_OUT[way]()


@app.task(acks_late=True)
def exit_late() -> NoReturn:
    """Ends its process; its message, if there is one, would be acknowledged afterwards."""
    sys.exit(3)


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def die_once(self: Task, gate: str, way: str) -> None:
    """Takes its process with it when its gate is opened, but not when its message is given out again."""
    if _is_first(self):
        _hold(Path(gate))
        WAYS_OUT[way]()


@app.task(bind=True, retry_on_worker_lost=True, default_retry_delay=0)
def die_and_be_retried(self: Task, gate: str, way: str) -> None:
    """Takes its process with it when its gate is opened, but not when it is retried."""
    if self.request.retries == 0:
        _hold(Path(gate))
        WAYS_OUT[way]()


def _is_first(task: Task) -> bool:
    return not task.request.delivery_info["redelivered"]


def _hold(gate: Path) -> None:
    """Says that it runs, and where; waits for the gate."""
    running = gate.with_suffix(".new")
    running.write_text(str(os.getpid()))
    running.rename(gate.with_suffix(".running"))
    deadline = time.monotonic() + MOST_S
    while not gate.exists() and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _signal_itself(signum: signal.Signals) -> None:
    os.kill(os.getpid(), signum)


WAYS_OUT: dict[str, Callable[[], object]] = {
    "SIGKILL": partial(_signal_itself, signal.SIGKILL),
    "SIGSEGV": partial(_signal_itself, signal.SIGSEGV),
    "_exit": partial(os._exit, 3),
    "sys.exit": partial(sys.exit, 3),
}
