"""The platform's configuration holds together: queues, routes, limits, schedule."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.job import OWN
from tests.workers.scenes import platform_env
from tests.workers_process import worker_environment


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the application says about itself, configured for Redis."""
    return facts_with(tmp_path_factory.mktemp("app"), "redis://127.0.0.1:1/0")


def test_every_task_has_the_queue_of_its_kind(facts: dict[str, Any]) -> None:
    """No job is left to the default queue by accident."""
    assert facts["queue_by_task"] == {
        "files.process": "file-processing",
        "optimization.facility": "optimization",
        "optimization.transport": "optimization",
        **dict.fromkeys(OWN, "monitoring"),
    }
    assert facts["queues"] == ["file-processing", "monitoring", "optimization"]


def test_a_queue_that_nobody_consumes_is_refused(facts: dict[str, Any]) -> None:
    """A slip of the pen fails where the job is sent."""
    assert facts["typo_is_refused"]


def test_a_job_ends_before_redis_gives_it_to_another_worker(facts: dict[str, Any]) -> None:
    """Else it would run twice at once."""
    soft_s, hard_s = facts["time_limits_s"]

    assert soft_s < hard_s < facts["transport_options"]["visibility_timeout"]


def test_rabbitmq_confirms_each_job(tmp_path: Path) -> None:
    """It gets its own options, and none of Redis's."""
    facts = facts_with(tmp_path, "amqp://127.0.0.1:1//")

    assert facts["transport_options"] == {"confirm_publish": True}


def test_every_scheduled_job_has_a_task_and_its_queue(facts: dict[str, Any]) -> None:
    """Beat sends nothing that no worker knows, and nothing to a queue of the clients' jobs."""
    assert facts["is_scheduled"]
    assert {entry["queue"] for entry in facts["schedule"].values()} == {"monitoring"}
    assert {facts["queue_by_task"][entry["task"]] for entry in facts["schedule"].values()} == {"monitoring"}


def test_a_scheduled_job_expires_when_the_next_is_due(facts: dict[str, Any]) -> None:
    """They do not pile up while no worker is there to run them."""
    assert all(entry["expires"] == entry["every_s"] for entry in facts["schedule"].values())


def facts_with(directory: Path, broker_url: str) -> dict[str, Any]:
    """Run app_facts.py with a broker."""
    env = worker_environment(platform_env(directory, broker_url, "redis://127.0.0.1:1/1"))
    script = Path(__file__).with_name("app_facts.py")
    answer = subprocess.run(
        [sys.executable, script], cwd=directory, env=env, capture_output=True, text=True, check=True
    )
    facts: dict[str, Any] = json.loads(answer.stdout)
    return facts
