"""The demo from outside: what it runs, what it tells, and that nothing of it stays behind."""

import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from monitor.job import Fate, Job
from monitor.store import open_store, reads
from tests.processes import ChildProcess, lives, wait_until
from tests.workers_process import worker_environment
from workers.demo.__main__ import main

FLOW_S = 8
# A program that took over any of these would refuse to start.
SETTINGS_OF_THE_CALLER = {
    "CELERY_BROKER_URL": "nonsense",
    "MONITOR_STORE_URL": "nonsense",
    "MONITOR_ARGUMENTS": "maybe",
}


class Demo(ChildProcess):
    """`python -m workers.demo`, started as soon as it says where things are."""

    def __init__(self, directory: Path, name: str, *options: str) -> None:
        super().__init__(
            [sys.executable, "-m", "workers.demo", *options],
            log_path=directory / f"{name}.log",
            cwd=directory,
            env=worker_environment(SETTINGS_OF_THE_CALLER),
            ready_line=f". var/{name}/env",
        )
        self.home = directory / "var" / name
        self.store_url = f"sqlite:///{self.home}/store.db"

    def programs(self) -> list[psutil.Process]:
        """All processes that belong to the demo, whoever their parent is."""
        return [process for process in psutil.process_iter() if lives(process) and self._owns(process)]

    def lose_worker(self, queue: str) -> None:
        """Kills a queue's worker, and waits until its successor has run a job."""
        killed_at = time.time()
        self._worker(queue).kill()
        store, jobs = open_store(self.store_url), reads.JobFilter(queue=queue)
        wait_until(
            lambda: any((job.started_at or 0.0) > killed_at for job in reads.jobs_matching(store, jobs)),
            what=f"the worker of {queue} is there again, and works",
        )

    def ended(self) -> "Run":
        """What became of it, once it has ended by itself or by a signal."""
        wait_until(lambda: not self.is_running(), what=f"the demo ends; its log:\n{self.log()}")
        left = self.programs()
        return Run(self.wait(), " ".join(self.log().split()), self.home, left)

    def _worker(self, queue: str) -> psutil.Process:
        # The main process is the oldest: its children have its command line, too.
        workers = [process for process in self.programs() if f"{queue}@demo" in process.cmdline()]
        return min(workers, key=lambda process: process.create_time())

    def _owns(self, process: psutil.Process) -> bool:
        try:
            # Redis writes over its environment to say what it is, but it works in its directory.
            store_url, directory = process.environ().get("MONITOR_STORE_URL"), process.cwd()
        except psutil.Error:
            return False
        return bool(store_url == self.store_url or directory == str(self.home / "broker"))


@dataclass(frozen=True)
class Run:
    """A demo that has ended; its output is one line, however the terminal broke it."""

    status: int
    output: str
    home: Path
    left: Sequence[psutil.Process]

    def jobs(self) -> list[Job]:
        """All jobs in the store."""
        return reads.jobs_matching(open_store(f"sqlite:///{self.home}/store.db"), reads.JobFilter(), limit=10_000)

    def log_of(self, program: str) -> str:
        """What one of its programs wrote."""
        return (self.home / "logs" / f"{program}.log").read_text()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """Two demos side by side: one of some seconds, and one that loses a worker before it is ended by Ctrl-C."""
    directory = tmp_path_factory.mktemp("demos")
    with Demo(directory, "demo", "--for", str(FLOW_S)) as limited, Demo(directory, "demo-2") as interrupted:
        interrupted.wait_for_log("Jobs flow")
        interrupted.lose_worker("file-processing")
        interrupted.send_signal(signal.SIGINT)
        return limited.ended(), interrupted.ended()


@pytest.fixture
def limited(runs: tuple[Run, Run]) -> Run:
    """The demo of some seconds."""
    return runs[0]


@pytest.fixture
def interrupted(runs: tuple[Run, Run]) -> Run:
    """The demo that lost a worker, and was ended by Ctrl-C."""
    return runs[1]


def test_a_demo_of_some_seconds_ends_by_itself(limited: Run) -> None:
    """It ends with status 0, says that nothing was lost, and leaves no process."""
    assert limited.status == 0, limited.output
    assert f"jobs ended in {FLOW_S} s" in limited.output
    assert limited.output.endswith("Nothing was lost.")
    assert not limited.left


