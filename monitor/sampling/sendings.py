"""Compares an entry's slots with what was sent for them. Pure: entries, jobs and the time are given."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

from celery.schedules import BaseSchedule, schedule

from monitor.job import Fate, Job
from monitor.sampling.slots import HOUR_S, latest_slot, slots

LEAST_GRACE_S = 5.0
MOST_GRACE_S = 60.0
GRACE = 0.1  # of the period

# Of two beats with an interval of p, one comes a after the other and p - a before its next: one of them is at most
# half of p. Less than this part of it after another sending, a sending is a second one in the same slot.
SAME_SLOT = 0.6
# The stamp is taken a moment after beat has counted the time, so that a sending may seem to come a little too early.
JITTER = 0.05
# Where the sun stands is reckoned anew for each slot, which differs by milliseconds.
EARLY_S = 0.5


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of beat's schedule. `schedule` is None where its slots cannot be told."""

    name: str
    words: str
    schedule: BaseSchedule | None
    since: float  # when the monitor got to know it as it is; slots before are not asked about


@dataclass(slots=True)
class Slot:
    """A moment at which an entry was due, and the jobs that were sent for it."""

    at: float
    period_s: float  # until the next one, at most an hour
    sendings: list[Job] = field(default_factory=list)

    def is_missed(self, now: float) -> bool:
        """Whether nothing was sent, though there was time."""
        grace_s = min(max(LEAST_GRACE_S, GRACE * self.period_s), MOST_GRACE_S)
        return not self.sendings and self.at + grace_s <= now

    def is_judged(self, now: float) -> bool:
        """Whether something was sent, or should have been by now."""
        return bool(self.sendings) or self.is_missed(now)

    def lateness_s(self, now: float) -> float:
        """How late it was sent; so far, where it was not."""
        return max(0.0, (_sent_at(self.sendings[0]) if self.sendings else now) - self.at)


@dataclass(frozen=True, slots=True)
class Compared:
    """An entry's slots of the last hour, at least the latest judged, beside what was sent for them; oldest first."""

    entry: Entry
    slots: list[Slot]
    now: float

    @property
    def judged(self) -> list[Slot]:
        """The slots that something was sent for, or should have been by now."""
        return [slot for slot in self.slots if slot.is_judged(self.now)]

    @property
    def missed(self) -> int | None:
        """How many slots were missed; None where none was due yet."""
        return sum(not slot.sendings for slot in self.judged) if self.judged else None

    @property
    def lateness_s(self) -> float | None:
        """How late the latest slot was sent; so far, where it was missed."""
        return self.judged[-1].lateness_s(self.now) if self.judged else None

    @property
    def doubled(self) -> str | None:
        """Who sent more than once in one of the latest two slots; None if nobody did."""
        twice = [job for slot in self.judged[-2:] if len(slot.sendings) > 1 for job in slot.sendings]
        senders = sorted({job.sender or "an unknown sender" for job in twice})
        return f"sent more than once in a slot, by {' and '.join(senders)}" if senders else None

    @property
    def not_run(self) -> str | None:
        """Why the latest sending that it can be told of never ran; None if it ran."""
        for slot in reversed(self.slots):
            for job in reversed(slot.sendings):
                if job.started_at is not None:
                    return None
                if job.fate or max(_sent_at(job), job.due_at or 0.0) + slot.period_s <= self.now:
                    return _why_not_run(job)
        return None


def compare(entry: Entry, jobs: Iterable[Job], now: float) -> Compared:
    """Return the entry's slots until now beside its jobs, which come oldest first."""
    sent = [job for job in jobs if job.first_sent_at is not None and job.first_sent_at <= now]
    of = entry.schedule
    if of is None:
        return Compared(entry, [], now)
    if isinstance(of, schedule):
        return Compared(entry, _recent(_interval_slots(entry, of, sent, now), entry.since, now), now)
    found = _fixed_slots(entry, of, now)
    moments = [slot.at - EARLY_S for slot in found]
    for job in sent:
        number = bisect_right(moments, _sent_at(job)) - 1
        if number >= 0:
            found[number].sendings.append(job)
    return Compared(entry, found, now)


def needed_since(entry: Entry, now: float) -> float:
    """Return since when an entry's jobs have to be known to compare it."""
    of = entry.schedule
    if of is None:
        return now
    if isinstance(of, schedule):
        return now - HOUR_S - 2 * of.seconds
    return min((slot.at for slot in _fixed_slots(entry, of, now)), default=now) - EARLY_S


def _fixed_slots(entry: Entry, of: BaseSchedule, now: float) -> list[Slot]:
    """Return the slots of a schedule that is told by the clock, or by the sun."""
    first = max(entry.since, now - HOUR_S)
    moments = list(slots(of, first, now + EARLY_S))
    if not moments or moments[0] + MOST_GRACE_S > now:
        earlier = latest_slot(of, entry.since, first)
        moments[:0] = [] if earlier is None else [earlier]
    if not moments:
        return []
    after = moments[-1] + EARLY_S
    following = next(slots(of, after, after + HOUR_S), inf)
    return [Slot(at, min(later - at, HOUR_S)) for at, later in pairwise([*moments, following])]


def _interval_slots(entry: Entry, of: schedule, sent: Iterable[Job], now: float) -> list[Slot]:
    """Return the slots of an interval, each counted from the last sending."""
    found: list[Slot] = []
    last = max(entry.since, now - HOUR_S - 2 * of.seconds)
    for job in sent:
        at = _sent_at(job)
        if found and at - last < SAME_SLOT * (next(slots(of, last, inf, last)) - last):
            found[-1].sendings.append(job)
            continue
        *missed, its_own = list(slots(of, last, at + JITTER * of.seconds, last)) or [at]
        found += [*_without_sending(missed, of), Slot(its_own, min(of.seconds, HOUR_S), [job])]
        last = at
    return [*found, *_without_sending(slots(of, last, now, last), of)]


def _without_sending(moments: Iterable[float], of: schedule) -> Iterator[Slot]:
    return (Slot(at, min(of.seconds, HOUR_S)) for at in moments)


def _recent(found: list[Slot], since: float, now: float) -> list[Slot]:
    """Return the slots of the last hour; where none of them is judged, the latest before as well."""
    known = [slot for slot in found if slot.at >= since]
    recent = [slot for slot in known if slot.at >= now - HOUR_S]
    if not any(slot.is_judged(now) for slot in recent):
        recent[:0] = known[: len(known) - len(recent)][-1:]
    return recent


def _why_not_run(job: Job) -> str:
    queue = f"queue {job.queue}" if job.queue else "an unknown queue"
    if job.fate is Fate.EXPIRED:
        return f"sent to {queue}, where it expired before a worker started it"
    if job.fate:
        return f"sent to {queue}, and never run: {job.fate}"
    return f"sent to {queue}, and started by no worker"


def _sent_at(job: Job) -> float:
    return job.first_sent_at or 0.0
