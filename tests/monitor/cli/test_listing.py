"""The list of jobs: calm on a terminal of any width, plain elsewhere."""

from __future__ import annotations

import re

import pytest

from monitor.cli import listing
from monitor.job import Fate, Job
from tests.monitor.cli.screens import NOW, plain, printed, terminal

OK = Job(
    id="0a6c1d7e-0000-4000-8000-000000000001",
    task="workers.optimization.solve",
    queue="optimization",
    worker="w1@alpha",
    fate=Fate.SUCCEEDED,
    wait_s=0.5,
    run_s=8.84,
    runs=1,
    changed_at=NOW - 34,
)
BAD = Job(
    id="0a6c1d7e-1000-4000-8000-000000000002",
    task="data.export",
    queue="export",
    worker="w2@beta",
    fate=Fate.FAILED,
    error="OSError",
    message="[Errno 28] No space left on device: '/scratch/run-48211.parquet'",
    wait_s=1.0,
    run_s=2.0,
    runs=3,
    changed_at=NOW - 200,
)
SHORT = {OK.id: "0a6c1d7e-0", BAD.id: "0a6c1d7e-1"}


def on_terminal(width: int, *jobs: Job) -> list[str]:
    """Return the lines of the list on a terminal of that width."""
    console = terminal(width)
    listing.show(console, jobs, SHORT, NOW)
    return printed(console)


def test_a_wide_terminal_shows_a_table_with_all_that_matters() -> None:
    """Glyph and word, lengths and counts to the right, the why at the end."""
    heading, ok, bad = on_terminal(200, OK, BAD)

    assert heading.split() == list(listing.COLUMNS)
    assert re.split("  +", ok) == [
        "0a6c1d7e-0", OK.task, "✓ succeeded", "optimization", "w1@alpha", "500 ms", "8.8 s", "1", "34 s ago"
    ]  # fmt: skip
    assert re.split("  +", bad)[2:] == [
        "▲ failed", "export", "w2@beta", "1.0 s", "2.0 s", "3", "3 m ago", f"OSError: {BAD.message}"
    ]  # fmt: skip
    assert heading.index("when") + len("when") == ok.index("ago") + len("ago") == bad.index("ago") + len("ago")


def test_on_a_narrower_terminal_the_why_stands_below_its_job() -> None:
    """Indented to the task."""
    heading, ok, bad, why = on_terminal(110, OK, BAD)

    assert heading.split() == [name for name in listing.COLUMNS if name != "why"]
    assert "succeeded" in ok
    assert "failed" in bad
    assert why.index("OSError: [Errno 28]") == bad.index("data.export")


@pytest.mark.parametrize(
    ("width", "missing"), [(100, {"worker"}), (90, {"worker", "queue"}), (76, {"worker", "queue", "waited"})]
)
def test_where_columns_do_not_fit_the_least_needed_go(width: int, missing: set[str]) -> None:
    """Whole columns, not the ends of their words."""
    heading, *_ = on_terminal(width, OK, BAD)

    assert set(listing.COLUMNS) - set(heading.split()) == missing | {"why"}


@pytest.mark.parametrize("width", [40, 60, 80, 120, 160, 240])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """And each job has its line: a name or a message of many lines breaks none."""
    odd = Job(
        id="odd", task="a\nb" + "x" * 300, queue="日本", fate=Fate.LOST, reason="one\n" + "two" * 200, changed_at=NOW
    )

    lines = on_terminal(width, OK, BAD, odd)

    assert max(map(len, lines)) <= width
    assert sum(line.startswith(("0a6c1d7e", "odd")) for line in lines) == 3


def test_a_long_task_keeps_its_end() -> None:
    """The end of a dotted name tells more than its beginning."""
    job = Job(id="long", task="a.very.long.package.with.many.modules.solve", fate=Fate.SUCCEEDED, changed_at=NOW)

    _, line = on_terminal(180, job)

    assert "  …package.with.many.modules.solve  " in line


def test_elsewhere_the_list_is_aligned_plain_text() -> None:
    """Whole ids, nothing cut, no glyphs, one line a job: for grep and awk."""
    console = plain()

    listing.show(console, [OK, BAD], {}, NOW)

    heading, ok, bad = printed(console)
    assert heading.split() == list(listing.COLUMNS)
    assert ok.split()[:3] == [OK.id, "workers.optimization.solve", "succeeded"]
    assert bad.endswith("3 m ago   OSError: [Errno 28] No space left on device: '/scratch/run-48211.parquet'")
    assert heading.index("state") == ok.index("succeeded") == bad.index("failed")
    assert (heading + ok + bad).isascii()


def test_a_name_cannot_steer_the_terminal() -> None:
    """Escape sequences are written out, markup is text."""
    job = Job(
        id="e\x1b[2J", task="[red]\x1b[31mevil", fate=Fate.FAILED, error="E", message="\x1b]0;title\x07", changed_at=NOW
    )

    lines = on_terminal(180, job)

    assert not any("\x1b" in line or "\x07" in line for line in lines)
    assert "[red]\\x1b[31mevil" in lines[1]
    assert "\\x1b]0;title\\x07" in lines[1]


def test_the_sum_says_of_how_many_the_list_is_a_part() -> None:
    """By state, what went wrong first."""
    assert listing.sum_up(2, {"failed": 1, "succeeded": 1}).plain == "2 jobs: 1 failed, 1 succeeded"
    assert listing.sum_up(2, {"lost": 212}).plain == "The latest 2 of 212 jobs: 212 lost"
    assert listing.sum_up(1, {"lost": 1}).plain == "1 job: 1 lost"
