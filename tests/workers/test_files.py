"""A client's file becomes a solved job of the same family, through each broker that the platform is configured for."""

import json
from pathlib import Path

import pytest
from celery.result import AsyncResult

from monitor.store import open_store, reads
from tests.workers.scenes import platform_env, platform_worker, send, transport_plain
from workers.client_csv import write_client_csv
from workers.scenarios import TransportScenario, parse

ANSWER_TIMEOUT_S = 30


@pytest.fixture(params=["redis_url", "amqp_url"], ids=["redis", "rabbitmq"])
def env(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> dict[str, str]:
    """The platform's environment, its broker without messages."""
    return platform_env(tmp_path, request.getfixturevalue(request.param), redis_url)


def test_a_file_becomes_a_solved_job_of_its_family(env: dict[str, str], tmp_path: Path) -> None:
    """The job it sends is its child, and both are labelled with their scenario."""
    orders = tmp_path / "orders.csv"
    write_client_csv(orders, parse(transport_plain(), TransportScenario))

    with platform_worker(tmp_path, env, "file-processing", "optimization") as worker:
        sent = send(env, "files.process", str(orders), "file-processing")
        answer = sent.get(ANSWER_TIMEOUT_S)
        plan = AsyncResult(answer["job_id"], app=sent.app).get(ANSWER_TIMEOUT_S)
        worker.terminate()

    assert answer | plan == {
        "scenario_type": "transport",
        "scenario_id": "orders",
        "job_id": answer["job_id"],
        "objective_cost": pytest.approx(32),
        "shipped_units": pytest.approx(10),
        "open_warehouses": [],
        "solve_s": plan["solve_s"],
    }
    jobs = {job.id: job for job in reads.jobs_matching(open_store(env["MONITOR_STORE_URL"]), reads.JobFilter())}
    parent, child = jobs[str(sent.id)], jobs[answer["job_id"]]
    assert [(job.task, job.queue) for job in (parent, child)] == [
        ("files.process", "file-processing"),
        ("optimization.transport", "optimization"),
    ]
    assert (child.root, child.parent) == (parent.id, parent.id)
    labels = {"scenario_type": "transport", "scenario_id": "orders"}
    assert [json.loads(job.labels or "{}") for job in (parent, child)] == [labels, labels]


def test_a_bad_file_fails_with_its_faults(redis_url: str, tmp_path: Path) -> None:
    """The sender learns line and column, and no job is sent."""
    env = platform_env(tmp_path, redis_url, redis_url)
    orders = tmp_path / "orders.csv"
    orders.write_text("kind,source,product,units\nsupply,Oslo,steel,many\n")

    with platform_worker(tmp_path, env, "file-processing"):
        sent = send(env, "files.process", str(orders), "file-processing")
        error = sent.get(ANSWER_TIMEOUT_S, propagate=False)

    assert type(error).__name__ == "BadFile"
    assert f"{orders}, line 2, column units: expected a number from 0 to 1e12, got 'many'." in str(error)
