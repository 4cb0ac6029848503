"""The workers' view: who is gone without a word stands first, and nothing is told of now that is not of now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from monitor.cli import beats, workers
from monitor.lease import Lease
from tests.monitor.cli.measured import NOW, beat_state, busy, lease, leased, noted, series, worker_state
from tests.monitor.cli.screens import plain, printed, terminal

if TYPE_CHECKING:
    from sqlalchemy import Engine

HOUR_S = 3_600.0
TWO_RUN = [busy("shop.export", NOW - 12), busy("shop.models.solve", NOW - 252)]


def on_terminal(store: Engine, width: int = 200) -> list[str]:
    """Return what a terminal shows of the workers."""
    console = terminal(width)
    workers.show(console, workers.look(store, NOW), NOW, with_trends=True)
    return printed(console)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({}, "alive"),
        ({"busy": TWO_RUN[:1]}, "busy"),
        ({"busy": TWO_RUN}, "busy"),
        ({"busy": TWO_RUN, "reserved": 6}, "saturated"),
        ({"busy": TWO_RUN, "can_consume": False, "brpop_age_s": 60.0}, "saturated"),
        ({"loop_lag_s": 11.0}, "blocked"),
        ({"brpop_age_s": 11.0}, "not consuming"),
        ({"queues": []}, "not consuming"),
        ({"queues": [], "unread": ["queues"]}, "alive"),
        ({"pool": "solo", "busy": TWO_RUN[:1], "loop_lag_s": 99.0, "brpop_age_s": 99.0}, "busy"),
        ({"loop_lag_s": None, "brpop_age_s": None, "can_consume": None}, "alive"),
        ({"ending": "told to by SIGTERM (warm)", "queues": []}, "stopping"),
        ({"ending": "broken by MemoryError: "}, "broken"),
    ],
)
def test_a_worker_that_renews_its_lease_is_not_therefore_well(told: dict[str, Any], state: str) -> None:
    """It may hang, or take no jobs; solo's event loop stands still during each job."""
    assert workers.state_of(lease(state=worker_state(**told)), NOW) == state


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (lease(ago_s=15.0), "alive"),
        (lease(ago_s=16.0), "silent"),
        (lease(ago_s=16.0, goodbye_at=NOW - 16), "said goodbye"),
        (lease(ago_s=16.0, state=worker_state(ending="broken by OSError: no space")), "broken"),
        (lease(started_at=NOW - 4, state=worker_state(queues=[])), "alive"),
    ],
)
def test_silence_is_not_a_goodbye(found: Lease, state: str) -> None:
    """And who has just started need not consume yet."""
    assert workers.state_of(found, NOW) == state


def test_silent_ones_stand_first_and_those_that_said_goodbye_last(store: Engine) -> None:
    """Since when, and until when."""
    leased(
        store,
        lease("gone@alpha", ago_s=HOUR_S, goodbye_at=NOW - HOUR_S),
        lease("idle@alpha"),
        lease("deaf@alpha", state=worker_state(brpop_age_s=70.0)),
        lease("lost@beta", ago_s=660.0),
    )

    lines = [line for line in on_terminal(store) if "@" in line]

    assert [line[:36].split() for line in lines] == [
        ["lost@beta", "✗", "silent", "since", "00:49"],
        ["deaf@alpha", "▲", "not", "consuming"],
        ["idle@alpha", "✓", "alive"],
        ["gone@alpha", "–", "said", "goodbye", "at", "00:00"],
    ]


def test_a_row_says_what_a_worker_runs_holds_and_uses(store: Engine) -> None:
    """Slots, reserved, held, memory of its limit, processor, lag, longest run, version, queues, memory's last hour."""
    told = {"reserved": 6, "held": {"a": 2, "b": 1}, "queues": ["exports", "imports"], "slots": 4, "busy": TWO_RUN}
    leased(store, lease(state=worker_state(**told)))
    series(store, "MemoryUsage", {NOW - 60.0: 380.0, NOW: 400.0}, Worker="w1@alpha")

    heading, row, *_ = on_terminal(store, 220)

    assert " ".join(heading.split()) == (
        "worker state slots reserved held memory CPU lag longest run version queues last hour"
    )
    assert " ".join(row.split()) == (
        "w1@alpha ● busy 2/4 6 3 400 MB of 2 GB 41 % 2 ms models.solve for 4 m 12 s v7 exports, imports ▃▇"
    )


