"""One job's whole life on one screen: what became of it, what happened, why, with what, and among whom."""

import json
from collections.abc import Iterator, Sequence

import msgspec
from rich.console import Console
from rich.text import Text

from monitor.cli import family, frames, layout, waterfall, words
from monitor.job import Ended, Event, Job, Run, Sent, Started
from monitor.recorder.arguments import HIDDEN
from monitor.store.history import MOST_EVENTS
from monitor.store.reads import MAX_FAMILY, Story

TWO_COLUMNS_FROM = 100

Fact = tuple[str, str]


def show(console: Console, story: Story, now: float) -> None:
    """Print all that the store knows of a job."""
    job, runs = words.safely(story.job), [words.safely(run) for run in story.runs]
    _print_headline(console, job)
    _print_facts(console, list(_facts(job, runs, now)))
    _print_life(console, job, runs, now)
    _print_error(console, job, runs)
    _print_arguments(console, job)
    _print_family(console, job, [words.safely(one) for one in story.family])
    _print_events(console, [words.safely(event) for event in story.events], now)


def _print_headline(console: Console, job: Job) -> None:
    runs = f" after {words.count(job.runs, 'run')}" if job.fate and job.runs > 1 else ""
    state = words.state(job.state, is_plain=not console.is_terminal)
    console.print(Text.assemble((words.line(job.task or "unknown task"), "bold"), "  ", state, (runs, "dim")))
    console.print(Text(words.line(job.id), "dim"))
    if job.reason:
        console.print(Text(job.reason, words.LOOKS[job.state].style))


def _facts(job: Job, runs: Sequence[Run], now: float) -> Iterator[Fact]:
    last = runs[-1] if runs else None
    yield "sent", _time(job.first_sent_at, now)
    yield "sent by", job.sender or ""
    yield "due", _time(job.due_at, now)
    yield "expires", _time(job.expires_at, now)
    yield "ended", _time(job.ended_at, now)
    yield "queue", job.queue or ""
    yield "worker", job.worker or ""
    yield "waited", words.waited(job, now) or ""
    yield "ran", (words.ran(job, now) or "") + _in_all(runs)
    yield "CPU time", "" if last is None or last.cpu_s is None else words.length(last.cpu_s)
    yield "memory growth", "" if last is None or last.grew_bytes is None else words.size(last.grew_bytes)
    yield "code version", job.version or ""
    labels = msgspec.json.decode(job.labels) if job.labels else {}
    yield "labels", words.safe(", ".join(f"{name}={value}" for name, value in labels.items()))


def _in_all(runs: Sequence[Run]) -> str:
    took = [run.run_s for run in runs if run.run_s is not None]
    return f", all {len(took)} runs {words.length(sum(took))}" if len(took) > 1 else ""


def _time(at: float | None, now: float) -> str:
    return "" if at is None else f"{words.clock(at, now)}, {words.ago(now - at)}"


def _print_facts(console: Console, facts: Sequence[Fact]) -> None:
    cells = [(Text(name, "dim"), Text(words.line(value))) for name, value in facts if value]
    console.print()
    if not console.is_terminal or console.width < TWO_COLUMNS_FROM:
        layout.columns(console, cells)
        return
    half = (len(cells) + 1) // 2
    right = [*cells[half:], (Text(), Text())]
    layout.columns(console, [(*one, *other) for one, other in zip(cells[:half], right, strict=False)])


def _print_life(console: Console, job: Job, runs: Sequence[Run], now: float) -> None:
    life = waterfall.phases(job, runs, now)
    if not life:
        return
    whole_s = max(phase.end for phase in life) - life[0].start
    running_s = sum(phase.end - phase.start for phase in life if phase.is_run)
    until = "from send to end" if job.fate else "so far"
    ran = f"{words.length(running_s)} of it running" if runs else "not one run"
    layout.head(console, "What happened", f"{words.length(whole_s)} {until}, {ran}")
    waterfall.show(console, life, now)


def _print_error(console: Console, job: Job, runs: Sequence[Run]) -> None:
    blamed = [(number, run) for number, run in waterfall.numbered(job, runs) if run.error]
    number, run = blamed[-1] if blamed else (0, None)
    error, message = (run.error, run.message) if run else (job.error, job.message)
    if error is None:
        return
    layout.head(console, "Error", f"of run {number}" if run and job.runs > 1 else "")
    console.print(Text(f"{error}: {message}" if message else error, "bold red"))
    traceback = frames.folded(run.traceback, (run.task or "").partition(".")[0]) if run and run.traceback else None
    if traceback:
        console.print(traceback)


def _print_arguments(console: Console, job: Job) -> None:
    if job.arguments is None:
        layout.head(console, "Arguments", "not stored")
        return
    told = msgspec.json.decode(job.arguments)
    hidden = job.arguments.count(json.dumps(HIDDEN))
    notes = [f"{words.count(hidden, 'secret')} hidden"] if hidden else []
    notes += ["too long, cut"] if told.get("cut") else []
    named = [(f"args[{at}]", value) for at, value in enumerate(told.get("args", ()))]
    named += list(told.get("kwargs", {}).items())
    named += [("begins", told["begins"])] if "begins" in told else []
    layout.head(console, "Arguments", ", ".join(notes) if named else "none")
    if named:
        layout.columns(console, [(Text(words.safe(name)), Text("=", "dim"), _argument(value)) for name, value in named])


def _argument(value: object) -> Text:
    if value == HIDDEN:
        return Text("hidden", "reverse")
    return Text(words.safe(json.dumps(value, ensure_ascii=False)))


def _print_family(console: Console, job: Job, relatives: Sequence[Job]) -> None:
    if len(relatives) == 1:
        layout.head(console, "Family", "none: no other job of its root is in this store")
        return
    note = f"the first {MAX_FAMILY} of its root" if len(relatives) >= MAX_FAMILY else words.count(len(relatives), "job")
    layout.head(console, "Family", note)
    family.show(console, job, relatives)


def _print_events(console: Console, events: Sequence[Event], now: float) -> None:
    note = f"the first and the latest of more than {MOST_EVENTS}, " if len(events) >= MOST_EVENTS else ""
    layout.head(console, "Every event", f"{note}times in {words.zone(now)}")
    rows = []
    for event in events:
        fate, details = _said(event)
        since = words.length(event.at - events[0].at)
        rows.append(
            (Text(words.clock(event.at, now), "dim"), Text(f"+{since}", "dim"), fate, Text(words.line(details)))
        )
    layout.columns(console, rows)


def _said(event: Event) -> tuple[Text, str]:
    """Return what an event is in one word, and its details."""
    if isinstance(event, Sent):
        details = [f"to {event.queue}" if event.queue else "", f"by {event.sender}" if event.sender else ""]
        details += [f"as retry {event.retries}" if event.retries else ""]
        return Text("sent"), ", ".join(filter(None, details))
    if isinstance(event, Started):
        return Text("started"), f"on {event.worker}, pid {event.pid}"
    word = Text(event.fate, words.LOOKS[event.fate].style)
    why = words.fault(event.error.kind, event.error.message) if event.error else ""
    why = event.reason or why
    if isinstance(event, Ended):
        return word, f"after {words.length(event.run_s)}" + (f": {why}" if why else "")
    teller = "the shipper" if event.run else event.worker or "a worker"
    return word, f"told by {teller}" + (f": {why}" if why else "")
