"""Sends jobs as the platform's clients would, at a calm rate: `python -m workers.demo.feeder DIRECTORY`.

The directory is where clients' files come to lie.
"""

import itertools
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from celery.result import AsyncResult

from workers import files, optimization
from workers.app import app
from workers.client_csv import write_client_csv
from workers.demo.interruptions import Interruptions
from workers.demo.programs import SAYS_FED
from workers.samples import facility_scenario, infeasible_scenario, transport_scenario
from workers.scenarios import Scenario

EVERY_S = 0.5
FILES_KEPT = 50
ROUNDS_TO_LARGE = 20


class Client:
    """One who has scenarios solved, by request or by file."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._names = itertools.cycle(f"client-{number}.csv" for number in range(1, FILES_KEPT + 1))
        self._long_job: AsyncResult | None = None

    def request(self, scenario: Scenario) -> None:
        """Have the scenario solved."""
        optimization.send(scenario)

    def request_long(self, scenario: Scenario) -> None:
        """Have a scenario solved that takes its time, unless the one before is still in work.

        So one of the worker's two processes is always there for the rest, however slow the machine.
        """
        if self._long_job is None or self._long_job.ready():
            self._long_job = optimization.send(scenario)

    def upload(self, scenario: Scenario) -> None:
        """Have the scenario read from a file; what it says is then solved."""
        files.process.delay(str(self._written(scenario)))

    def upload_damaged(self, scenario: Scenario) -> None:
        """Have a file read whose last number is none."""
        path = self._written(scenario)
        rest, _, _ = path.read_text(encoding="utf-8").rpartition(",")
        path.write_text(f"{rest},n/a\n", encoding="utf-8")
        files.process.delay(str(path))

    def _written(self, scenario: Scenario) -> Path:
        path = self._directory / next(self._names)
        write_client_csv(path, scenario)
        return path


small_transport = partial(transport_scenario, "small")
small_facility = partial(facility_scenario, "small")

# What a client does, and with which scenario; that is made from a number, so that no two are alike.
Step = tuple[Callable[[Client, Scenario], None], Callable[[int], Scenario]]

# Small scenarios take milliseconds, medium ones a second, large ones ten. Two of a round fail, as they have to.
ROUND: tuple[Step, ...] = (
    (Client.request, small_transport),
    (Client.upload, small_facility),
    (Client.request, small_facility),
    (Client.request_long, partial(transport_scenario, "medium")),
    (Client.upload, small_transport),
    (Client.request, small_facility),
    (Client.request, infeasible_scenario),
    (Client.request, small_transport),
    (Client.upload, small_transport),
    (Client.upload_damaged, small_transport),
    (Client.request, small_facility),
    (Client.request_long, partial(facility_scenario, "medium")),
    (Client.upload, small_facility),
    (Client.request, small_transport),
    (Client.request, small_facility),
    (Client.request, small_transport),
)
LARGE: Step = (Client.request_long, partial(transport_scenario, "large"))


def main(directory: Path) -> None:
    """Send a job every half second until told to end."""
    app.set_current()
    interruptions = Interruptions()
    client = Client(directory)
    for number, (send, make) in enumerate(itertools.cycle([*ROUND * ROUNDS_TO_LARGE, LARGE]), start=1):
        send(client, make(number))
        if number == 1:
            sys.stdout.write(f"{SAYS_FED}\n")
        time.sleep(EVERY_S)
        if interruptions.count:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