def test_where_there_is_no_room_it_is_said_below_in_words(store: Engine) -> None:
    """Only what there is to say: no zeros."""
    leased(store, lease(state=worker_state(busy=TWO_RUN, reserved=6)), lease("w2@alpha"))

    lines = on_terminal(store, 60)

    assert max(map(len, lines)) <= 60
    assert (
        " ".join("".join(lines[2:4]).split())
        == "runs models.solve for 4 m 12 s, 6 reserved, consumes optimization, code v7"
    )
    assert lines[5] == "  consumes optimization, code v7"


def test_of_a_silent_worker_nothing_is_told_as_of_now(store: Engine) -> None:
    """But what it ran and consumed when it was last seen."""
    leased(store, lease(ago_s=100.0, state=worker_state(busy=TWO_RUN)))

    _, row, below, *_ = on_terminal(store)
    (record,) = workers.of_view(workers.look(store, NOW), NOW)

    assert row.split()[5:] == ["–"] * 9
    assert below == (
        "  it consumed optimization, and ran models.solve (92cac785) for 2 m 32 s, shop.export (92cac785) for 0 ms"
    )
    assert (record["slots"], record["memory_mb"], record["runs"]) == (None, None, None)
    assert [run["running_s"] for run in record["ran_when_last_seen"]] == [152.0, 0.0]


def test_a_run_is_timed_by_the_stores_clock(store: Engine) -> None:
    """A host whose clock is wrong does not make its jobs older; and that it is wrong is said."""
    leased(store, lease(state=worker_state(busy=[busy("solve", NOW - 10 + 30)], clock_ahead_of_store_s=30.0)))

    lines = on_terminal(store)

    assert "solve for 10 s" in lines[1]
    assert "  its clock is 30 s ahead of the store's" in lines


def test_what_could_not_be_read_is_a_dash_and_not_a_zero(store: Engine) -> None:
    """Named, so that it can be looked after."""
    unread = ["busy", "reserved", "held", "main_mb", "cpu_percent", "queues"]
    leased(store, lease(state=worker_state(unread=unread, main_mb=None, cpu_percent=None, loop_lag_s=None)))

    _, row, below, *_ = on_terminal(store)
    (record,) = workers.of_view(workers.look(store, NOW), NOW)

    assert row.split()[3:] == [*["–"] * 7, "v7", "–"]
    assert below == f"  it cannot tell {', '.join(unread)}"
    assert [record[name] for name in ("reserved", "held", "memory_mb", "queues")] == [None] * 4


def test_remarks_say_what_is_wrong(store: Engine) -> None:
    """Two processes of one name, kills for want of memory, deafness, the last word of a broken one."""
    leased(
        store,
        lease("broken@a", ago_s=60.0, state=worker_state(ending="broken by MemoryError: ", queues=[])),
        lease("twins@a", state=worker_state(oom_kills=1)),
        lease("w@a", state=worker_state(brpop_age_s=68.0)),
        lease("x@a", state=worker_state(loop_lag_s=30.0)),
    )
    noted(store, "worker:twins@a", "node name", "2 processes go by this name")

    told = "\n".join(on_terminal(store))

    assert "  broken by MemoryError\n  it consumed no queue, and ran no job\n" in told
    assert "  1 process of its container killed for want of memory so far\n  2 processes go by this name\n" in told
    assert "  it takes no jobs though it is alive: it asked Redis for jobs 68 s ago\n" in told
    assert "  its event loop hangs: it takes no jobs and answers nobody\n" in told


