"""Slots: those that beat itself uses, and those that an independent count finds."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from celery import Celery
from celery.beat import Scheduler
from celery.schedules import BaseSchedule, crontab, schedule, solar
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from monitor.sampling.slots import DAY_S, HOUR_S, MINUTE_S, latest_slot, slots

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana")
# Days in 2026 on which the local clock of one of these is set on or back, and days on which none is.
DAYS = ("2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01", "2026-02-28", "2026-06-30")

MOST_SENDINGS = 10_000


def make_app(zone: str) -> Celery:
    """Return an application of that time zone."""
    app = Celery("slots", set_as_current=False)
    app.conf.timezone = zone
    return app


def utc(text: str) -> float:
    """Return the Unix seconds of a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class VirtualBeat(Scheduler):
    """Celery's own beat, which sends nothing, in a time that passes as fast as it sleeps."""

    producer = None

    def run(self, of: BaseSchedule, start: float, end: float) -> list[float]:
        """Return when the schedule's entry is sent from start to before end."""
        self.time, self.sent = start, list[float]()
        of.nowfun = lambda: datetime.fromtimestamp(self.time, UTC).astimezone(of.tz)
        self.add(name="entry", task="task", schedule=of)  # type: ignore[no-untyped-call]
        while self.time < end:
            assert len(self.sent) < MOST_SENDINGS, f"beat sends without end at {datetime.fromtimestamp(self.time, UTC)}"
            # For 10 ms before an entry is due, beat looks again and again: so much passes at least.
            self.time += max(self.tick(), 0.02)  # type: ignore[no-untyped-call]
        return [at for at in self.sent if at < end]

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Remember the time."""
        del entry, producer
        self.sent.append(self.time)


def sent_by_beat(of: BaseSchedule, start: float, end: float) -> list[int]:
    """Return the full seconds at which beat, started a little later than `start`, sends the entry."""
    beat = VirtualBeat(of.app, lazy=True)  # type: ignore[no-untyped-call]
    return [int(at) for at in beat.run(of, start + 0.5, end)]


def counted_minute_by_minute(of: crontab, zone: str, start: float, end: float) -> list[float]:
    """Return the minutes whose local time matches, each local time once, where the clock skips none."""
    seen: set[datetime] = set()
    found = []
    for at in range(int(start), int(end), MINUTE_S):
        local = datetime.fromtimestamp(at, ZoneInfo(zone)).replace(tzinfo=None)
        matches = (
            local.minute in of.minute
            and local.hour in of.hour
            and local.day in of.day_of_month
            and local.month in of.month_of_year
            and local.isoweekday() % 7 in of.day_of_week
        )
        if matches and local not in seen:
            found.append(float(at))
        seen.add(local)
    return found


def skips(zone: str, start: float, end: float) -> bool:
    """Tell whether the local clock is set on in that time."""
    offsets = [datetime.fromtimestamp(at, ZoneInfo(zone)).utcoffset() for at in range(int(start), int(end), MINUTE_S)]
    return any(before < after for before, after in itertools.pairwise(filter(None, offsets)))


def field(first: int, last: int) -> st.SearchStrategy[Any]:
    """Return what may stand in one field of a crontab: anything, steps, a range, or some numbers."""
    number = st.integers(first, last)
    return st.one_of(
        st.just("*"),
        st.just("*"),
        st.builds("*/{}".format, st.integers(1, last)),
        st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}"),
        st.sets(number, min_size=1, max_size=3).map(lambda some: ",".join(map(str, sorted(some)))),
    )


# Around the hours in which clocks are set.
hours = st.one_of(field(0, 23), st.sets(st.integers(0, 4), min_size=1).map(lambda some: ",".join(map(str, some))))


@st.composite
def crontabs(draw: st.DrawFn) -> tuple[crontab, str, float]:
    """Return a crontab, its zone, and the beginning of a day."""
    zone = draw(st.sampled_from(ZONES))
    day = utc(draw(st.sampled_from(DAYS))) - HOUR_S * draw(st.integers(0, 24))
    days = {"day_of_week": draw(field(0, 6)), "day_of_month": draw(field(1, 31)), "month_of_year": draw(field(1, 12))}
    # The 28th is in each of them: Celery refuses a day that no month has.
    days["day_of_month"] = f"{days['day_of_month']},28"
    return crontab(draw(field(0, 59)), draw(hours), **days, app=make_app(zone)), zone, day


@settings(max_examples=80)
@given(crontabs())
def test_a_crontabs_slots_are_those_that_a_walk_by_minutes_finds(drawn: tuple[crontab, str, float]) -> None:
    """All fields must match; what comes twice counts once."""
    of, zone, start = drawn
    end = start + 2 * DAY_S
    assume(not skips(zone, start - DAY_S, end))

    found = list(slots(of, start, end))

    before = start - 3 * HOUR_S  # whether an hour has come already shows in the hours before
    assert found == [at for at in counted_minute_by_minute(of, zone, before, end) if at >= start]


@settings(max_examples=40)
@given(crontabs())
@example((crontab("30", "2", app=make_app("Europe/Berlin")), "Europe/Berlin", utc("2026-03-28T12:00")))
@example((crontab("*/20", "2", app=make_app("Europe/Berlin")), "Europe/Berlin", utc("2026-03-28T12:00")))
@example((crontab("10,35", "2", app=make_app("Australia/Lord_Howe")), "Australia/Lord_Howe", utc("2026-10-03T03:00")))
@example((crontab(app=make_app("Europe/Berlin")), "Europe/Berlin", utc("2026-10-24T12:00")))
def test_a_crontabs_slots_are_those_that_beat_uses(drawn: tuple[crontab, str, float]) -> None:
    """Celery's own scheduler sends in each of them and in no other, also where the clock is set on or back."""
    of, zone, start = drawn
    end = start + 2 * DAY_S
    assume(datetime.fromtimestamp(start, ZoneInfo(zone)).fold == 0)  # see the test of a beat that starts then

    sent = sent_by_beat(of, start, end)

    assert sent == list(slots(of, start + 1, end))


