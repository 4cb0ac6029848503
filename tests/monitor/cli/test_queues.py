"""The queues' view: the worst first, and nothing told that is not known now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.cli import queues
from tests.monitor.cli.measured import NOW, noted, queue, series
from tests.monitor.cli.screens import plain, printed, terminal

if TYPE_CHECKING:
    from sqlalchemy import Engine


def states(store: Engine, now: float = NOW) -> dict[str, str]:
    """Return the queues' states, in the view's order."""
    return {each.name: each.state for each in queues.look(store, now).queues}


def on_terminal(store: Engine, width: int = 160, now: float = NOW) -> list[str]:
    """Return what a terminal shows of the queues."""
    console = terminal(width)
    queues.show(console, queues.look(store, now), now, with_trends=True)
    return printed(console)


def test_the_worst_queue_stands_first(store: Engine) -> None:
    """Jobs that nobody takes, then growth, then standstill, then what is unknown, then the oldest job."""
    queue(store, "idle", [0.0, 0.0], oldest=0.0, running=0.0, arrived=0.0, ended=0.0)
    queue(store, "young", [3.0, 2.0], oldest=2.0)
    queue(store, "old", [3.0, 2.0], oldest=50.0)
    queue(store, "empty-unconsumed", [0.0, 0.0], consumers=0.0)
    queue(store, "blind", at=NOW - 600)
    queue(store, "standing", [2.0, 2.0], never=True, ended=0.0)
    queue(store, "growing", [2.0, 5.0], never=True)
    queue(store, "unconsumed", [1.0, 1.0], never=True, consumers=0.0, ended=0.0)

    assert states(store) == {
        "unconsumed": "no consumer",
        "growing": "growing",
        "standing": "not moving",
        "blind": "unknown",
        "empty-unconsumed": "no consumer",
        "old": "moving",
        "young": "moving",
        "idle": "idle",
    }


def test_a_queue_whose_jobs_end_as_fast_as_they_come_is_moving(store: Engine) -> None:
    """Although it is never empty; and it grows only if more jobs wait than did a minute ago."""
    queue(store, "steady", [9.0, 9.0, 5.0, 5.0, 5.0, 5.0, 5.0], never=True)
    queue(store, "was-lower", [1.0, 9.0, 9.0, 9.0, 9.0, 9.0, 8.0], never=True)

    assert states(store) == {"steady": "moving", "was-lower": "moving"}


def test_a_row_says_how_a_queue_moves(store: Engine) -> None:
    """Waiting, oldest, in, out, empty in, running, held, consumers, and a sparkline of the last hour."""
    queue(store, "exports", [0.0, 7.0, 14.0], oldest=72.0, never=True, held=3.0, arrived=38.0, ended=2.4)
    queue(store, "imports", [4.0, 2.0], empty=125.0)

    heading, exports, imports, *_ = on_terminal(store)

    assert " ".join(heading.split()) == (
        "queue state waiting oldest in/min out/min empty in running held consumers last hour"
    )
    assert exports.split() == ["exports", "▲", "growing", "14", "72", "s", "38", "2.4", "never", "2", "3", "1", "█"]
    assert "2 m 05 s" in imports


@pytest.mark.parametrize("now", [NOW + 46, NOW + 3_000, NOW + 86_400])
def test_what_was_measured_long_ago_is_not_known_now(store: Engine, now: float) -> None:
    """No number is shown as if it were of now; what it was then is said with its age, and what to look for."""
    queue(store, "exports", [37.0, 37.0, 37.0])
    queue(store, "imports", [0.0, 0.0, 0.0])

    view, lines = queues.look(store, now), on_terminal(store, now=now)

    assert {each.state for each in view.queues} == {"unknown"}
    assert all(value is None for each in view.queues for value in each.numbers.values())
    assert lines[1].split()[:11] == ["exports", "?", "unknown", *["–"] * 8]
    since = "in the last hour" if now > NOW + 3_600 else "37 waited when it was last measured, "
    assert since in lines[2]
    assert lines[-1].startswith(("No queue has been measured since 01:00 (", "No queue has been measured since 1970-"))
    assert lines[-1].endswith("is the worker of the queue `monitoring` running?")


def test_what_the_latest_tick_could_not_tell_is_a_dash(store: Engine) -> None:
    """Although the tick before could: a gap is a gap."""
    queue(store, "exports", at=NOW - 15)
    queue(store, "exports", [2.0], consumers=None, running=None)

    (exports,) = queues.look(store, NOW).queues

    assert (exports.numbers["waiting"], exports.numbers["consumers"], exports.numbers["running"]) == (2.0, None, None)
    assert exports.state == "moving"


def test_a_gap_in_the_measuring_is_a_gap_in_the_sparkline(store: Engine) -> None:
    """And zero is its lowest block."""
    depths = {NOW - 240.0 * ago: float(ago != 2) for ago in range(15) if ago not in {5, 6}}
    series(store, "JobQueueDepth", depths, QueueName="exports")
    noted(store, "queue:exports", "seen", "configured")

    (exports,) = queues.look(store, NOW).queues

    assert exports.depths is not None
    assert exports.depths.sparkline(3_600.0, 15) == "████████  ██▁██"


def test_a_queue_that_was_forgotten_is_not_listed(store: Engine) -> None:
    """Though its samples are still there."""
    series(store, "JobQueueDepth", {NOW: 4.0}, QueueName="gone")
    queue(store, "exports")

    assert set(states(store)) == {"exports"}


def test_remarks_stand_below_their_queue(store: Engine) -> None:
    """What the measuring keeps for itself does not; what nobody has said again has an age."""
    queue(store, "exports")
    noted(store, "queue:exports", "canary", "sent at 00:58, received by\nnobody \x1b[2J")
    noted(store, "queue:exports", "canary not sent", "refused", at=NOW - 900)
    noted(store, "queue:exports", "tail 3", "0a6c1d7e")

    lines = on_terminal(store)

    assert lines[2:4] == ["  canary: sent at 00:58, received by", "  canary not sent: refused, as of 15 m ago"]
    assert "0a6c1d7e" not in "".join(lines)


def test_the_sum_says_how_many_are_in_each_state_and_how_old_that_is(store: Engine) -> None:
    """The worst first."""
    for name in ("a", "b"):
        queue(store, name)
    queue(store, "c", [1.0, 9.0], never=True)

    assert on_terminal(store, now=NOW + 12)[-2:] == ["3 queues: 1 growing, 2 moving", "Measured 12 s ago."]


def test_a_failure_of_the_measuring_is_told(store: Engine) -> None:
    """Of this one, since when, and with what."""
    queue(store, "exports")
    noted(store, "sampler:queues", "failure", "BrokerError: connection refused.", at=NOW - 60)
    noted(store, "sampler:databases", "failure", "DatabaseError: too many clients")

    assert on_terminal(store)[-1] == "Measuring queues fails since 00:59: BrokerError: connection refused."


def test_where_nothing_was_ever_measured_it_is_said_what_to_start(store: Engine) -> None:
    """Not just that there is nothing."""
    first, how = on_terminal(store, width=300)

    assert first.startswith("No queue has been measured yet in this store: ")
    assert "run `celery -A app beat` and `celery -A app worker --queues monitoring`." in how


@pytest.mark.parametrize("width", [60, 80, 120, 170])
def test_no_line_is_wider_than_the_terminal(store: Engine, width: int) -> None:
    """And what matters most is there on the narrowest."""
    queue(store, "optimization-of-a-very-long-name" * 3, [1e6, 2e6], oldest=200_000.0, never=True)
    noted(store, "queue:" + "optimization-of-a-very-long-name" * 3, "canary", "why " * 99)

    lines = on_terminal(store, width)

    assert max(map(len, lines)) <= width
    assert all(word in lines[0] for word in ("queue", "state", "waiting", "oldest", "empty in"))
    assert all(word in lines[1] for word in ("growing", "2,000,000", "2 d 7 h", "never"))


def test_elsewhere_there_is_neither_a_glyph_nor_a_drawing(store: Engine) -> None:
    """One line a queue, for grep and awk."""
    queue(store, "exports", consumers=None)
    console = plain()

    queues.show(console, queues.look(store, NOW), NOW, with_trends=False)

    heading, exports, *_ = printed(console)
    assert heading.split()[-2:] == ["consumers", "remarks"]
    assert exports.split() == ["exports", "moving", "1", "1.5", "s", "4", "4", "6.0", "s", "2", "0", "-"]
    assert "".join(printed(console)).isascii()