def test_who_said_goodbye_more_than_a_day_ago_is_only_counted(store: Engine) -> None:
    """Who was silent for as long is not: nobody has said that this is well."""
    day_ago = NOW - 86_000.0
    leased(
        store,
        lease("gone@a", started_at=0.0, renewed_at=1_000.0, goodbye_at=1_000.0),
        lease("just-gone@a", started_at=0.0, renewed_at=day_ago, goodbye_at=day_ago),
        lease("silent@a", started_at=0.0, renewed_at=1_000.0),
    )

    lines = on_terminal(store)

    assert [line.split()[0] for line in lines if "@" in line] == ["silent@a", "just-gone@a"]
    assert "2 workers: 1 silent, 1 said goodbye" in lines
    assert "Left out: 1 that said goodbye more than a day ago" in lines


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (lease("beat@a", state=beat_state()), "alive"),
        (lease("beat@a", state=beat_state(tick_age_s=200.0)), "alive"),
        (lease("beat@a", state=beat_state(tick_overdue_s=11.0)), "not ticking"),
        (lease("beat@a", ago_s=16.0, state=beat_state()), "silent"),
        (lease("beat@a", ago_s=16.0, state=beat_state(), goodbye_at=NOW - 16), "said goodbye"),
        (lease("beat@a", state=beat_state(ending="broken by OSError: x")), "broken"),
    ],
)
def test_a_beat_that_lives_and_does_not_look_is_not_alive(found: Lease, state: str) -> None:
    """It may sleep for minutes when nothing is due, but not past the moment when it meant to look."""
    assert beats.state_of(found, NOW) == state


def test_beat_stands_below_the_workers(store: Engine) -> None:
    """With the time since it looked what is due, counted from when it told that."""
    leased(store, lease(), lease("beat@a", ago_s=3.0, state=beat_state(tick_age_s=2.0)))

    lines = on_terminal(store)

    at = lines.index("Beat")
    assert lines[at + 1].split() == ["beat", "state", "looked", "entries", "version"]
    assert lines[at + 2].split() == ["beat@a", "✓", "alive", "5", "s", "ago", "1", "v7"]


def test_where_nobody_has_told_of_itself_it_is_said_what_to_start(store: Engine) -> None:
    """Workers and beat."""
    lines = on_terminal(store)

    assert lines[0].startswith("No worker has told of itself in this store: ")
    assert lines[-1] == "Beat   none has told of itself yet: `celery -A app beat` starts one"


def test_json_tells_workers_and_then_beats(store: Engine) -> None:
    """One kind of object each, times in ISO 8601."""
    leased(store, lease(state=worker_state(busy=TWO_RUN)), lease("beat@a", state=beat_state()))

    worker, beat = workers.of_view(workers.look(store, NOW), NOW)

    assert (worker["role"], worker["state"], worker["slots"], worker["memory_mb"]) == ("worker", "busy", 2, 400.0)
    assert worker["renewed_at"] == "1970-01-02T00:59:58.000Z"
    assert worker["runs"][0] == {"job": "92cac785-0000", "task": "shop.models.solve", "running_s": 252.0, "pid": 7}
    assert (beat["role"], beat["looked_at"], beat["entries"]) == ("beat", "1970-01-02T00:59:57.000Z", ["prune"])


def test_elsewhere_there_is_neither_a_glyph_nor_a_wrapped_line(store: Engine) -> None:
    """All columns, one line a worker; and no name can steer the terminal."""
    leased(store, lease("e\x1b[2J@a", state=worker_state(queues=[f"queue-{number}" for number in range(40)])))
    console = plain()

    workers.show(console, workers.look(store, NOW), NOW, with_trends=False)

    heading, row, *_ = printed(console)
    assert heading.split()[-2:] == ["queues", "remarks"]
    assert row.split()[0] == "e\\x1b[2J@a"
    assert row.endswith("queue-38, queue-39")
    assert "".join(printed(console)).isascii()