def test_the_summary_is_what_the_store_knows(limited: Run) -> None:
    """Sentence and table count the jobs by fate as the store does."""
    known = Counter(job.state for job in limited.jobs())

    sentence = re.search(r"\d+ jobs ended in \d+ s: (.+?)\.", limited.output)
    table = re.search(r" all (\d+) (\d+) (\d+) (\d+) ", limited.output)

    assert sentence
    assert table
    assert sentence[1] == f"{known['succeeded']} succeeded, {known['failed']} failed"
    assert tuple(map(int, table.groups())) == (
        known["waiting"],
        known["running"],
        known["succeeded"],
        known["failed"],
    )


def test_jobs_of_each_kind_flow_and_some_fail(limited: Run) -> None:
    """Both types of scenario are solved, files feed them, and each fault that was put in is told by its error."""
    jobs = limited.jobs()
    ids_of_files = {job.id for job in jobs if job.task == "files.process"}

    succeeded = {job.task for job in jobs if job.fate is Fate.SUCCEEDED}
    failed = {(job.task, (job.error or "").rpartition(".")[2]) for job in jobs if job.fate is Fate.FAILED}
    fed_by_files = {job.task for job in jobs if job.parent in ids_of_files}

    assert succeeded == {"files.process", "optimization.transport", "optimization.facility"}
    assert failed == {("files.process", "BadFile"), ("optimization.transport", "InfeasibleScenario")}
    assert fed_by_files == {"optimization.transport", "optimization.facility"}


def test_ctrl_c_ends_all_in_order(interrupted: Run) -> None:
    """Workers finish the jobs they run; it ends with status 0 and the summary, and no process stays."""
    assert interrupted.status == 0, interrupted.output
    assert re.search(r"\d+ jobs ended in \d+ s", interrupted.output)
    assert "Warm shutdown" in interrupted.log_of("optimization")
    assert "bye bye" in interrupted.log_of("broker")
    assert not interrupted.left
    assert {job.state for job in interrupted.jobs()} <= {*Fate, "waiting"}


def test_a_worker_that_dies_is_started_again_and_told(interrupted: Run) -> None:
    """It is told at once, with the cause, and again in the summary."""
    assert "file-processing was killed by SIGKILL, and was started again." in interrupted.output
    assert "file-processing died once and was started again." in interrupted.output


def test_no_program_outlives_a_killed_demo(tmp_path: Path) -> None:
    """The kernel ends them all, whoever is starting or running at that moment."""
    with Demo(tmp_path, "demo") as demo:
        demo.wait_for_log("Starting: optimization")
        assert len(demo.programs()) >= 5, "broker, workers and beat are there"

        demo.send_signal(signal.SIGKILL)

        wait_until(lambda: not demo.programs(), what="all are gone", timeout_s=10)


def test_a_demo_that_nobody_reads_ends_by_itself(tmp_path: Path) -> None:
    """Like any program in a pipe whose reader goes: without a traceback, but in order."""
    demo = Demo(tmp_path, "demo")
    with subprocess.Popen(
        demo.command, cwd=tmp_path, env=demo.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout
        assert run.stderr
        assert any(b"Starting: optimization" in line for line in run.stdout)  # the broker is up by then

        run.stdout.close()

        assert run.stderr.read() == b""
    assert "bye bye" in (demo.home / "logs" / "broker.log").read_text()
    assert not demo.programs()


@pytest.mark.parametrize("wrong", ["soon", "0", "-3", "nan", "inf", ""])
def test_a_wrong_length_is_refused_in_one_sentence(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what was expected and what came; the exit status is 2."""
    status = main(["--for", wrong])

    assert status == 2
    assert capsys.readouterr().err == f"--for: expected a number of seconds greater than 0, like 20, got {wrong!r}.\n"


def test_a_directory_that_cannot_be_written_is_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the directory and the reason; the exit status is 2."""
    (tmp_path / "var").touch()
    monkeypatch.chdir(tmp_path)

    status = main([])

    assert status == 2
    assert capsys.readouterr().err == (
        f"The demo keeps its data in {tmp_path}/var/demo, and cannot: Not a directory. "
        "Run it in a directory that you may write to.\n"
    )
