"""Schedules: what was sent in each slot, and what is said of it."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from celery.schedules import BaseSchedule, crontab, schedule
from hypothesis import given
from hypothesis import strategies as st

from monitor.job import Fate, Job
from monitor.lease import BeatState, Lease, Role
from monitor.sample import Measured
from monitor.sampling.schedules import Entry, compare, sample_schedules
from monitor.sampling.slots import DAY_S, HOUR_S, slots
from monitor.sampling.words import in_words
from monitor.store import Store
from monitor.store.measured import renew_lease, save_measured
from tests.processes import ChildProcess, wait_until
from tests.workers_process import worker_environment

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
numbers = count()


def make_app(schedules: dict[str, Any] | None = None, zone: str = "UTC") -> Celery:
    """Return an application with such a schedule."""
    app = Celery("schedules", set_as_current=False)
    app.conf.timezone = zone
    app.conf.beat_schedule = {name: {"task": "task", "schedule": of} for name, of in (schedules or {}).items()}
    return app


def sent(at: float, entry: str = "entry", **more: Any) -> Job:
    """Return a job that beat sent then, and that ran."""
    fields: dict[str, Any] = {"queue": "q", "sender": "gen1@alpha", "started_at": at + 0.1, "fate": Fate.SUCCEEDED}
    return Job(id=str(next(numbers)), entry=entry, first_sent_at=at, sent_at=at, **(fields | more))


def every_s(period_s: float, since: float = 0.0) -> Entry:
    """Return an entry with an interval that is known since then."""
    return Entry("entry", "words", schedule(period_s), since)


def each(fields: str, since: float = 0.0) -> Entry:
    """Return an entry with a crontab that is known since then."""
    return Entry("entry", "words", crontab.from_string(fields), since)


def ticks(start: float, end: float, period_s: float, **more: Any) -> list[Job]:
    """Return the jobs of a beat that is 5 ms late each time."""
    times, at = [], start
    while at < end:
        times.append(at)
        at += period_s + 0.005
    return [sent(at, **more) for at in times]


@pytest.fixture(autouse=True)
def current_app() -> Celery:
    """Crontabs without an application of their own take the current one."""
    app = make_app()
    app.set_current()
    return app


@pytest.mark.parametrize("entry", [every_s(60), each("* * * * *")], ids=["interval", "crontab"])
def test_a_schedule_in_order_has_nothing_missed(entry: Entry) -> None:
    """Each slot of the hour has its sending, a little late."""
    compared = compare(entry, [sent(NOON - n * 60 + 0.02) for n in range(75, 0, -1)], NOON - 1)

    assert len(compared.slots) == 60
    assert compared.missed == 0
    assert compared.lateness_s == pytest.approx(0.02, abs=0.021)
    assert (compared.doubled, compared.not_run) == (None, None)


@pytest.mark.parametrize("entry", [every_s(60), each("* * * * *")], ids=["interval", "crontab"])
def test_slots_without_a_sending_are_missed(entry: Entry) -> None:
    """Beat was down for ten minutes half an hour ago, and does not catch up."""
    jobs = [sent(NOON - n * 60 + 0.02) for n in range(75, 0, -1) if not 20 <= n < 30]

    compared = compare(entry, jobs, NOON - 1)

    assert compared.missed == 10
    assert [slot.at for slot in compared.slots if not slot.sendings] == pytest.approx(
        [NOON - n * 60 for n in range(29, 19, -1)], abs=0.1
    )


@pytest.mark.parametrize(
    ("period_s", "grace_s"), [(1, 5), (15, 5), (60, 6), (300, 30), (3600, 60), (86400, 60)], ids=lambda value: value
)
def test_a_slot_is_missed_after_its_grace(period_s: float, grace_s: float) -> None:
    """A tenth of the period, at least 5 s and at most 60 s; until then the slot before counts."""
    jobs = [sent(NOON - n * period_s) for n in range(4, 0, -1)]  # the next slot is at noon

    before, after = (
        compare(every_s(period_s, NOON - 5 * period_s), jobs, NOON + grace_s + shift) for shift in (-0.1, 0.1)
    )

    assert (before.missed, before.lateness_s) == (0, 0)
    assert after.missed == 1
    assert after.lateness_s == pytest.approx(grace_s + 0.1, abs=0.001)


def test_slots_from_before_the_monitor_knew_the_entry_are_not_missed() -> None:
    """Deployed 10 minutes ago."""
    compared = compare(each("* * * * *", since=NOON - 600), [], NOON)

    assert compared.missed == 10


def test_an_entry_without_a_slot_yet_has_no_figures() -> None:
    """A gap is a gap."""
    compared = compare(each("0 4 * * *", since=NOON - 60), [], NOON)

    assert (compared.slots, compared.missed, compared.lateness_s) == ([], None, None)


def test_a_rare_entrys_latest_slot_counts_for_as_long_as_it_is_the_latest() -> None:
    """The backup of last night that never was is missed at noon too; one that was sent late is not."""
    entry = each("0 4 * * *")

    missing = compare(entry, [sent(NOON - 32 * HOUR_S)], NOON)
    late = compare(entry, [sent(NOON - 32 * HOUR_S), sent(NOON - HOUR_S / 2)], NOON)

    assert (missing.missed, missing.lateness_s) == (1, 8 * HOUR_S)
    assert (late.missed, late.lateness_s) == (0, 7.5 * HOUR_S)


def test_a_daily_interval_is_counted_from_its_last_sending() -> None:
    """A beat that restarts each day, and keeps no schedule file, never sends it."""
    sent_in_time = compare(every_s(DAY_S), [sent(NOON - 20 * HOUR_S)], NOON)
    never_again = compare(every_s(DAY_S), [sent(NOON - 30 * HOUR_S)], NOON)

    assert sent_in_time.missed in {None, 0}
    assert (never_again.missed, never_again.lateness_s) == (1, 6 * HOUR_S)


@given(st.floats(0.01, 0.99), st.sampled_from([0.5, 1, 15, 60, 600]))
def test_two_beats_are_seen_by_their_sendings(phase: float, period_s: float) -> None:
    """However long after the other one of them sends; and one beat alone is never taken for two."""
    start = NOON - 20 * period_s
    one = ticks(start, NOON, period_s)
    other = ticks(start + phase * period_s, NOON, period_s, sender="gen2@beta")

    alone = compare(every_s(period_s, start), one, NOON)
    both = compare(every_s(period_s, start), sorted(one + other, key=lambda job: job.first_sent_at or 0), NOON)

    assert alone.doubled is None
    assert both.doubled == "sent more than once in a slot, by gen1@alpha and gen2@beta"
    assert both.missed == 0


def test_a_crontab_sent_twice_in_a_slot_is_doubled() -> None:
    """By two beats that share a clock."""
    jobs = [sent(NOON - 60 + late, sender=f"gen{pid}@alpha") for pid, late in ((1, 0.01), (2, 0.02))]

    compared = compare(each("* * * * *", since=NOON - 61), jobs, NOON - 1)

    assert compared.doubled == "sent more than once in a slot, by gen1@alpha and gen2@alpha"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"fate": Fate.EXPIRED}, "sent to queue q, where it expired before a worker started it"),
        ({"fate": Fate.UNKNOWN}, "sent to queue q, and never run: unknown"),
        ({"fate": None}, "sent to queue q, and started by no worker"),
        ({"fate": None, "started_at": NOON - 50}, None),
        ({"fate": None, "due_at": NOON + 50}, None),
    ],
)
def test_what_was_sent_and_never_ran_is_told(fields: dict[str, Any], words: str | None) -> None:
    """Once it has a fate, or its period has passed."""
    job = sent(NOON - 70, **({"started_at": None} | fields))

    compared = compare(every_s(60), [job], NOON)

    assert compared.not_run == words


def test_what_may_still_run_is_not_told_yet() -> None:
    """The sending before it ran."""
    jobs = [sent(NOON - 90), sent(NOON - 30, started_at=None, fate=None)]

    assert compare(every_s(60), jobs, NOON).not_run is None


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (schedule(15), "every 15 s"),
        (schedule(1.5), "every 1.5 s"),
        (schedule(60), "every minute"),
        (schedule(timedelta(hours=2)), "every 2 h"),
        (schedule(DAY_S), "every day"),
        (schedule(3600, relative=True), "every hour, rounded down to the full hour (UTC)"),
        (crontab(), "every minute"),
        (crontab("*/15"), "every 15 min"),
        (crontab("30"), "every hour at :30"),
        (crontab("45", "13"), "every day at 13:45 (UTC)"),
        (crontab("0", "6,18", "mon-fri"), "on Monday to Friday at 06:00, 18:00 (UTC)"),
        (crontab("*/10", "8-17"), "every 10 min of hour 8-17 (UTC)"),
        (
            crontab("0", "6", "mon", "1-7", "1,7"),
            "on Monday that is day 1-7 of the month in January, July at 06:00 (UTC)",
        ),
    ],
    ids=str,
)
def test_schedules_are_said_in_plain_words(of: BaseSchedule, words: str) -> None:
    """With their time zone where it matters."""
    assert in_words(of).removesuffix(" (UTC)") == words.removesuffix(" (UTC)")


def test_words_name_the_time_zone() -> None:
    """A quarter to two is not the same everywhere."""
    of = crontab("45", "13", app=make_app(zone="Europe/Berlin"))

    assert in_words(of) == "every day at 13:45 (Europe/Berlin)"


def figures(measured: Measured) -> dict[tuple[str, ...], Any]:
    """Return samples by metric and dimension values."""
    return {(sample.metric, *(value for _, value in sample.dimensions)): sample.value for sample in measured.samples}


def texts(measured: Measured) -> dict[tuple[str, str], str]:
    """Return the notes that say something."""
    return {(note.subject, note.name): note.text for note in measured.notes if note.text is not None}


def beat(name: str = "beat@alpha", pid: int = 1, **more: Any) -> Lease:
    """Return the lease of a beat that lives at noon."""
    entries = more.pop("entries", {})
    state = BeatState(tick_age_s=0.5, entries=entries, code_version="v1", celery="5.7.0", python="3.11")
    fields: dict[str, Any] = {"started_at": NOON - 600, "renewed_at": NOON - 2, "period_s": 5.0}
    return Lease(role=Role.BEAT, name=name, process=str(pid), host="alpha", pid=pid, state=state, **(fields | more))


def jobs_of(jobs: Sequence[Job]) -> Any:
    """Answer as the store does."""

    def asked(since: float, entries: Collection[str]) -> list[Job]:
        return [job for job in jobs if job.entry in entries and (job.first_sent_at or 0) >= since]

    return asked


def test_each_entry_has_its_figures_though_two_have_one_task(store: Store) -> None:
    """Also where one of them is rare."""
    app = make_app({"often": 60, "daily": crontab("0", "4")})
    renew_lease(store, beat(entries={"often": "every minute", "daily": "every day at 04:00 (UTC)"}))
    first = sample_schedules(app, store, NOON - 2 * DAY_S, jobs_of([]))
    save_measured(store, first, NOON - 2 * DAY_S)
    jobs = [sent(NOON - 8 * HOUR_S + 3, "daily"), *[sent(NOON - n * 60, "often") for n in range(70, 1, -1)]]

    measured = sample_schedules(app, store, NOON, jobs_of(jobs))

    assert figures(measured) == {
        ("BeatTickAge",): pytest.approx(2.5),
        ("ScheduleLateness", "often"): pytest.approx(60),
        ("SchedulesMissed", "often"): 1,
        ("ScheduleLateness", "daily"): pytest.approx(3),
        ("SchedulesMissed", "daily"): 0,
    }
    assert texts(measured) == {
        ("schedule:often", "defined"): "every minute",
        ("schedule:daily", "defined"): "every day at 04:00 (UTC)",
    }


def test_an_entry_that_is_changed_is_judged_from_then_on(store: Store) -> None:
    """And what is noted about one that is gone is taken back."""
    save_measured(store, sample_schedules(make_app({"a": 60, "b": 60}), store, NOON - DAY_S, jobs_of([])), NOON - DAY_S)
    renew_lease(store, beat())

    measured = sample_schedules(make_app({"a": 10}), store, NOON, jobs_of([]))

    assert ("SchedulesMissed", "a") not in figures(measured)
    assert texts(measured)["schedule:a", "defined"] == "every 10 s"
    assert [note.text for note in measured.notes if note.subject == "schedule:b"] == [None]


def test_without_any_beat_seen_nothing_can_be_told(store: Store) -> None:
    """A beat without the monitor may well send everything."""
    app = make_app({"a": 60})
    save_measured(store, sample_schedules(app, store, NOON - DAY_S, jobs_of([])), NOON - DAY_S)

    measured = sample_schedules(app, store, NOON, jobs_of([]))

    assert figures(measured) == {}
    assert texts(measured)["beat", "unseen"].startswith("no beat with the monitor was ever seen")


def test_where_beat_and_configuration_differ_is_told(store: Store) -> None:
    """An entry that beat lacks, one that it runs otherwise, one that only beat has, and one that Celery adds."""
    app = make_app({"lacking": 60, "other": 60, "wrong": "daily"})
    theirs = {"other": "every 5 min", "theirs": "every full moon", "celery.backend_cleanup": "every day at 04:00 (UTC)"}
    renew_lease(store, beat(entries=theirs))

    found = texts(sample_schedules(app, store, NOON, jobs_of([])))

    assert {subject: text for (subject, name), text in found.items() if name == "at odds"} == {
        "schedule:lacking": "configured as every minute, but no running beat has it",
        "schedule:other": "configured as every minute, but beat runs it every 5 min",
        "schedule:theirs": "its slots cannot be told, so that nobody checks whether it is sent",
        "schedule:wrong": "its slots cannot be told, so that nobody checks whether it is sent",
    }
    assert found["schedule:wrong", "defined"] == "'daily', which is no schedule"


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (beat("beat@beta", 2), "beat@alpha (process 1 on alpha) and beat@beta (process 2 on alpha)"),
        (beat("beat@alpha", 2), "beat@alpha (process 1 on alpha) and beat@alpha (process 2 on alpha)"),
        (beat("beat@beta", 2, goodbye_at=NOON - 2), None),
        (beat("beat@beta", 2, renewed_at=NOON - 60), None),
        (beat("beat@beta", 2, started_at=NOON - 1, renewed_at=NOON - 1), None),
    ],
    ids=["two", "two of one name", "one left", "one is gone", "one follows the other"],
)
def test_two_beats_are_told_by_their_leases(store: Store, other: Lease, text: str | None) -> None:
    """But not one beat and its successor."""
    renew_lease(store, beat())
    renew_lease(store, other)

    measured = sample_schedules(make_app(), store, NOON, jobs_of([]))

    assert texts(measured).get(("beat", "doubled")) == text


def test_a_real_beat_sends_in_the_slots_told(redis_url: str, tmp_path: Path) -> None:
    """Every second, each counted from the sending before."""
    command = [sys.executable, "-m", "celery", "-A", "tests.monitor.sampling.beating", "beat", "--schedule", "beat.db"]
    environment = worker_environment({"BEATING_BROKER_URL": redis_url})
    with (
        redis.Redis.from_url(redis_url) as broker,
        ChildProcess([*command, "--pidfile="], log_path=tmp_path / "beat.log", cwd=tmp_path, env=environment),
    ):
        wait_until(lambda: broker.llen("sent_at") >= 5, what="beat has sent five times", timeout_s=40)
        times = [float(at) for at in broker.lrange("sent_at", 0, -1)]

    late_s = [later - next(slots(schedule(1), earlier, earlier + 2, earlier)) for earlier, later in pairwise(times)]
    assert all(-0.05 < late < 0.9 for late in late_s)
    compared = compare(every_s(1, times[0]), [sent(at) for at in times], times[-1])
    assert (len(compared.slots), compared.missed, compared.doubled) == (len(times), 0, None)
