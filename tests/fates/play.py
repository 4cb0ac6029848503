"""Plays all the scenarios of one pool at once, to the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

from monitor.store.reads import Story
from tests.fates.outcomes import NEVER_SENT, Outcome
from tests.fates.scenarios import Scenario
from tests.fates.stage import SHARED_QUEUE, Scene, Stage

AT_ONCE = 5
SETTLED_WITHIN_S = 30.0
ASK_EVERY_S = 0.2


class Play:
    """The scenarios of one pool, played: what became of each."""

    def __init__(self, stage: Stage, scenarios: Sequence[Scenario]) -> None:
        self._stage = stage
        self._scenarios = scenarios
        self._scenes: dict[str, Scene] = {}
        self._jobs: dict[str, Future[Sequence[str]]] = {}

    def run(self) -> None:
        """Plays every scenario, and ends all workers when there is nothing more to come."""
        with ExitStack() as workers:
            with ThreadPoolExecutor(AT_ONCE) as hands:
                for scenario in self._scenarios:
                    scene = self._scenes[scenario.name] = self._scene(scenario)
                    self._jobs[scenario.name] = hands.submit(self._act, scenario, scene, workers)
            self._settle()
        self._stage.end()

    @property
    def pool(self) -> str:
        """The pool of all workers."""
        return self._stage.pool

    def jobs(self, name: str) -> Sequence[str]:
        """The ids of a scenario's jobs; raises what its act raised."""
        return self._jobs[name].result()

    def worker(self, name: str) -> str:
        """The node name of the worker that a scenario was played on."""
        return self._scenes[name].worker.hostname

    def story(self, job: str) -> Story | None:
        """What is recorded of a job."""
        return self._stage.story(job)

    def stories(self, name: str) -> list[Story]:
        """What is recorded of each of a scenario's jobs, which are recorded all."""
        stories = [self.story(job) for job in self.jobs(name)]
        assert None not in stories
        return [story for story in stories if story]

    def is_held(self, job: str) -> bool:
        """Tells whether the broker has a message of the job."""
        return self._stage.is_held(job)

    def _scene(self, scenario: Scenario) -> Scene:
        if self._stage.pool in scenario.alone:
            worker = self._stage.worker(scenario.name, scenario.name)
            return Scene(self._stage, scenario.name, worker, scenario.name)
        return Scene(self._stage, scenario.name, self._stage.shared_worker, SHARED_QUEUE)

    def _act(self, scenario: Scenario, scene: Scene, workers: ExitStack) -> Sequence[str]:
        if scene.worker is not self._stage.shared_worker:
            workers.enter_context(scene.worker)
        return scenario.act(scene)

    def _settle(self) -> None:
        """Waits until every job is recorded as it must be; not for ever, where the tests have something to say."""
        deadline = time.monotonic() + SETTLED_WITHIN_S
        unsettled = list(self._scenarios)
        while unsettled and time.monotonic() < deadline:
            unsettled = [scenario for scenario in unsettled if not self._is_settled(scenario)]
            time.sleep(ASK_EVERY_S)

    def _is_settled(self, scenario: Scenario) -> bool:
        if self._jobs[scenario.name].exception():
            return True
        outcome = scenario.outcomes[self._stage.pool]
        return all(_is_as_expected(self.story(job), outcome) for job in self.jobs(scenario.name))


def _is_as_expected(story: Story | None, outcome: Outcome) -> bool:
    if story is None:
        return outcome is NEVER_SENT
    fates = [run.fate for run in story.runs]
    return story.job.state == outcome.state and fates == [expected.fate for expected in outcome.runs]
