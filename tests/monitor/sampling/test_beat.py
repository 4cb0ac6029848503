"""What beat tells of itself: a real scheduler, driven tick by tick."""

from typing import Any

import pytest
from celery import Celery, signals
from celery.beat import Scheduler

from monitor.lease import beat_entry
from monitor.sampling.beat import BeatView

MINUTE_S = 60.0


@pytest.fixture
def scheduler() -> Scheduler:
    """A scheduler of two entries of one task, that sends into memory."""
    app = Celery(broker="memory://", set_as_current=False)
    app.conf.beat_schedule = {
        "often": {"task": "some.task", "schedule": MINUTE_S},
        "seldom": {"task": "some.task", "schedule": 10 * MINUTE_S},
    }
    scheduler = Scheduler(app)
    entries: dict[str, Any] = scheduler.schedule or {}
    for entry in entries.values():
        entry.last_run_at = entry.last_run_at.replace(year=2000)  # both are due
    return scheduler


def hung_in(scheduler: Scheduler) -> BeatView:
    """Return a view that is hung in."""
    view = BeatView(scheduler, "v7")
    view.hang_in()
    return view


def test_an_entry_is_known_by_name_while_it_is_sent(scheduler: Scheduler) -> None:
    """Two entries of one task are two; before and after, nothing is being sent."""
    names: list[Any] = []

    def note(**_: Any) -> None:
        names.append(beat_entry.get())

    hung_in(scheduler)
    signals.before_task_publish.connect(note)
    for _ in range(2):
        scheduler.tick()
    signals.before_task_publish.disconnect(note)

    assert sorted(names) == ["often", "seldom"]
    assert beat_entry.get() is None


def test_a_tick_is_overdue_when_beat_has_slept_too_long(scheduler: Scheduler) -> None:
    """Beat may sleep until the next entry is due: its age alone says nothing."""
    view = hung_in(scheduler)
    while not scheduler.tick():
        pass
    at, sleep_s = view._tick
    view._tick = (at - 50, sleep_s)
    asleep = view.look(0.0)
    view._tick = (at - 100, sleep_s)

    wedged = view.look(0.0)

    assert sleep_s == pytest.approx(MINUTE_S, abs=2)
    assert asleep.tick_age_s == pytest.approx(50, abs=2)
    assert asleep.tick_overdue_s == 0
    assert wedged.tick_age_s == pytest.approx(100, abs=2)
    assert wedged.tick_overdue_s == pytest.approx(40, abs=4)


def test_entries_are_those_that_beat_itself_goes_by(scheduler: Scheduler) -> None:
    """One that is taken out of a running beat is gone from the lease with the next tick."""
    view = hung_in(scheduler)
    before = view.look(0.0).entries
    scheduler.tick()
    first = view.look(0.0).entries
    scheduler.schedule.pop("seldom")  # type: ignore[union-attr]
    scheduler.tick()

    second = view.look(0.0).entries

    assert before == {}
    assert first == {"often": "<freq: 1.00 minute>", "seldom": "<freq: 10.00 minutes>"}
    assert second == {"often": "<freq: 1.00 minute>"}


def test_schedules_are_told_in_the_words_that_are_given(scheduler: Scheduler) -> None:
    """Words that fail cost the entries, and nothing else."""
    view = BeatView(scheduler, "v7", in_words=lambda schedule: str(1 / (schedule.run_every.total_seconds() - 60)))
    view.hang_in()
    scheduler.tick()

    state = view.look(0.25)

    assert (state.entries, state.unread) == ({}, ["entries"])
    assert (state.clock_ahead_of_store_s, state.code_version) == (0.25, "v7")


def test_a_beat_that_breaks_says_why(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its tick raises ends its process, and is raised as it was."""
    monkeypatch.setattr(scheduler, "populate_heap", lambda: 1 / 0)
    view = hung_in(scheduler)

    with pytest.raises(ZeroDivisionError):
        scheduler.tick()

    assert not view.ends()
    assert view.ending == "broken by ZeroDivisionError: division by zero"


def test_a_beat_that_is_told_to_stop_ends_in_order(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM comes as an exception, in the midst of whatever it does."""
    monkeypatch.setattr(scheduler, "populate_heap", exit_now)
    view = hung_in(scheduler)

    with pytest.raises(SystemExit):
        scheduler.tick()

    assert view.ends()


def exit_now() -> None:
    """Does what Celery's handler of SIGTERM does in beat."""
    raise SystemExit
