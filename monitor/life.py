"""From events to a life: the runs of a job, and its fate.

Pure, and independent of the order in which the events arrive: processes and hosts tell them separately, so a sender's
`sent` may come long after the worker's `ended`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import msgspec

from monitor.job import Ended, Event, Fate, Job, Run, Sent, Started, Told

# A main process and its children share one clock; this allows for its being set back a little in between.
CLOCK_SLACK_S = 0.1

_when = attrgetter("at")


def life_of(job: str, events: Sequence[Event]) -> tuple[Job, list[Run]]:
    """Return the job and its runs, oldest first, as these events tell them; there is at least one."""
    sent, started, ended, told = _by_kind(events)
    runs = _runs(started, ended)
    returning = {event.run for event in ended if event.returns}
    loose = _settle(runs, told, returning) if told else told
    lived = Job(job, changed_at=max([event.at for event in events]))
    if sent:
        _tell_sending(lived, sent)
    elif started:
        _tell_foreign_sending(lived, started)
    if runs:
        _tell_runs(lived, runs)
    _tell_fate(lived, sent, runs, loose, returning)
    return lived, runs


def _by_kind(events: Sequence[Event]) -> tuple[list[Sent], list[Started], list[Ended], list[Told]]:
    """Return the events of each kind, the oldest first."""
    # This is done for each job that is shipped, and most have one event of a kind: a sort of one costs a tenth.
    kinds: dict[type, list[Any]] = {Sent: [], Started: [], Ended: [], Told: []}
    for event in events:
        kinds[type(event)].append(event)
    for its_own in kinds.values():
        if len(its_own) > 1:
            its_own.sort(key=_when)
    return kinds[Sent], kinds[Started], kinds[Ended], kinds[Told]


def _runs(started: list[Started], ended: list[Ended]) -> list[Run]:
    begun = {event.run: _begun(event) for event in started}
    for event in ended:
        # A start whose record was lost is known by its end.
        run = begun.get(event.run)
        if run is None:
            run = begun[event.run] = Run(event.run, event.job, started_at=event.at - event.run_s)
        _end(run, event)
    runs = list(begun.values())
    if len(runs) > 1:
        runs.sort(key=attrgetter("started_at", "id"))
    return runs


def _begun(event: Started) -> Run:
    due_at = seconds(event.eta) if event.eta else None
    # In the order of its fields: by name it takes half as long again.
    return Run(
        event.run,
        event.job,
        event.task,
        event.queue,
        event.worker,
        event.pid,
        event.version,
        event.retries,
        event.acks_late,
        event.sent_at,
        event.received_at,
        due_at,
        event.at,
        wait_s=None if event.sent_at is None else max(0.0, event.at - max(event.sent_at, due_at or 0.0)),
    )


def _end(run: Run, event: Ended) -> None:
    run.fate, run.reason, run.ended_at = event.fate, event.reason, event.at
    run.run_s, run.cpu_s, run.grew_bytes = event.run_s, event.cpu_s, event.grew_bytes
    run.labels = msgspec.json.encode(event.labels).decode() if event.labels else None
    if event.error:
        _blame(run, event)


def _blame(target: Run | Job, event: Ended | Told) -> None:
    error = event.error
    if error:
        target.error, target.message, target.fingerprint = error.kind, error.message, error.fingerprint
        if isinstance(target, Run):
            target.traceback = error.traceback


def _settle(runs: list[Run], tellings: list[Told], returning: set[str]) -> list[Told]:
    """Give each telling to the run it concerns; return those that concern none.

    `returning` are the runs whose message returns, as they told it themselves; it is kept true to the tellings.
    """
    loose: list[Told] = []
    told: set[str] = set()
    # What the shipper concluded from a vanished process comes first, so that whoever knows better overrules it.
    for telling in sorted(tellings, key=lambda telling: telling.run is None):
        run = _concerned(runs, telling)
        if run is None or (run.id in told and telling.run is None):
            # task_failure arrives twice for a hard time limit (Celery 5.7): the second says of the job what the
            # first said of the run, which changes nothing.
            loose.append(telling)
            continue
        _tell(run, telling, returning)
        if telling.run is None:
            told.add(run.id)
    return loose


def _concerned(runs: list[Run], telling: Told) -> Run | None:
    """Return the run of that message on that worker: the latest that had begun, else the first; or None."""
    if telling.run:
        return next((run for run in runs if run.id == telling.run), None)
    # A message that returns may run again within the slack: that run is not the one that was told of.
    candidates = [run for run in runs if _may_concern(telling, run)]
    begun = [run for run in candidates if (run.started_at or 0.0) <= telling.at]
    return begun[-1] if begun else next(iter(candidates), None)


def _may_concern(telling: Told, run: Run) -> bool:
    return (
        (run.started_at or 0.0) <= telling.at + CLOCK_SLACK_S
        and _agree(telling.worker, run.worker)
        and _agree(telling.sent_at, run.sent_at)
        and _agree(telling.retries, run.retries)
    )


def _agree(one: object, other: object) -> bool:
    return one is None or other is None or one == other


def _tell(run: Run, telling: Told, returning: set[str]) -> None:
    """Overrule what the run said of itself, but for a loss: a run that told its end was not lost."""
    if telling.fate is Fate.LOST and run.fate not in {None, Fate.LOST}:
        return
    if run.fate is not telling.fate or telling.reason:
        run.reason = telling.reason
    run.fate = telling.fate
    run.ended_at = run.ended_at or telling.at
    _blame(run, telling)
    (returning.add if telling.returns else returning.discard)(run.id)


def _tell_sending(job: Job, sent: list[Sent]) -> None:
    last = sent[-1]
    job.first_sent_at = min(event.first_sent_at for event in sent)
    job.task, job.queue, job.sender, job.retries = last.task, last.queue, last.sender, last.retries
    job.sent_at, job.due_at, job.expires_at = last.at, seconds(last.eta), seconds(last.expires)
    job.root, job.parent, job.group, job.entry = last.root, sent[0].parent, last.group, sent[0].entry
    job.arguments = last.arguments


def _tell_foreign_sending(job: Job, started: list[Started]) -> None:
    """Tell what the runs know of a sending that nobody recorded."""
    first, last = started[0], started[-1]
    job.first_sent_at, job.sent_at, job.due_at = first.first_sent_at, last.sent_at, seconds(last.eta)
    job.retries, job.root, job.parent, job.group = last.retries, first.root, first.parent, first.group
    job.arguments = last.arguments


def _tell_runs(job: Job, runs: list[Run]) -> None:
    job.runs, job.open_runs = len(runs), len([run for run in runs if run.fate is None])
    job.started_at = runs[0].started_at
    last = runs[-1]
    job.worker, job.version, job.wait_s, job.run_s, job.labels = (
        last.worker,
        last.version,
        last.wait_s,
        last.run_s,
        last.labels,
    )
    job.error, job.message, job.fingerprint = last.error, last.message, last.fingerprint
    if job.sent_at is None or last.retries >= job.retries:
        job.task, job.queue = last.task or job.task, last.queue or job.queue


def _tell_fate(job: Job, sent: list[Sent], runs: list[Run], loose: list[Told], returning: set[str]) -> None:
    for telling in loose:
        job.task, job.queue, job.root = job.task or telling.task, job.queue or telling.queue, job.root or telling.root
        job.worker = job.worker or telling.worker
    if job.open_runs or _is_waiting(sent, runs, loose):
        return
    last_run = runs[-1] if runs else None
    if loose and (last_run is None or loose[-1].at >= (last_run.started_at or 0.0)):
        telling = loose[-1]
        if telling.fate.ends_the_job and not telling.returns:
            job.fate, job.reason, job.ended_at = telling.fate, telling.reason, telling.at
            _blame(job, telling)
    elif last_run and last_run.fate and last_run.fate.ends_the_job and last_run.id not in returning:
        job.fate, job.reason, job.ended_at = last_run.fate, last_run.reason, last_run.ended_at


def _is_waiting(sent: list[Sent], runs: list[Run], loose: list[Told]) -> bool:
    """Whether a message was sent that no run and no telling accounts for."""
    named = {run.sent_at for run in runs}
    named.update([telling.sent_at for telling in loose])
    unnamed = [event.at for event in sent if event.at not in named]
    if not unnamed or None not in named:
        return bool(unnamed)
    # Whoever did not know the message's stamp took one that was sent before.
    at = [run.started_at or 0.0 for run in runs if run.sent_at is None]
    at += [telling.at for telling in loose if telling.sent_at is None]
    return max(unnamed) > max(at)


def seconds(stamp: str | None) -> float | None:
    """Return the Unix seconds of an ISO 8601 time, naive ones taken as UTC; None for none, or for what is no time."""
    if not stamp:
        return None
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
