"""Whatever happens to a job, in whatever pool, the right fate is recorded, with each of its runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from monitor.job import Fate, Told
from tests.fates.acts import POOLS, PREFORK
from tests.fates.outcomes import recorded
from tests.fates.play import Play
from tests.fates.scenarios import SCENARIOS, Scenario
from tests.fates.stage import Stage
from tests.servers import RedisServer

CASES = [(pool, scenario) for pool in POOLS for scenario in SCENARIOS if pool in scenario.outcomes]

in_every_pool = pytest.mark.parametrize("play", POOLS, indirect=True, scope="module")


@pytest.fixture(scope="module")
def play(
    request: pytest.FixtureRequest, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Play]:
    """All scenarios of one pool, played at once, and over: nothing changes any more in what is recorded of them."""
    pool = request.param
    with redis_server.database() as url, Stage(pool, url, tmp_path_factory.mktemp(pool)) as stage:
        play = Play(stage, [scenario for scenario in SCENARIOS if pool in scenario.outcomes])
        play.run()
        yield play


@pytest.mark.parametrize(
    ("play", "scenario"),
    CASES,
    indirect=["play"],
    ids=[f"{pool}-{scenario.name}" for pool, scenario in CASES],
    scope="module",
)
def test_what_happened_to_a_job_is_recorded(play: Play, scenario: Scenario) -> None:
    """Its state, its runs, errors, reasons and workers; and it is open while the broker has a message of it."""
    outcome = scenario.outcomes[play.pool]
    worker = play.worker(scenario.name)

    found = [recorded(play.story(job), worker, outcome, is_held=play.is_held(job)) for job in play.jobs(scenario.name)]

    assert found == [outcome] * len(found)


@pytest.mark.parametrize("play", [PREFORK], indirect=True, scope="module")
def test_a_fate_told_twice_is_one_fate(play: Play) -> None:
    """Celery 5.7 tells a hard time limit of prefork twice; the run has it once."""
    (story,) = play.stories("hard_time_limit")

    tellings = [event for event in story.events if isinstance(event, Told)]
    assert [telling.fate for telling in tellings] == [Fate.TIMED_OUT, Fate.TIMED_OUT]
    assert (story.job.runs, len(story.runs)) == (1, 1)


@in_every_pool
def test_jobs_that_send_jobs_are_one_family(play: Play) -> None:
    """The second job of a chain knows its parent, and both know their root."""
    first, second = play.stories("chain")

    assert (first.job.root, first.job.parent) == (first.job.id, None)
    assert (second.job.root, second.job.parent) == (first.job.id, first.job.id)
    assert [job.id for job in second.family] == [first.job.id, second.job.id]


@in_every_pool
def test_the_arguments_of_a_foreign_publisher_are_recorded_at_the_start(play: Play) -> None:
    """Nobody with a monitor sent the job, so its first run tells its arguments."""
    (story,) = play.stories("foreign_publisher")

    assert (story.job.first_sent_at, story.job.sender) == (None, None)
    assert story.job.arguments == '{"args":[1,2],"kwargs":{}}'
