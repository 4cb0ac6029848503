"""The demo's course: starts the programs, keeps them running while jobs flow, and ends them in order."""

import math
import signal
import sys
import time
from collections.abc import Callable, Sequence

from rich.console import Console

from monitor.store import StoreError
from workers.demo.figures import TIMES_OF_LATEST_S, Jobs
from workers.demo.home import DemoError
from workers.demo.interruptions import Interruptions
from workers.demo.programs import CONCURRENCY, Platform, Program
from workers.demo.screen import Screen, screen_for
from workers.demo.summary import Outcome, summary

POLL_S = 0.1
START_LIMIT_S = 120.0
DRAIN_S = 5.0

# How programs are told to end: politely (a worker finishes its running jobs), then at once (it gives them up, and says
# so), then by force. Each further Ctrl-C takes the next step, and so does the time in seconds.
ENDINGS = ((signal.SIGTERM, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))


def show(platform: Platform, interruptions: Interruptions, for_s: float) -> int:
    """Run the demo and tell its outcome; return its exit status."""
    screen = screen_for(Console(markup=False, highlight=False, emoji=False))
    try:
        jobs = Jobs(platform.settings["MONITOR_STORE_URL"], CONCURRENCY)
        with screen:
            flow_s = Show(platform, jobs, screen, interruptions).run(for_s)
    except (DemoError, StoreError) as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    deaths = {program.name: program.deaths for program in platform.programs if program.deaths}
    outcome = Outcome(flow_s, jobs.figures(), jobs.errors(), jobs.lost_records(), deaths)
    screen.say(*summary(outcome))
    return 0 if outcome.is_sound or interruptions.count else 1


class Show:
    """One demo, which runs once."""

    def __init__(self, platform: Platform, jobs: Jobs, screen: Screen, interruptions: Interruptions) -> None:
        self._platform = platform
        self._jobs = jobs
        self._screen = screen
        self._interruptions = interruptions
        self._kept: list[Program] = []
        self._drawn_at = -math.inf

    def run(self, for_s: float) -> float:
        """Let jobs flow for so many seconds, or until an interruption; return for how many they did.

        Raises:
            DemoError: when a program does not start; those that did are ended before.

        """
        platform = self._platform
        try:
            self._start([platform.broker])
            self._start([*platform.workers, platform.beat])
            self._start([platform.feeder])
            flow_s = self._flow(for_s)
            self._end_senders()
            self._drain()
        finally:
            self._end_senders()
            self._end(platform.workers, "Ending: the workers finish the jobs they run; Ctrl-C gives these up …")
            self._end([platform.broker], "Ending: the broker …")
        return flow_s

    def _start(self, programs: Sequence[Program]) -> None:
        if self._is_told_to_end():
            return
        for program in programs:
            program.start()
        self._kept += programs
        for program in programs:
            self._await(program)

    def _await(self, program: Program) -> None:
        self._until(lambda: program.is_ready() or self._is_told_to_end(), f"Starting: {program.name} …", START_LIMIT_S)
        if not (program.is_ready() or self._is_told_to_end()):
            raise DemoError(
                f"{program.name} was not ready after {START_LIMIT_S:.0f} s: {program.log} tells how far it came."
            )

    def _flow(self, for_s: float) -> float:
        began = time.monotonic()
        length = f"for {for_s:g} s; Ctrl-C ends it sooner" if math.isfinite(for_s) else "until Ctrl-C"
        self._until(self._is_told_to_end, f"Jobs flow {length}.", for_s)
        return time.monotonic() - began

    def _end_senders(self) -> None:
        # Before the workers: what is sent once they are gone, nobody runs.
        self._end([self._platform.feeder, self._platform.beat], "Ending: no more jobs are sent …")

    def _drain(self) -> None:
        is_hurried = self._interruptions.another()
        self._until(
            lambda: is_hurried() or not self._jobs.are_open(),
            "Ending: the jobs that are on their way are run; Ctrl-C leaves those that wait …",
            DRAIN_S,
        )

    def _end(self, programs: Sequence[Program], status: str) -> None:
        self._kept = [program for program in self._kept if program not in programs]
        for signum, patience_s in ENDINGS:
            if not any(program.is_running() for program in programs):
                return
            self._end_by(signum, programs, status, patience_s)

    def _end_by(self, signum: signal.Signals, programs: Sequence[Program], status: str, patience_s: float) -> None:
        is_hurried = self._interruptions.another()
        for program in programs:
            program.signal(signum)
        self._until(lambda: is_hurried() or not any(program.is_running() for program in programs), status, patience_s)

    def _until(self, condition: Callable[[], bool], status: str, limit_s: float) -> None:
        """Keep the programs running and the screen up to date until the condition holds, or the time is over."""
        deadline = time.monotonic() + limit_s
        self._drawn_at = -math.inf  # a new status is shown at once
        while not condition() and time.monotonic() < deadline:
            self._keep_running()
            self._draw(status)
            time.sleep(POLL_S)

    def _keep_running(self) -> None:
        for program in self._kept:
            if how := program.revive():
                clock = time.strftime("%H:%M:%S")
                self._screen.say(f"{clock}  {program.name} {how}, and was started again.")

    def _draw(self, status: str) -> None:
        if time.monotonic() - self._drawn_at >= self._screen.period_s:
            self._screen.draw(status, self._jobs.figures(since=time.time() - TIMES_OF_LATEST_S))
            self._drawn_at = time.monotonic()

    def _is_told_to_end(self) -> bool:
        return self._interruptions.count > 0 or self._screen.is_gone
