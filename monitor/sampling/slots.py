"""Tells which slots a schedule has: the moments at which beat has to send its entry.

They are computed from what the schedule says, not by beat's own reckoning (`is_due`, `remaining_estimate`): so a fault
there shows as a slot in which nothing was sent.
"""

import itertools
import math
from collections import deque
from collections.abc import Iterator
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from celery.schedules import BaseSchedule, crontab, schedule, solar
from celery.utils.time import timezone

MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S

# Local clocks are set on by an hour at most, but for a day that a zone left out: what was skipped is over by then.
MOST_SKIPPED = timedelta(hours=3)


def slots(of: BaseSchedule, start: float, end: float, origin: float | None = None) -> Iterator[float]:
    """Return the slots from `start` to before `end`, in Unix seconds, oldest first.

    An interval has no phase of its own: `origin` is when its entry was last sent, and its slots are counted from there,
    each as if the one before had been sent in time. A solar schedule needs the package `ephem`, as it does in Celery.

    Raises:
        ValueError: of an interval without origin, and of a schedule whose slots cannot be told.

    """
    if isinstance(of, crontab):
        return _crontab_slots(of, start, end)
    if isinstance(of, solar):
        return _solar_slots(of, start, end)
    if isinstance(of, schedule) and of.seconds > 0:
        if origin is None:
            raise ValueError(
                f"expected the time when {of!r} was last sent, got None: an interval is counted from there"
            )
        return _interval_slots(of, start, end, origin)
    raise ValueError(
        f"expected a crontab, an interval above 0 s or a solar schedule, got {of!r}: its slots are unknown"
    )


def latest_slot(of: BaseSchedule, start: float, end: float) -> float | None:
    """Return the latest slot of a crontab or solar schedule from `start` to before `end`; None if there is none."""
    for span_s in (HOUR_S, DAY_S, 32 * DAY_S, 366 * DAY_S, math.inf):
        began = max(start, end - span_s)
        found = deque(slots(of, began, end), maxlen=1)
        if found or began == start:
            return found[0] if found else None
    return None


def zone_of(of: BaseSchedule) -> tzinfo:
    """Return the time zone that a schedule's fields are told in: its own, else the application's."""
    zone: tzinfo = timezone.get_timezone(of.tz)
    return zone


def _crontab_slots(of: crontab, start: float, end: float) -> Iterator[float]:
    """Yield the moments at which all five fields match the local time.

    This is how beat takes changes of the local clock (measured, Celery 5.7): it looks for the next local time after the
    one it has reached. A time that the clock skips is due an hour later, and only the first of several; of an hour that
    comes twice only the first is used, so that even an entry of each minute pauses for the second.
    """
    zone = zone_of(of)
    reached = datetime.min  # noqa: DTZ901 (a local time, as a clock on the wall shows it)
    for wall in _matching_walls(of, datetime.fromtimestamp(start, zone).replace(tzinfo=None) - MOST_SKIPPED):
        if wall <= reached:
            continue
        # Of a time that comes twice, Python means the first; a skipped one it takes for as long after the change.
        at = wall.replace(tzinfo=zone).timestamp()
        if at >= end:
            return
        if at >= start:
            yield at
        reached = datetime.fromtimestamp(at, zone).replace(tzinfo=None)


def _matching_walls(of: crontab, since: datetime) -> Iterator[datetime]:
    """Yield the local times from then on that match, as a clock on the wall shows them."""
    hours, minutes = sorted(of.hour), sorted(of.minute)
    for day in _matching_days(of, since.date()):
        for hour, minute in itertools.product(hours, minutes):
            wall = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001
            if wall >= since:
                yield wall


def _matching_days(of: crontab, day: date) -> Iterator[date]:
    # All fields must match: unlike cron, which takes either of day of month and day of week.
    while day.year < date.max.year:
        if day.month not in of.month_of_year:
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
            continue
        if day.day in of.day_of_month and day.isoweekday() % 7 in of.day_of_week:
            yield day
        day += timedelta(days=1)


def _interval_slots(of: schedule, start: float, end: float, origin: float) -> Iterator[float]:
    found = _rounded_slots(of, origin) if of.relative else _even_slots(of.seconds, origin, start)
    return itertools.takewhile(lambda at: at < end, itertools.dropwhile(lambda at: at < start, found))


def _even_slots(period_s: float, origin: float, start: float) -> Iterator[float]:
    first = max(1, math.floor((start - origin) / period_s))
    return (origin + number * period_s for number in itertools.count(first))


def _rounded_slots(of: schedule, origin: float) -> Iterator[float]:
    """Yield the slots of an interval that is rounded down to full days, hours, minutes or seconds (`relative`)."""
    zone, period_s, at = zone_of(of), of.seconds, origin
    while True:
        rounded = _next_midnight(at, period_s, zone) if period_s >= DAY_S else _rounded(at + period_s, period_s, zone)
        at = rounded if rounded > at else at + period_s  # what is below a second is not rounded
        yield at


def _rounded(at: float, period_s: float, zone: tzinfo) -> float:
    fields: dict[str, Any] = {"microsecond": 0}
    if period_s >= MINUTE_S:
        fields["second"] = 0
    if period_s >= HOUR_S:
        fields["minute"] = 0
    return datetime.fromtimestamp(at, zone).replace(**fields).timestamp()


def _next_midnight(at: float, period_s: float, zone: tzinfo) -> float:
    """Return the midnight before the local time that is so many days on, by the calendar."""
    wall = datetime.fromtimestamp(at, zone).replace(tzinfo=None) + timedelta(seconds=period_s)
    midnight = datetime(wall.year, wall.month, wall.day, tzinfo=zone)
    first = midnight.timestamp()
    return first if first > at else midnight.replace(fold=1).timestamp()


def _solar_slots(of: solar, start: float, end: float) -> Iterator[float]:
    """Yield the moments of the event; days without one, as beyond the polar circles, are passed over."""
    ephem, observer = of.ephem, of.cal.copy()
    named = {"use_center": True} if of.use_center else {}
    at = ephem.Date(datetime.fromtimestamp(start, timezone.utc).replace(tzinfo=None))
    until = ephem.Date(datetime.fromtimestamp(end, timezone.utc).replace(tzinfo=None))
    while at < until:
        try:
            at = getattr(observer, of.method)(ephem.Sun(), start=at, **named)
        except ephem.CircumpolarError:
            at = observer.next_antitransit(ephem.Sun(), start=at)
            continue
        if at < until:
            yield at.datetime().replace(tzinfo=timezone.utc).timestamp()
        at = ephem.Date(at + ephem.second)
