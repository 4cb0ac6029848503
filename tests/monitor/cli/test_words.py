"""Words: states, times, lengths and sizes as a person reads them."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from monitor.cli import words
from monitor.job import Fate
from tests.monitor.cli.screens import NOW, lived
from tests.monitor.events import ended, error, sent, started, told


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 ms"),
        (0.0004, "0.4 ms"),
        (0.0123, "12 ms"),
        (0.9996, "1.0 s"),
        (8.84, "8.8 s"),
        (9.96, "10 s"),
        (119.4, "119 s"),
        (119.6, "2 m 00 s"),
        (242, "4 m 02 s"),
        (11_100, "3 h 05 m"),
        (1_000_000, "11 d 13 h"),
        (-3, "-3.0 s"),
    ],
)
def test_a_length_is_said_in_few_figures(seconds: float, said: str) -> None:
    """Each length takes the units that matter at its scale, rounded before the unit is chosen."""
    assert words.length(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "0 s ago"),
        (34, "34 s ago"),
        (119, "119 s ago"),
        (605, "10 m ago"),
        (9_000, "2 h ago"),
        (300_000, "3 d ago"),
    ],
)
def test_an_age_is_said_in_one_unit(seconds: float, said: str) -> None:
    """An age is for a glance."""
    assert words.ago(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (0.04, "0"), (2.44, "2.4"), (2.0, "2"), (9.96, "10"), (38.4, "38"), (1_204.0, "1,204")],
)
def test_a_number_is_said_in_few_figures(value: float, said: str) -> None:
    """Tenths only where they matter."""
    assert words.number(value) == said


@pytest.mark.parametrize(
    ("amount", "said"), [(2.44, "2.4 MB"), (412.3, "412 MB"), (999.6, "1 GB"), (2_048.0, "2 GB"), (2_448.0, "2.4 GB")]
)
def test_an_amount_of_memory_takes_the_unit_that_fits(amount: float, said: str) -> None:
    """Of 1,000, like its MB of 1,000,000 bytes."""
    assert words.megabytes(amount) == said


def test_of_many_names_the_first_are_told() -> None:
    """And how many more there are."""
    assert words.some(["a", "b", "c"]) == "a, b, c"
    assert words.some(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_a_time_is_said_to_the_minute_with_its_date_where_that_is_another() -> None:
    """The date of a silence matters."""
    assert words.minute(NOW - 60, NOW) == "00:15"
    assert words.minute(NOW, NOW + 86_400) == "1970-01-01 00:16"


def test_what_other_hosts_clocks_put_into_the_future_is_said_to_be_there() -> None:
    """A difference of clocks is shown, not hidden."""
    assert words.ago(-5) == "in 5 s"


def test_every_state_has_a_look_of_one_column() -> None:
    """No fate is forgotten, and no glyph shifts the table."""
    assert set(words.LOOKS) == {"waiting", "running", *Fate}
    assert {cell_len(look.glyph) for look in words.LOOKS.values()} == {1}


def test_what_steers_a_terminal_is_written_out() -> None:
    """Escape sequences and marks that turn the direction come as their codes; line breaks and umlauts stay."""
    assert words.safe("\x1b[2J\x9b\u202eabc\nZürich\t✓") == "\\x1b[2J\\x9b\\u202eabc\nZürich\t✓"


def test_a_struct_is_made_safe_to_its_innermost_text() -> None:
    """The error inside an event, and its labels, too."""
    event = ended(fate=Fate.FAILED, error=error("\x1bKind"), labels={"\x1ba": "\x1bb"})

    safe = words.safely(event)

    assert safe.error is not None
    assert (safe.error.kind, safe.labels, safe.run_s) == ("\\x1bKind", {"\\x1ba": "\\x1bb"}, 2.0)


def test_a_job_that_waits_has_waited_until_now() -> None:
    """The time since it was sent, or, since it was due."""
    waiting, _ = lived(sent(at=NOW - 5))
    due, _ = lived(sent(at=NOW - 5, eta="1970-01-01T00:16:38"))
    later, _ = lived(sent(at=NOW - 5, eta="1970-01-01T00:17:40"))

    assert [words.waited(job, NOW) for job in (waiting, due, later)] == ["5.0 s", "2.0 s", "due in 60 s"]


def test_a_job_that_never_ran_has_waited_until_its_fate() -> None:
    """An expired job's wait is what went wrong."""
    job, _ = lived(sent(at=100), told(at=103, fate=Fate.EXPIRED))

    assert (words.waited(job, NOW), words.ran(job, NOW)) == ("3.0 s", None)


def test_a_job_that_runs_has_run_until_now() -> None:
    """Of a later run the start is the latest event."""
    first, _ = lived(sent(), started(at=NOW - 7))
    second, _ = lived(sent(), started(at=101), ended(fate=Fate.RETRIED), started(at=NOW - 3, run="p-2", sent_at=104.0))

    assert [words.ran(job, NOW) for job in (first, second)] == ["7.0 s", "3.0 s"]


def test_the_why_is_the_error_of_a_failure_and_else_the_reason() -> None:
    """One line, the error's class without its module."""
    failed, _ = lived(sent(), started(), ended(fate=Fate.FAILED, error=error("shop.errors.OutOfStock")))
    lost, _ = lived(sent(), started(), told(reason="killed by\nsignal 9", error=error("WorkerLostError")))
    succeeded, _ = lived(sent(), started(), ended())

    assert [words.why(job) for job in (failed, lost, succeeded)] == ["OutOfStock: it is wrong", "killed by", None]


def test_counts_begin_with_what_went_wrong() -> None:
    """Nobody should have to look for it."""
    counts = {"succeeded": 1_200, "waiting": 3, "failed": 2, "lost": 1}

    assert words.by_state(counts).plain == "1 lost, 2 failed, 3 waiting, 1,200 succeeded"
