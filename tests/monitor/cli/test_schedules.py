"""The schedules' view: what was not sent stands first, and what cannot be told is not called well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.cli import schedules
from tests.monitor.cli.measured import NOW, beat_state, entry, lease, leased, noted, series
from tests.monitor.cli.screens import plain, printed, terminal

if TYPE_CHECKING:
    from sqlalchemy import Engine


def states(store: Engine, now: float = NOW) -> dict[str, str]:
    """Return the entries' states, in the view's order."""
    return {each.name: each.state for each in schedules.look(store, now).entries}


def on_terminal(store: Engine, width: int = 160, now: float = NOW) -> list[str]:
    """Return what a terminal shows of the schedules."""
    console = terminal(width)
    schedules.show(console, schedules.look(store, now), now, with_trends=True)
    return printed(console)


def test_what_was_missed_or_late_stands_first(store: Engine) -> None:
    """The most missed, then what never ran, then the latest; what is in time comes last."""
    entry(store, "in-time")
    entry(store, "not-due", lateness_s=None)
    entry(store, "at-odds", at_odds="configured as every 15 s, but no running beat has it")
    entry(store, "doubled", doubled="sent more than once in a slot, by a and b")
    entry(store, "late", lateness_s=5.1)
    entry(store, "later", lateness_s=70.0)
    entry(store, "not-run", not_run="sent to queue typo, and started by no worker")
    entry(store, "missed-once", missed=1, doubled="sent more than once in a slot, by a and b")
    entry(store, "missed-often", missed=9)

    assert states(store) == {
        "missed-often": "missed",
        "missed-once": "missed",
        "not-run": "not run",
        "later": "late",
        "late": "late",
        "doubled": "doubled",
        "at-odds": "at odds",
        "not-due": "not due yet",
        "in-time": "in time",
    }


def test_a_row_says_what_was_sent_when_in_plain_words(store: Engine) -> None:
    """With its remarks below it, and a sparkline in which the usual jitter is no mountain."""
    series(store, "ScheduleLateness", {NOW - 1_800.0: 40.0}, Entry="nightly")
    entry(store, "nightly", lateness_s=0.4, missed=2, defined="every day at 13:45 (UTC)", doubled="by a and b")

    heading, row, remark, *_ = on_terminal(store)

    assert heading.split() == ["entry", "state", "lateness", "missed", "schedule", "last", "hour"]
    assert row.split("  ")[0] == "nightly"
    assert " ".join(row.split()[1:]).startswith("✗ missed 400 ms 2 every day at 13:45 (UTC) ")
    assert row[-1] == "▂"
    assert "█" in row
    assert remark == "  doubled: by a and b"


@pytest.mark.parametrize("width", [60, 80, 120, 170])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_lost(store: Engine, width: int) -> None:
    """A schedule that takes many words, or has no room, is told below its entry."""
    many = "on Monday, Tuesday, Wednesday, Thursday, Friday that is day 1-7 of the month at 07:00 (UTC)"
    entry(store, "rollup", defined=many)
    entry(store, "prune", defined="every day at 13:45")

    lines = on_terminal(store, width)

    assert max(map(len, lines)) <= width
    assert many in " ".join(" ".join(lines).split())
    assert "every day at 13:45" in "\n".join(lines)


def test_what_was_measured_long_ago_is_not_known_now(store: Engine) -> None:
    """Neither in time nor missed; the remarks have an age."""
    entry(store, "prune", at=NOW - 600)
    entry(store, "nightly", at=NOW - 600, missed=1, not_run="started by no worker")
    entry(store, "rare", at=NOW - 600, lateness_s=None)

    view, lines = schedules.look(store, NOW), on_terminal(store)

    assert {each.state for each in view.entries} == {"unknown"}
    assert all(each.lateness_s is None and each.missed is None for each in view.entries)
    assert "  not run: started by no worker, as of 10 m ago" in lines
    assert lines[-1] == (
        "No schedule has been measured since 00:50 (10 m ago): is the worker of the queue `monitoring` running?"
    )


def test_while_no_beat_was_seen_nothing_is_called_well(store: Engine) -> None:
    """The measuring says that it cannot tell, and why."""
    entry(store, "prune", lateness_s=None)
    noted(store, "beat", "unseen", "no beat with the monitor was ever seen")

    assert states(store) == {"prune": "unknown"}
    assert on_terminal(store)[-2:] == ["Measured 0 s ago.", "beat unseen: no beat with the monitor was ever seen"]


def test_it_is_told_who_beats(store: Engine) -> None:
    """When it looked, and that two do."""
    entry(store, "prune")
    leased(store, lease("beat@a", ago_s=3.0, state=beat_state(tick_age_s=2.0)))
    noted(store, "beat", "doubled", "beat@a and beat@b")

    assert on_terminal(store)[-2:] == ["beat@a looked 5 s ago what is due.", "beat doubled: beat@a and beat@b"]


def test_it_is_told_that_nobody_beats(store: Engine) -> None:
    """Since when, or until when."""
    entry(store, "prune")
    leased(
        store,
        lease("beat@a", ago_s=660.0, state=beat_state()),
        lease("beat@b", ago_s=900.0, state=beat_state(), goodbye_at=NOW - 900.0),
    )

    assert on_terminal(store)[-1] == "No beat is alive: beat@a silent since 00:49, beat@b said goodbye at 00:45."


def test_where_nothing_was_ever_measured_it_is_said_what_to_start(store: Engine) -> None:
    """Not just that there is nothing."""
    assert on_terminal(store, 300)[0].startswith("No schedule has been measured yet in this store: ")


def test_json_keeps_numbers_and_since_when_a_remark_is_true(store: Engine) -> None:
    """Times in ISO 8601."""
    entry(store, "prune", at=NOW - 60, doubled="by a and b")
    entry(store, "prune", lateness_s=0.123_456_789, missed=2, doubled="by a and b")

    (record,) = map(schedules.of_entry, schedules.look(store, NOW).entries)

    assert record == {
        "entry": "prune",
        "state": "missed",
        "schedule": "every 15 s",
        "lateness_s": 0.123_457,
        "missed": 2,
        "measured_at": "1970-01-02T01:00:00.000Z",
        "remarks": {
            "doubled": {
                "text": "by a and b",
                "first_said_at": "1970-01-02T00:59:00.000Z",
                "said_at": "1970-01-02T01:00:00.000Z",
            }
        },
    }


def test_elsewhere_each_entry_is_one_line(store: Engine) -> None:
    """With all of its words, and no glyph."""
    entry(store, "prune", defined="every " + "very " * 60 + "long", doubled="by a and b")
    console = plain()

    schedules.show(console, schedules.look(store, NOW), NOW, with_trends=False)

    _, row, *_ = printed(console)
    assert row.startswith("prune  doubled  20 ms")
    assert row.endswith("long  doubled: by a and b")
    assert "".join(printed(console)).isascii()
