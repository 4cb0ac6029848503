"""Measures the schedules: whether beat sent each entry in each of its slots, once and in time, and whether it ran."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta

from celery import Celery
from celery.schedules import BaseSchedule, crontab, maybe_schedule

from monitor.job import Job
from monitor.lease import BeatState, Lease, Role
from monitor.sample import Measured
from monitor.sampling.sendings import Compared, Entry, compare, needed_since
from monitor.sampling.slots import HOUR_S, slots
from monitor.sampling.words import in_words
from monitor.store import Store
from monitor.store.measured import Noted, leases_since, notes_about

__all__ = ["Compared", "Entry", "JobsOf", "compare", "compare_all", "entries_of", "in_words", "sample_schedules"]

# Asked for the jobs that these entries sent since then, oldest first.
JobsOf = Callable[[float, Collection[str]], Sequence[Job]]

CLEANUP = "celery.backend_cleanup"


def sample_schedules(app: Celery, store: Store, at: float, jobs_of: JobsOf) -> Measured:
    """Return lateness and missed slots of each entry, how long ago beat looked what is due, and what is wrong.

    Of entries no figures are told while no beat was seen that has the monitor: what such a beat sends is not recorded.
    """
    leases = leases_since(store, 0.0, Role.BEAT)
    notes = notes_about(store, "schedule:")
    compared = compare_all(entries_of(app, leases, notes, at), jobs_of, at)
    is_blind = not leases and not any(slot.sendings for one in compared for slot in one.slots)
    measured = Measured()
    _tell_beats(measured, leases, at)
    measured.note("beat", "unseen", _unseen(compared) if is_blind else None)
    running = _running(leases, at)
    for one in compared:
        _tell_notes(measured, one, running)
        if not is_blind:
            measured.add("ScheduleLateness", at, one.lateness_s, Entry=one.entry.name)
            measured.add("SchedulesMissed", at, one.missed, Entry=one.entry.name)
    _forget_others(measured, compared, notes)
    return measured


def entries_of(app: Celery, leases: Iterable[Lease], notes: Iterable[Noted], now: float) -> list[Entry]:
    """Return the entries that the application configures, and those that only a running beat knows, by name."""
    found = {name: _configured(app, dict(entry)) for name, entry in app.conf.beat_schedule.items()}
    for name, words in _running(leases, now).items():
        # Celery adds this one by itself where results do not expire on their own.
        found.setdefault(name, crontab("0", "4", app=app) if name == CLEANUP else words)
    known = {noted.subject: (noted.text, noted.since) for noted in notes if noted.name == "defined"}
    return [_entry(name, told, known, now) for name, told in sorted(found.items())]


def compare_all(entries: Sequence[Entry], jobs_of: JobsOf, now: float) -> list[Compared]:
    """Return each entry compared with what it sent."""
    needed = {entry.name: needed_since(entry, now) for entry in entries}
    frequent = [name for name, since in needed.items() if since >= now - 4 * HOUR_S]
    jobs: dict[str | None, list[Job]] = {}
    for job in jobs_of(min(needed[name] for name in frequent), frequent) if frequent else ():
        jobs.setdefault(job.entry, []).append(job)
    for name in needed.keys() - frequent:
        # One by one: together, the days of a rare one would bring the days of all others with them.
        jobs[name] = list(jobs_of(needed[name], [name]))
    return [compare(entry, jobs.get(entry.name, []), now) for entry in entries]


def _configured(app: Celery, entry: Mapping[str, object]) -> BaseSchedule | str:
    """Return an entry's schedule; in words where it is none, or one whose slots cannot be told."""
    of = entry.get("schedule")
    if not isinstance(of, int | float | timedelta | BaseSchedule):
        return f"{of!r}, which is no schedule"
    made: BaseSchedule = maybe_schedule(of, bool(entry.get("relative", False)), app=app)  # type: ignore[assignment]
    try:
        slots(made, 0.0, 0.0, 0.0)
    except ValueError:
        return in_words(made)
    return made


def _entry(name: str, told: BaseSchedule | str, known: Mapping[str, tuple[str, float]], now: float) -> Entry:
    of, words = (None, told) if isinstance(told, str) else (told, in_words(told))
    known_words, since = known.get(f"schedule:{name}", ("", now))
    return Entry(name, words, of, since if known_words == words else now)


def _living(leases: Iterable[Lease], now: float) -> list[Lease]:
    """Return the fresh leases of beats, but for those that ended before another began.

    The lease of a beat that was killed stays fresh for a while, though its successor runs already.
    """
    fresh = [lease for lease in leases if lease.is_fresh(now)]
    latest_start = max((lease.started_at for lease in fresh), default=0.0)
    return [lease for lease in fresh if lease.renewed_at >= latest_start]


def _running(leases: Iterable[Lease], now: float) -> dict[str, str]:
    """Return the entries of the beats that live, and their schedules in words."""
    found: dict[str, str] = {}
    for lease in _living(leases, now):
        if isinstance(lease.state, BeatState):
            found |= lease.state.entries
    return found


def _tell_beats(measured: Measured, leases: Sequence[Lease], at: float) -> None:
    names = sorted(f"{lease.name} (process {lease.pid} on {lease.host})" for lease in _living(leases, at))
    measured.note("beat", "doubled", " and ".join(names) if len(names) > 1 else None)
    looked = [lease.renewed_at - lease.state.tick_age_s for lease in leases if isinstance(lease.state, BeatState)]
    measured.add("BeatTickAge", at, max(0.0, at - max(looked)) if looked else None)


def _unseen(compared: Sequence[Compared]) -> str | None:
    if not compared:
        return None
    return "no beat with the monitor was ever seen: whether the entries are sent cannot be told"


def _tell_notes(measured: Measured, one: Compared, running: Mapping[str, str]) -> None:
    notes = {
        "defined": one.entry.words,
        "at odds": _at_odds(one.entry, running),
        "doubled": one.doubled,
        "not run": one.not_run,
    }
    for name, text in notes.items():
        measured.note(f"schedule:{one.entry.name}", name, text)


def _at_odds(entry: Entry, running: Mapping[str, str]) -> str | None:
    """Return how the running beats and the configuration differ about an entry; None if they agree, or none runs."""
    if entry.schedule is None:
        return "its slots cannot be told, so that nobody checks whether it is sent"
    if not running:
        return None
    if entry.name not in running:
        return f"configured as {entry.words}, but no running beat has it"
    if running[entry.name] != entry.words:
        return f"configured as {entry.words}, but beat runs it {running[entry.name]}"
    return None


def _forget_others(measured: Measured, compared: Iterable[Compared], notes: Iterable[Noted]) -> None:
    """Take back what was noted about entries that are no more."""
    subjects = {f"schedule:{one.entry.name}" for one in compared}
    for noted in notes:
        if noted.subject not in subjects:
            measured.note(noted.subject, noted.name, None)
