"""The waterfall: waits, runs and back-offs, in order and to scale."""

from __future__ import annotations

from monitor.cli import waterfall
from monitor.job import Event, Fate
from tests.monitor.cli.screens import NOW, lived, plain, printed, terminal
from tests.monitor.events import ended, error, sent, started, told


def told_in_phases(*events: Event) -> list[tuple[str, float, float]]:
    """Return the phases' names, starts and ends."""
    return [(phase.name, phase.start, phase.end) for phase in waterfall.phases(*lived(*events), NOW)]


def retried_job() -> list[Event]:
    """Waits 10 s, runs 10 s, backs off for 40 s, waits 10 s, runs 30 s."""
    return [
        sent(at=100),
        started(at=110),
        ended(at=120, fate=Fate.RETRIED, run_s=10, error=error("OSError")),
        sent(at=119.9, retries=1, first_sent_at=100, eta="1970-01-01T00:02:40"),
        started(at=170, run="p-2", sent_at=119.9, retries=1, eta="1970-01-01T00:02:40"),
        ended(at=200, run="p-2", fate=Fate.FAILED, run_s=30, error=error("OSError")),
    ]


def test_a_retried_job_waits_runs_and_backs_off() -> None:
    """The back-off ends when the retry is due; what comes after is waiting for a worker."""
    assert told_in_phases(*retried_job()) == [
        ("waiting", 100, 110),
        ("run 1", 110, 120),
        ("back-off", 120, 160),
        ("waiting", 160, 170),
        ("run 2", 170, 200),
    ]


def test_the_tick_of_a_timer_is_no_wait_of_its_own() -> None:
    """A back-off of 40 s and half a second more is one back-off."""
    *before, _, _ = retried_job()
    again = started(at=160.5, run="p-2", sent_at=119.9, retries=1, eta="1970-01-01T00:02:40")

    assert told_in_phases(*before, again)[2:] == [("back-off", 120, 160.5), ("run 2", 160.5, NOW)]


def test_what_goes_on_goes_on_until_now() -> None:
    """A run, a wait, a time that has not come."""
    assert told_in_phases(sent(at=100), started(at=101)) == [("waiting", 100, 101), ("run 1", 101, NOW)]
    assert told_in_phases(sent(at=100)) == [("waiting", 100, NOW)]
    assert told_in_phases(sent(at=100, eta="1970-01-01T01:00:00")) == [("scheduled", 100, NOW)]


def test_a_job_without_a_run_waits_until_its_fate() -> None:
    """It was revoked while it waited."""
    assert told_in_phases(sent(at=100), told(at=160, fate=Fate.REVOKED)) == [("waiting", 100, 160)]


def test_a_redelivered_job_waits_again() -> None:
    """Its first run was lost, and its message went back to the broker."""
    lost = told(at=103, returns=True)

    phases = told_in_phases(sent(at=100), started(at=101), lost, started(at=150, run="p-2"), ended(at=152, run="p-2"))

    assert phases[1:] == [("run 1", 101, 103), ("waiting", 103, 150), ("run 2", 150, 152)]


def test_runs_at_the_same_time_have_no_wait_between_them() -> None:
    """A message that was given out twice."""
    phases = told_in_phases(sent(at=100), started(at=101), started(at=150, run="p-2"))

    assert phases == [("waiting", 100, 101), ("run 1", 101, NOW), ("run 2", 150, NOW)]


def test_of_very_many_runs_the_latest_are_told_with_their_numbers() -> None:
    """What lies before the first known run is not called a wait."""
    job, runs = lived(sent(at=100), started(at=900), ended(at=901))
    job.runs = 500

    assert [phase.name for phase in waterfall.phases(job, runs, NOW)] == ["run 500"]


def test_bars_are_to_scale() -> None:
    """40 s are four times as long as 10 s, each begins where the one before ended, and all say how long they took."""
    console = terminal(waterfall.NAMES_WIDTH + 50 + waterfall.NOTES_WIDTH)

    waterfall.show(console, waterfall.phases(*lived(*retried_job()), NOW), NOW)

    axis, *bars = printed(console)
    assert [(bar.count("░"), bar.count("█")) for bar in bars] == [(5, 0), (0, 5), (20, 0), (5, 0), (0, 15)]
    assert bars[1].endswith(" 10 s, retried: OSError")
    assert bars[2].endswith("░ 40 s")
    assert axis.split() == ["00:01:40.000", "+40", "s", "+60", "s", "+80", "s", "+100", "s"]
    assert axis.index("+40") == waterfall.NAMES_WIDTH + 20
    begins = [min(at for at, sign in enumerate(bar) if sign in "░█") for bar in bars]
    ends = [max(at for at, sign in enumerate(bar) if sign in "░█") + 1 for bar in bars]
    assert begins[1:] == ends[:-1]


def test_the_shortest_phase_can_be_seen() -> None:
    """A run of 1 ms in an hour has a bar."""
    console = terminal(80)
    again = sent(at=1_050, retries=1, first_sent_at=100)
    events: list[Event] = [sent(at=100), started(at=1_050), ended(at=1_050.001, run_s=0.001, fate=Fate.RETRIED), again]

    waterfall.show(console, waterfall.phases(*lived(*events), 3_700), 3_700)

    _, _, run, _ = printed(console)
    assert run.endswith(" █ 1 ms, retried")


def test_no_line_is_wider_than_the_terminal() -> None:
    """What does not fit is cut, at every width."""
    for width in (40, 80, 120, 200):
        console = terminal(width)

        waterfall.show(console, waterfall.phases(*lived(*retried_job()), NOW), NOW)

        lines = printed(console)
        assert len(lines) == 6
        assert max(map(len, lines)) <= width


def test_without_a_terminal_there_are_lines_instead_of_bars() -> None:
    """Name, offset, length."""
    console = plain()

    waterfall.show(console, waterfall.phases(*lived(*retried_job()), NOW), NOW)

    assert [line.split() for line in printed(console)][1:3] == [
        ["run", "1", "+10", "s", "10", "s,", "retried:", "OSError"],
        ["back-off", "+20", "s", "40", "s"],
    ]