def test_a_time_that_the_clock_skips_is_due_an_hour_later() -> None:
    """In Berlin 02:30 does not exist on 29 March 2026: 03:30 is taken for it."""
    of = crontab("30", "2", app=make_app("Europe/Berlin"))

    found = list(slots(of, utc("2026-03-28"), utc("2026-03-31")))

    assert found == [utc("2026-03-28T01:30"), utc("2026-03-29T01:30"), utc("2026-03-30T00:30")]


def test_of_an_hour_that_comes_twice_the_first_counts() -> None:
    """In Berlin 02:00 to 03:00 comes twice on 25 October 2026: an entry of each minute pauses for the second."""
    of = crontab(app=make_app("Europe/Berlin"))

    found = list(slots(of, utc("2026-10-25T00:00"), utc("2026-10-25T02:02")))

    first_hour = [utc("2026-10-25T00:00") + minute * 60 for minute in range(60)]
    assert found == [*first_hour, utc("2026-10-25T02:00"), utc("2026-10-25T02:01")]


def test_day_of_month_and_day_of_week_must_both_match() -> None:
    """Unlike with cron: the first Monday of each month."""
    of = crontab("0", "6", "mon", "1-7", app=make_app("UTC"))

    found = list(slots(of, utc("2026-01-01"), utc("2026-04-01")))

    assert found == [utc("2026-01-05T06:00"), utc("2026-02-02T06:00"), utc("2026-03-02T06:00")]


def test_a_schedules_own_zone_overrules_the_applications() -> None:
    """As with the crontabs of django-celery-beat."""
    of = crontab("0", "9", app=make_app("UTC"))
    of.tz = ZoneInfo("Asia/Tokyo")

    found = list(slots(of, utc("2026-01-01"), utc("2026-01-02")))

    assert found == [utc("2026-01-01T00:00")]


