"""The metrics' view: the latest value of every series with its age, and which of them is not of now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.cli import metrics
from monitor.sample import METRICS, Distribution
from tests.monitor.cli.measured import NOW, noted, series
from tests.monitor.cli.screens import plain, printed, terminal

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Engine

ALL = list(METRICS)
HOUR_S = 3_600.0


def shown(store: Engine, console: Console, asked: list[str] = ALL, *, with_trends: bool = True) -> list[str]:
    """Return what the console shows of the metrics of the last hour."""
    metrics.show(console, metrics.look(store, NOW, HOUR_S, asked), NOW, with_trends=with_trends)
    return printed(console)


def every_minute(*values: float | Distribution) -> dict[float, float | Distribution]:
    """Return values by their times, the last one at NOW."""
    return {NOW - 60.0 * ago: value for ago, value in enumerate(reversed(values))}


def test_on_a_terminal_series_stand_below_their_metric(store: Engine) -> None:
    """In the order of the table of metrics, with its meaning, each with value, age and sparkline."""
    series(store, "BrokerLatency", every_minute(0.8, 0.8))
    series(store, "JobQueueDepth", every_minute(0.0, 4.0), QueueName="exports")
    series(store, "JobQueueDepth", every_minute(1_204.0), QueueName="imports")

    lines = shown(store, terminal(100))

    assert lines[0] == f"JobQueueDepth   {METRICS['JobQueueDepth'].meaning}"
    assert [line.split() for line in lines[1:3]] == [
        ["exports", "4", "0", "s", "ago", "▁█"],
        ["imports", "1,204", "0", "s", "ago", "█"],
    ]
    assert lines[3:5] == ["", f"BrokerLatency   {METRICS['BrokerLatency'].meaning}"]
    assert lines[5].split() == ["0.8", "ms", "0", "s", "ago", "██"]
    assert lines[-1] == "3 series of 2 metrics, all of them recent"


@pytest.mark.parametrize(
    ("metric", "value", "said"),
    [
        ("BrokerClients", 1_204.0, "1,204"),
        ("BrokerClients", 2.4, "2.4"),
        ("BrokerLatency", 0.84, "0.8 ms"),
        ("BrokerLatency", 12.3, "12 ms"),
        ("BrokerLatency", 12_300.0, "12 s"),
        ("BeatTickAge", 0.0, "0 s"),
        ("BeatTickAge", 664.0, "11 m 04 s"),
        ("BrokerMemory", 412.3, "412 MB"),
        ("BrokerMemory", 41_200.0, "41 GB"),
        ("BrokerMemoryUsed", 20.6, "21 %"),
    ],
)
def test_a_value_has_its_unit(metric: str, value: float, said: str) -> None:
    """In few figures."""
    assert metrics.with_unit(value, METRICS[metric].unit) == said


def test_a_distribution_is_told_by_its_percentiles(store: Engine) -> None:
    """And by how many values it has; exact to 2.5 %."""
    series(store, "JobRunTime", {NOW: Distribution.of(range(1, 101))}, Task="shop.solve")

    line = shown(store, terminal(100))[1]
    (record,) = map(metrics.of_series, metrics.look(store, NOW, HOUR_S, ALL).series)

    assert line.split()[:9] == ["shop.solve", "100", "values", "51", "ms", "97", "ms", "97", "ms"]
    assert record["value"] is None
    assert record["distribution"] == pytest.approx({"count": 100, "p50": 50, "p95": 95, "p99": 99}, rel=0.025)


def test_what_was_measured_long_ago_was_so_and_is_not(store: Engine) -> None:
    """It says so beside its age, and is counted."""
    series(store, "JobQueueDepth", {NOW - 720.0: 37.0, NOW - 735.0: 37.0}, QueueName="exports")
    series(store, "JobQueueDepth", {NOW: 2.0}, QueueName="imports")

    lines = shown(store, terminal(100), with_trends=False)
    old, new = map(metrics.of_series, metrics.look(store, NOW, HOUR_S, ALL).series)

    assert lines[1].split() == ["exports", "was", "37", "12", "m", "ago"]
    assert lines[-1] == "2 series of 1 metric, 1 of them without a recent sample"
    assert (old["is_current"], old["age_s"], new["is_current"]) == (False, 720.0, True)


def test_only_what_is_asked_for_is_told(store: Engine) -> None:
    """By metric, and by time."""
    series(store, "BrokerLatency", {NOW: 1.0})
    series(store, "BrokerClients", {NOW - 2 * HOUR_S: 1.0})
    series(store, "PoolSize", {NOW: 1.0}, Pool="orders")

    found = metrics.look(store, NOW, HOUR_S, ["BrokerLatency", "BrokerClients"]).series

    assert [each.metric for each in found] == ["BrokerLatency"]


def test_where_there_is_none_it_is_said_since_when_and_what_to_start(store: Engine) -> None:
    """With the metrics that were asked for."""
    few, all_ = shown(store, terminal(300), ["BrokerLatency", "BrokerClients"]), shown(store, terminal(300))

    assert few[0].startswith("No sample of BrokerLatency, BrokerClients since 00:00 in this store: ")
    assert few[1].startswith("Beat sends the measuring to the queue `monitoring`")
    assert all_[0].startswith("No sample of any metric since 00:00 in this store: ")


def test_failures_of_all_measuring_are_told(store: Engine) -> None:
    """They are why a series has no recent sample."""
    noted(store, "sampler:queues", "failure", "BrokerError: refused")
    noted(store, "sampler:databases", "failure", "DatabaseError: too many clients", at=NOW - 60)

    assert shown(store, terminal(100))[-2:] == [
        "Measuring databases fails since 00:59: DatabaseError: too many clients.",
        "Measuring queues fails since 01:00: BrokerError: refused.",
    ]


@pytest.mark.parametrize("width", [40, 80, 120, 170])
def test_no_line_is_wider_than_the_terminal(store: Engine, width: int) -> None:
    """Whatever the names are, and no name steers the terminal."""
    series(store, "JobsFinished", {NOW: 1e9}, Task="a.very.long.name" * 9, Fate="succeeded")
    series(store, "JobRunTime", {NOW: Distribution.of([1e6])}, Task="e\x1b[2J\nx")

    lines = shown(store, terminal(width))

    assert max(map(len, lines)) <= width
    assert any("e\\x1b[2J" in line for line in lines)


def test_elsewhere_each_series_is_one_line(store: Engine) -> None:
    """With the names of its dimensions, and no drawing unless it is asked for."""
    series(store, "JobsFinished", {NOW: 12.0}, Task="solve", Fate="succeeded")
    series(store, "JobRunTime", {NOW: Distribution.of([8.0])}, Task="solve")

    heading, finished, took, *_ = shown(store, plain(), with_trends=False)
    drawn = shown(store, plain())

    assert heading.split() == ["metric", "dimensions", "value", "p50", "p95", "p99", "age", "remarks"]
    assert finished.split() == ["JobsFinished", "Task=solve,Fate=succeeded", "12", "-", "-", "-", "0", "s", "ago"]
    assert took.split() == ["JobRunTime", "Task=solve", "1", "value", *["8", "ms"] * 3, "0", "s", "ago"]
    assert drawn[1].endswith("█")
