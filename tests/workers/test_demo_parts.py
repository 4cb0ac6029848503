"""The demo's parts: its directory, its programs, its figures and how they look."""

import os
import sys
from collections import Counter
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from monitor.job import Fate, Job
from tests.processes import wait_until
from workers.demo import tables
from workers.demo.figures import Figures, Spread, TaskFigures, spread
from workers.demo.home import DemoError, claim_home
from workers.demo.programs import Program
from workers.demo.summary import Outcome, summary


def test_a_directory_that_no_demo_made_is_not_emptied(tmp_path: Path) -> None:
    """Somebody's files are refused, and stay."""
    somebodys = tmp_path / "demo" / "thesis.tex"
    somebodys.parent.mkdir()
    somebodys.touch()

    with pytest.raises(DemoError, match="files that no demo made"):
        claim_home(tmp_path)

    assert somebodys.exists()


def test_a_demo_begins_anew_where_the_last_one_ended(tmp_path: Path) -> None:
    """While a demo runs, another one goes beside it; after its end, its data make room for the next."""
    first = claim_home(tmp_path)
    (first.directory("broker") / "data").touch()
    beside = claim_home(tmp_path)
    os.close(first.lock_fd)

    following = claim_home(tmp_path)

    assert beside.path == tmp_path / "demo-2"
    assert following.path == first.path
    assert [entry.name for entry in following.path.iterdir()] == ["demo.lock"]


def test_the_home_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Nobody else reads what clients sent."""
    home = claim_home(tmp_path)

    assert home.path.stat().st_mode & 0o777 == 0o700
    assert home.directory("files").stat().st_mode & 0o777 == 0o700


def test_a_program_that_cannot_start_is_not_started_again(tmp_path: Path) -> None:
    """The message says which, and ends with what the program's log ends with."""
    command = [sys.executable, "-c", "import sys; sys.exit('no shared memory')"]
    program = Program("worker", command, log=tmp_path / "worker.log", env={}, says_ready="ready")
    program.start()
    wait_until(lambda: not program.is_running(), what="the program gives up")

    with pytest.raises(DemoError, match=r"worker ended with status 1 while it started(.|\n)*no shared memory"):
        program.revive()


def test_percentiles_lie_between_the_two_nearest_values() -> None:
    """Of 1 to 100, 95 in a hundred lie below 95.05; of a single value, all are that value."""
    assert spread([float(number) for number in range(1, 101)]) == Spread(50.5, 95.05)
    assert spread([0.2]) == Spread(0.2, 0.2)
    assert spread([]) is None


def test_a_screenful_fits_a_small_terminal() -> None:
    """80 columns and 24 rows show every number in full, whatever the fates."""
    states = Counter({"waiting": 12345, "running": 12345, Fate.SUCCEEDED: 12345, Fate.FAILED: 12345, Fate.LOST: 12345})
    tasks = [TaskFigures(name, states, Spread(0.25, 120.6), Spread(13.04, 1e-4)) for name in ("a.b", "c.d", "all")]
    job = Job(
        id="1", task="optimization.transport", fate=Fate.FAILED, message="No plan. " * 30, run_s=0.1, ended_at=1e9
    )
    console = Console(file=StringIO(), width=80, height=24)

    with console.capture() as written:
        console.print(tables.screenful("Jobs flow.", Figures(tasks[:2], tasks[2], {"optimization": 12345}, [job]), 3))

    lines = written.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 24
    assert sum(line.split()[1:] == ["12345"] * 5 + ["0.25", "120", "13.0", "0.00"] for line in lines) == 3


def _outcome(states: dict[str, int], deaths: dict[str, int], lost_records: dict[str, int]) -> Outcome:
    total = TaskFigures("all", Counter(states), None, None)
    return Outcome(20.0, Figures([], total, {}, []), Counter(), lost_records, deaths)


@pytest.mark.parametrize(
    ("states", "deaths", "lost_records", "told"),
    [
        ({}, {}, {}, "No job was recorded."),
        ({"succeeded": 1}, {"beat": 2}, {}, "beat died twice and was started again."),
        ({"succeeded": 1, "lost": 1}, {}, {}, "1 job lost: `celery -A workers monitor jobs --fate lost` says why."),
        ({"succeeded": 1, "running": 2}, {}, {}, "2 jobs without a fate, though nothing runs any more."),
        ({"succeeded": 1}, {}, {"the disk was full": 3}, "3 records were not kept: the disk was full."),
    ],
)
def test_what_went_wrong_is_told_and_counts(
    states: dict[str, int], deaths: dict[str, int], lost_records: dict[str, int], told: str
) -> None:
    """Each fault has its sentence, and the demo is not sound."""
    outcome = _outcome(states, deaths, lost_records)

    assert told in "".join(map(str, summary(outcome)))
    assert not outcome.is_sound