def test_an_application_without_utc_is_in_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """`enable_utc = False` without a time zone means the host's."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    app = Celery("local", set_as_current=False)
    app.conf.enable_utc = False

    found = list(slots(crontab("0", "9", app=app), utc("2026-01-01"), utc("2026-01-02")))

    assert found == [utc("2026-01-01T00:00")]


@given(st.integers(1, 10**7), st.integers(0, 10**6), st.integers(0, 1000))
def test_an_intervals_slots_are_counted_from_the_last_sending(period_ms: int, start: int, periods: int) -> None:
    """Each a period after the one before, and none at the sending itself."""
    period_s, origin = period_ms / 1000, 500.0

    found = list(slots(schedule(period_s), float(start), start + period_s * periods, origin))

    end = start + period_s * periods
    assert all(start <= at < end and at > origin for at in found)
    assert all(later - at == pytest.approx(period_s, rel=1e-6) for at, later in itertools.pairwise(found))
    assert not found or found[0] - period_s < max(start, origin) + 1e-6


@settings(max_examples=60)
@given(
    st.sampled_from([1, 15, 60, 90, 600, 3600, 5400, 7200, 86400, 129600, 172800]),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Havana"]),
    st.sampled_from(DAYS),
    st.integers(0, DAY_S - 1),
)
def test_rounded_intervals_are_as_beat_rounds_them(period_s: int, zone: str, day: str, second: int) -> None:
    """Full days are those of the calendar, however long they are."""
    start = utc(day) + second
    end = start + min(500 * period_s, 4 * DAY_S)
    of = schedule(timedelta(seconds=period_s), relative=True, app=make_app(zone))

    sent = sent_by_beat(of, start, end)

    assert sent == [int(at) for at in slots(of, start, end, start + 0.5)]


def test_a_solar_schedules_slots_are_those_that_beat_uses() -> None:
    """Sunset in Berlin, each evening of a month."""
    of = solar("sunset", 52.5, 13.4, app=make_app("Europe/Berlin"))
    start, end = utc("2026-06-01"), utc("2026-07-01")

    sent = sent_by_beat(of, start, end)

    assert sent == pytest.approx(list(slots(of, start, end)), abs=1)
    assert len(sent) == 30


def test_a_sun_that_does_not_set_makes_no_slot() -> None:
    """In Tromsø it sets in no night of June."""
    of = solar("sunset", 69.6, 18.9, app=make_app("UTC"))

    found = list(slots(of, utc("2026-06-01"), utc("2026-09-01")))

    assert found[0] > utc("2026-07-20")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (("*", "*"), "2026-06-30T23:59"),
        (("0", "4"), "2026-06-30T04:00"),
        (("0", "4", "*", "29", "2"), "2024-02-29T04:00"),
        (("0", "4", "mon", "29", "2"), "2016-02-29T04:00"),
        (("0", "4", "tue", "29", "2"), None),
    ],
)
def test_the_latest_slot_is_found_however_long_ago(fields: tuple[str, ...], expected: str | None) -> None:
    """Of a leap day too; none before the beginning."""
    of = crontab(*fields, app=make_app("UTC"))

    found = latest_slot(of, utc("2010-01-01"), utc("2026-07-01"))

    assert found == (utc(expected) if expected else None)


@pytest.mark.parametrize("of", [BaseSchedule(), schedule(0)], ids=["of another kind", "of no length"])
def test_a_schedule_without_slots_is_refused(of: BaseSchedule) -> None:
    """With what was expected, and what came."""
    with pytest.raises(ValueError, match="expected a crontab, an interval above 0 s or a solar schedule, got"):
        slots(of, 0.0, 1.0, 0.0)


def test_an_interval_that_was_never_sent_is_refused() -> None:
    """It has no phase of its own."""
    with pytest.raises(ValueError, match="was last sent, got None"):
        slots(schedule(15), 0.0, 1.0)
