"""Says schedules in plain words: "every 15 s", "every day at 13:45 (Europe/Berlin)"."""

import itertools
from collections.abc import Iterable, Sequence

from celery.schedules import BaseSchedule, crontab, schedule, solar

from monitor.sampling.slots import DAY_S, HOUR_S, MINUTE_S, zone_of

DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
UNITS = ((DAY_S, "day", "days"), (HOUR_S, "hour", "h"), (MINUTE_S, "minute", "min"))
HOURS = 24
MOST_TIMES = 4  # that are listed one by one


def in_words(of: BaseSchedule) -> str:
    """Return a schedule in plain words; one of a kind that Celery does not bring along by its own description."""
    if isinstance(of, crontab):
        return _crontab_in_words(of)
    if isinstance(of, solar):
        return f"at {of.event.replace('_', ' ')} at latitude {of.lat:g}, longitude {of.lon:g}"
    if isinstance(of, schedule):
        return _interval_in_words(of)
    return str(of)


def _interval_in_words(of: schedule) -> str:
    words = _every(of.seconds)
    if not of.relative:
        return words
    unit = next((one for unit_s, one, _ in UNITS if of.seconds >= unit_s), "second")
    zone = f" ({zone_of(of)})" if of.seconds >= HOUR_S else ""
    return f"{words}, rounded down to the full {unit}{zone}"


def _every(period_s: float) -> str:
    for unit_s, one, many in UNITS:
        if period_s >= unit_s and period_s % unit_s == 0:
            return f"every {one}" if period_s == unit_s else f"every {period_s / unit_s:g} {many}"
    return f"every {period_s:g} s"


def _crontab_in_words(of: crontab) -> str:
    minutes, hours = sorted(of.minute), sorted(of.hour)
    time, days = _time_of_day(minutes, hours), _days(of)
    if len(hours) == HOURS and not days:
        return time
    words = f"{time} {days}".rstrip() if time.startswith("every") else f"{days or 'every day'} {time}"
    return f"{words} ({zone_of(of)})"


def _time_of_day(minutes: Sequence[int], hours: Sequence[int]) -> str:
    step = _step(minutes, 60)
    if len(hours) == HOURS:
        return _every(step * MINUTE_S) if step else f"every hour at {_listed(f':{minute:02}' for minute in minutes)}"
    if len(minutes) * len(hours) <= MOST_TIMES:
        times = (f"{hour:02}:{minute:02}" for hour, minute in itertools.product(hours, minutes))
        return f"at {_listed(times)}"
    past = _every(step * MINUTE_S) if step else f"at minute {_ranges(minutes)}"
    return f"{past} of hour {_ranges(hours)}"


def _step(values: Sequence[int], of: int) -> int | None:
    """Return the even step with which the values go round from 0, None where they do not."""
    step = of // len(values)
    return step if list(values) == list(range(0, of, step)) and of % step == 0 else None


def _days(of: crontab) -> str:
    """Return the days in words; nothing where it is each day."""
    words = []
    if len(of.day_of_week) < len(DAYS):
        words.append(f"on {_ranges(sorted(of.day_of_week), DAYS)}")
    if len(of.day_of_month) < 31:  # noqa: PLR2004 (days of a month)
        # Both must match, unlike with cron: «on Monday that is day 1-7 of the month».
        words.append(f"{'that is' if words else 'on'} day {_ranges(sorted(of.day_of_month))} of the month")
    if len(of.month_of_year) < len(MONTHS):
        words.append(f"in {_ranges(sorted(of.month_of_year), ('', *MONTHS))}")
    return " ".join(words)


def _ranges(values: Sequence[int], names: Sequence[str] = ()) -> str:
    """Return ascending numbers as "1-5, 9", or by their names, three or more in a row put together."""
    parts: list[str] = []
    for _, row in itertools.groupby(enumerate(values), key=lambda pair: pair[1] - pair[0]):
        told = [names[value] if names else str(value) for _, value in row]
        parts += [f"{told[0]} to {told[-1]}" if names else f"{told[0]}-{told[-1]}"] if len(told) > 2 else told  # noqa: PLR2004
    return _listed(parts)


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(parts)
