"""One job on one screen: what became of it, what happened, why, with what, and among whom."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console

from monitor.cli import portrait
from monitor.job import Error, Event, Fate
from monitor.store.reads import Story
from tests.monitor.cli.screens import NOW, lived, plain, printed, terminal
from tests.monitor.events import ended, sent, started, told

TRACEBACK = """\
Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/celery/app/trace.py", line 883, in __protected_call__
    return self.run(*args, **kwargs)
  File "/srv/shop/export.py", line 88, in export
    writer.write_table(chunk)
OSError: No space left
"""
ERROR = Error("OSError", "No space left", TRACEBACK, "f1")


def story(*events: Event, **more: Any) -> Story:
    """Return the story that the events tell, of a job without relatives."""
    job, runs = lived(*events)
    for name, value in more.items():
        setattr(job, name, value)
    return Story(job, runs, list(events), [job])


def shown(told_story: Story, console: Console | None = None) -> list[str]:
    """Return the lines of the screen, plain unless a console is given."""
    console = console or plain()
    portrait.show(console, told_story, NOW)
    return printed(console)


def section(lines: list[str], title: str) -> list[str]:
    """Return the lines of a section, its heading first."""
    start = next(at for at, line in enumerate(lines) if line.startswith(title))
    return lines[start : [*lines, ""].index("", start)]


def retried_story() -> Story:
    """Return the story of a job that failed at its second run."""
    return story(
        sent(at=100),
        started(at=110),
        ended(at=120, fate=Fate.RETRIED, run_s=10.0, error=ERROR, reason="Retry in 40s"),
        sent(at=119.9, retries=1, first_sent_at=100, eta="1970-01-01T00:02:40"),
        started(at=160, run="p-2", sent_at=119.9, retries=1, eta="1970-01-01T00:02:40"),
        ended(
            at=190, run="p-2", fate=Fate.FAILED, run_s=30.0, error=ERROR, labels={"size": "small"}, grew_bytes=1_500_000
        ),
    )


def test_the_headline_says_what_became_of_which_job() -> None:
    """Task, state, number of runs, whole id."""
    assert shown(retried_story())[:2] == ["optimize  failed after 2 runs", "a"]
    assert shown(retried_story(), terminal(80))[0] == "optimize  ▲ failed after 2 runs"


def test_a_reason_stands_in_the_headline() -> None:
    """Of a fate that nobody threw as an error."""
    lines = shown(story(sent(), started(), told(reason="its process was killed by signal 9 (SIGKILL)")))

    assert lines[2] == "its process was killed by signal 9 (SIGKILL)"


def test_the_facts_are_those_of_the_latest_run() -> None:
    """Only those that are known."""
    lines = shown(retried_story())

    facts = dict(line.split("  ", 1) for line in lines[3 : lines.index("", 3)])
    assert {name: value.strip() for name, value in facts.items()} == {
        "sent": "00:01:40.000, 15 m ago",
        "sent by": "gen1@web",
        "due": "00:02:40.000, 14 m ago",
        "ended": "00:03:10.000, 13 m ago",
        "queue": "optimization",
        "worker": "w1@alpha",
        "waited": "0 ms",
        "ran": "30 s, all 2 runs 40 s",
        "CPU time": "1.0 s",
        "memory growth": "1.5 MB",
        "code version": "v1",
        "labels": "size=small",
    }


def test_what_happened_is_summed_up() -> None:
    """From send to end, and how much of it was running."""
    assert section(shown(retried_story()), "What happened") == [
        "What happened   90 s from send to end, 40 s of it running",
        "waiting    +0 ms      10 s in optimization",
        "run 1      +10 s      10 s, retried: OSError",
        "back-off   +20 s      40 s",
        "run 2      +60 s      30 s, failed: OSError",
    ]
    assert section(shown(story(sent(at=900))), "What happened")[0] == "What happened   100 s so far, not one run"


def test_the_latest_error_is_told_with_the_application_s_own_frames() -> None:
    """And says of which run it is."""
    assert section(shown(retried_story()), "Error") == [
        "Error   of run 2",
        "OSError: No space left",
        "Traceback (most recent call last):",
        "  … 1 frame of celery hidden",
        '  File "/srv/shop/export.py", line 88, in export',
        "    writer.write_table(chunk)",
        "OSError: No space left",
    ]


def test_without_an_error_there_is_no_section_of_one() -> None:
    """A job that went well."""
    assert not any(line.startswith("Error") for line in shown(story(sent(), started(), ended())))


def test_arguments_are_told_by_name_and_secrets_only_counted() -> None:
    """The value of a secret was never stored."""
    arguments = json.dumps(
        {"args": ["results", [1, "Zürich"]], "kwargs": {"token": "[hidden]", "db": {"pwd": "[hidden]"}}}
    )

    assert section(shown(story(sent(arguments=arguments))), "Arguments") == [
        "Arguments   2 secrets hidden",
        'args[0]  =  "results"',
        'args[1]  =  [1, "Zürich"]',
        "token    =  hidden",
        'db       =  {"pwd": "[hidden]"}',
    ]


def test_arguments_that_are_not_there_are_told_apart() -> None:
    """None given, not stored, cut."""
    texts = ['{"args": [], "kwargs": {}}', None, '{"cut": true, "begins": "{…"}']

    told_arguments = [section(shown(story(sent(arguments=text))), "Arguments") for text in texts]

    assert told_arguments == [
        ["Arguments   none"],
        ["Arguments   not stored"],
        ["Arguments   too long, cut", 'begins  =  "{…"'],
    ]


def test_every_event_is_told_in_order() -> None:
    """With its time, the time since the first, and who told it."""
    lost = told(at=103.5, reason="its process is gone", run="p-1")

    assert section(shown(story(sent(), started(), lost)), "Every event") == [
        "Every event   times in UTC",
        "00:01:40.000  +0 ms   sent     to optimization, by gen1@web",
        "00:01:41.000  +1.0 s  started  on w1@alpha, pid 7",
        "00:01:43.500  +3.5 s  lost     told by the shipper: its process is gone",
    ]


def test_no_line_is_wider_than_the_terminal() -> None:
    """Long texts are folded, bars and trees are cut."""
    long = Error("OSError", "x" * 500, TRACEBACK + "y" * 500, "f1")
    told_story = story(
        sent(arguments=json.dumps({"args": ["z" * 500], "kwargs": {}})), started(), ended(fate=Fate.FAILED, error=long)
    )

    for width in (60, 80, 120, 160):
        assert max(map(len, shown(told_story, terminal(width)))) <= width


def test_nothing_in_a_job_can_steer_the_terminal() -> None:
    """Not its task, its message, its arguments, its labels, its relatives."""
    evil = "\x1b[2Jevil"
    events: list[Event] = [
        sent(task=evil, queue=evil, sender=evil, arguments=json.dumps({"args": [evil], "kwargs": {evil: evil}})),
        started(task=evil, worker=evil, version=evil),
        ended(fate=Fate.FAILED, reason=evil, error=Error(evil, evil, evil, evil), labels={evil: evil}),
    ]
    told_story = story(*events)
    told_story.family.append(story(sent(job="b", task=evil, parent="a")).job)

    for console in (plain(), terminal(120)):
        assert "\x1b" not in "".join(shown(told_story, console))
