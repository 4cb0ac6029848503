"""Options: what is asked, and one clear sentence for each fault."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click
import pytest

from monitor.cli import options
from monitor.job import Fate
from monitor.sample import METRICS
from tests.monitor.cli.screens import NOW


def asked(**given: Any) -> options.Question:
    """Return the question that these options ask."""
    nothing = {"fate": (), "task": None, "queue": None, "worker": None, "since": None, "limit": "50"}
    return options.question(NOW, **(nothing | given))


@pytest.mark.parametrize("state", options.STATES)
def test_every_state_can_be_asked_for(state: str) -> None:
    """All fates, and waiting and running."""
    assert asked(fate=(state,)).wanted.states == {state}


@pytest.mark.parametrize("text", ["timed out", "timed-out", "timed_out", " Timed-Out "])
def test_a_fate_of_two_words_needs_no_quotes(text: str) -> None:
    """Shells part words at blanks."""
    assert asked(fate=(text,)).wanted.states == {Fate.TIMED_OUT}


@pytest.mark.parametrize(("text", "seconds"), [("45s", 45), ("15m", 900), ("2h", 7_200), ("1.5d", 129_600)])
def test_a_span_counts_back_from_now(text: str, seconds: float) -> None:
    """The usual letters, fractions too."""
    assert asked(since=text).wanted.since == NOW - seconds


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:10:00Z", 600.0),
        ("1970-01-01T01:10:00+01:00", 600.0),
        ("1970-01-01 00:10", datetime(1970, 1, 1, 0, 10).timestamp()),  # noqa: DTZ001 (local time is meant)
    ],
)
def test_a_time_is_iso_8601_and_local_without_a_zone(text: str, at: float) -> None:
    """As JSON prints it, and as a person types it."""
    assert options.moment(text, now=1e9) == at


def test_all_faults_are_named_at_once() -> None:
    """Each with its option, what was expected and what came; the nearest word is offered."""
    with pytest.raises(click.UsageError) as raised:
        asked(fate=("faild", "lost", "x"), since="yesterday", limit="-3")

    lines = raised.value.message.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["--fate", "--fate", "--since", "--limit"]
    assert all("expected" in line and "got '" in line for line in lines)
    assert "the closest is 'failed'" in lines[0]
    assert "closest" not in lines[1]
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("text", ["", "15", "m", "15 m 3", "99999-01-01", "tomorrow"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """Both forms are shown."""
    with pytest.raises(click.UsageError, match=r"expected a span like 15m.*or a time like 2026-11-23T14:00"):
        asked(since=text)


def test_a_time_to_come_is_refused() -> None:
    """Nothing can have happened since."""
    with pytest.raises(click.UsageError, match="expected a time in the past"):
        asked(since="2999-01-01")


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "", "1000001", "9" * 5_000, "٣"])
def test_a_limit_is_a_whole_number_within_bounds(text: str) -> None:
    """Also numbers that no database could take."""
    with pytest.raises(click.UsageError, match="--limit: expected a whole number from 1 to 1000000"):
        asked(limit=text)


def test_the_question_keeps_the_words_it_was_asked_in() -> None:
    """They come back when nothing matches."""
    words = asked(fate=("failed", "lost"), queue="export", since="1h").words

    assert words == "--fate failed --fate lost --queue export --since 1h"


@pytest.mark.parametrize(
    ("pattern", "metrics"),
    [
        ("BrokerLatency", ["BrokerLatency"]),
        ("brokerlat*", ["BrokerLatency"]),
        ("*QueueDept[gh]", ["JobQueueDepth"]),
        ("*", list(METRICS)),
    ],
)
def test_metrics_are_chosen_as_a_shell_chooses_files(pattern: str, metrics: list[str]) -> None:
    """In upper or lower case."""
    found, span_s = options.of_metrics(NOW, pattern, "1h", as_json=False, sparkline=None)

    assert (found, span_s) == (metrics, 3_600.0)


def test_a_pattern_that_fits_no_metric_is_refused_with_one_that_would() -> None:
    """As far as there is one."""
    with pytest.raises(click.UsageError, match=r"got 'latency'; '\*latency\*' fits BrokerLatency, DatabaseLatency\."):
        options.of_metrics(NOW, "latency", "1h", as_json=False, sparkline=None)
    with pytest.raises(click.UsageError, match=r"got 'nonsense'\.$"):
        options.of_metrics(NOW, "nonsense", "1h", as_json=False, sparkline=None)


def test_all_faults_of_a_view_are_named_at_once() -> None:
    """Those of single options, and of options that do not go together."""
    with pytest.raises(click.UsageError) as of_metrics:
        options.of_metrics(NOW, "x", "soon", as_json=True, sparkline=True)
    with pytest.raises(click.UsageError) as of_view:
        options.of_view("forget", as_json=True, sparkline=True)

    said = [line.partition(": expected")[0] for line in of_metrics.value.message.splitlines()]
    assert said == ["PATTERN", "--since", "--sparkline"]
    assert [line.partition(": expected")[0] for line in of_view.value.message.splitlines()] == [
        "--json, --sparkline",
        "--sparkline",
    ]
