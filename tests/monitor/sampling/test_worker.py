"""What a worker tells of itself when parts of it cannot be read, or change while they are."""

import threading
import time
from types import SimpleNamespace
from typing import Any
from weakref import WeakSet

import pytest
from celery import Celery
from celery.exceptions import WorkerShutdown

from monitor.sampling.worker import WorkerView, _snapshot


class Unreadable:
    """A part of the worker each attribute of which fails to be read."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"{name} is out of order")


def view_of(**parts: Any) -> WorkerView:
    """Return the view of a worker that has only these parts."""
    usual = {"app": Celery(set_as_current=False), "hub": None, "pool": None, "consumer": None, "pool_cls": Celery}
    return WorkerView(SimpleNamespace(**{**usual, **parts}), "v7")


def test_what_cannot_be_read_costs_only_itself(caplog: pytest.LogCaptureFixture) -> None:
    """It is named, so that its emptiness is not taken for the truth, and logged once."""
    view = view_of(consumer=Unreadable(), pool=SimpleNamespace(num_processes=3, info={}))

    states = [view.look(0.5) for _ in range(3)]

    assert [state.unread for state in states] == [["queues", "can_consume", "brpop_age_s"]] * 3
    assert (states[0].queues, states[0].can_consume, states[0].brpop_age_s) == ([], None, None)
    assert (states[0].slots, states[0].clock_ahead_of_store_s, states[0].code_version) == (3, 0.5, "v7")
    assert (states[0].main_mb or 0) > 20
    assert caplog.text.count("The lease cannot tell queues: RuntimeError: task_consumer is out of order") == 1


def test_a_worker_without_its_consumer_consumes_nothing() -> None:
    """As while it starts, and while it has lost its broker: that is known, and not unread."""
    state = view_of(pool=SimpleNamespace(num_processes=1, info={})).look(0.0)

    assert (state.queues, state.brpop_age_s, state.can_consume, state.unread) == ([], None, None, [])


def test_the_loop_is_late_by_what_its_stamp_is_overdue() -> None:
    """It stamps each second: an age of one second is no lateness."""
    calls: list[Any] = []
    timer = SimpleNamespace(call_repeatedly=lambda *call: calls.append(call))
    view = view_of(hub=object(), timer=timer)
    view.start_ticking()
    on_time = view.look(0.0).loop_lag_s
    view._ticked_at = time.monotonic() - 31

    late = view.look(0.0).loop_lag_s

    assert len(calls) == 1
    assert on_time == 0
    assert late == pytest.approx(30, abs=1)


def test_without_an_event_loop_there_is_no_lag() -> None:
    """A threaded timer would tell of itself, not of the loop."""
    view = view_of()

    view.start_ticking()

    assert view.look(0.0).loop_lag_s is None


@pytest.mark.parametrize(
    ("fault", "is_in_order", "ending"),
    [
        (None, True, "told to"),
        (WorkerShutdown(0), True, "told to"),
        (KeyboardInterrupt(), True, "told to"),
        (SystemExit(3), False, "broken by SystemExit: 3"),  # of a job, in the solo pool
        (MemoryError("all of it"), False, "broken by MemoryError: all of it"),
        (ValueError("x" * 1000), False, f"broken by ValueError: {'x' * 178}"),
    ],
)
def test_an_end_is_in_order_when_it_was_told_to(fault: BaseException | None, is_in_order: bool, ending: str) -> None:  # noqa: FBT001
    """What is on its way when the worker shuts down tells whether it broke."""
    view = view_of()

    answer = view.ends(fault)

    assert (answer, view.ending) == (is_in_order, ending)


def test_who_told_a_worker_to_stop_is_kept() -> None:
    """The signal comes first, the shutdown after the last job."""
    view = view_of()
    view.told_to_stop("SIGTERM", "Warm")

    view.ends(WorkerShutdown(0))

    assert view.ending == "told to by SIGTERM (warm)"


def test_requests_are_read_while_they_change() -> None:
    """Going through a WeakSet fails when the event loop adds to it meanwhile; a snapshot does not."""
    requests: WeakSet[Any] = WeakSet()
    kept = [threading.Event() for _ in range(2000)]
    requests.update(kept)
    is_over = threading.Event()

    def change() -> None:
        while not is_over.is_set():
            for request in kept[:100]:
                requests.discard(request)
                requests.add(request)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        sizes = {len(list(_snapshot(requests))) for _ in range(200)}
    finally:
        is_over.set()
        changing.join()

    assert sizes <= {1999, 2000}
