"""From events to a life: the runs of a job, and its fate.

Pure, and independent of the order in which the events arrive: processes and hosts tell them separately, so a sender's
`sent` may come long after the worker's `ended`.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from operator import attrgetter

import msgspec

from monitor.job import Ended, Event, Fate, Job, Run, Sent, Started, Told

# A main process and its children share one clock; this allows for its being set back a little in between.
CLOCK_SLACK_S = 0.1

ORDER: dict[type, int] = {Sent: 0, Started: 1, Told: 2, Ended: 3}


def life_of(job: str, events: Iterable[Event]) -> tuple[Job, list[Run]]:
    """Return the job and its runs, oldest first, as these events tell them."""
    ordered = sorted(events, key=_when)
    sent = [event for event in ordered if type(event) is Sent]
    started = [event for event in ordered if type(event) is Started]
    runs = _runs(ordered)
    returning = {event.run for event in ordered if type(event) is Ended and event.returns}
    loose = _settle(runs, [event for event in ordered if type(event) is Told], returning)
    lived = Job(id=job, changed_at=ordered[-1].at)
    if sent:
        _tell_sending(lived, sent)
    elif started:
        _tell_foreign_sending(lived, started)
    _tell_runs(lived, runs)
    _tell_fate(lived, sent, runs, loose, returning)
    return lived, runs


def _when(event: Event) -> tuple[float, int]:
    return event.at, ORDER[type(event)]


def _runs(events: list[Event]) -> list[Run]:
    begun = {event.run: _begun(event) for event in events if type(event) is Started}
    for event in events:
        if type(event) is Ended:
            # A start whose record was lost is known by its end.
            run = begun.setdefault(event.run, Run(event.run, event.job, started_at=event.at - event.run_s))
            _end(run, event)
    return sorted(begun.values(), key=attrgetter("started_at", "id"))


def _begun(event: Started) -> Run:
    due_at = seconds(event.eta)
    return Run(
        id=event.run,
        job=event.job,
        task=event.task,
        queue=event.queue,
        worker=event.worker,
        pid=event.pid,
        version=event.version,
        retries=event.retries,
        acks_late=event.acks_late,
        sent_at=event.sent_at,
        received_at=event.received_at,
        due_at=due_at,
        started_at=event.at,
        wait_s=None if event.sent_at is None else max(0.0, event.at - max(event.sent_at, due_at or 0.0)),
    )


def _end(run: Run, event: Ended) -> None:
    run.fate, run.reason, run.ended_at = event.fate, event.reason, event.at
    run.run_s, run.cpu_s, run.grew_bytes = event.run_s, event.cpu_s, event.grew_bytes
    run.labels = msgspec.json.encode(event.labels).decode() if event.labels else None
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
    job.root, job.parent, job.group = last.root, sent[0].parent, last.group
    job.arguments = last.arguments


def _tell_foreign_sending(job: Job, started: list[Started]) -> None:
    """Tell what the runs know of a sending that nobody recorded."""
    first, last = started[0], started[-1]
    job.first_sent_at, job.sent_at, job.due_at = first.first_sent_at, last.sent_at, seconds(last.eta)
    job.retries, job.root, job.parent, job.group = last.retries, first.root, first.parent, first.group
    job.arguments = last.arguments


def _tell_runs(job: Job, runs: list[Run]) -> None:
    job.runs, job.open_runs = len(runs), sum(run.fate is None for run in runs)
    if not runs:
        return
    job.started_at = runs[0].started_at
    last = runs[-1]
    for name in ("worker", "version", "wait_s", "run_s", "labels", "error", "message", "fingerprint"):
        setattr(job, name, getattr(last, name))
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
    taken = [(run.sent_at, run.started_at or 0.0) for run in runs]
    taken += [(telling.sent_at, telling.at) for telling in loose]
    named = {sent_at for sent_at, _ in taken}
    unnamed_until = max((at for sent_at, at in taken if sent_at is None), default=0.0)
    return any(event.at not in named and event.at > unnamed_until for event in sent)


def seconds(stamp: str | None) -> float | None:
    """Return the Unix seconds of an ISO 8601 time, naive ones taken as UTC; None for none, or for what is no time."""
    if not stamp:
        return None
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
