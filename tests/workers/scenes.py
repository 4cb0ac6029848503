"""Small scenarios whose best plan can be found by hand, and the platform's worker on a broker of the tests'."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from celery import Celery
from celery.result import AsyncResult

from tests.workers_process import CeleryProcess

NO_TIME_LIMIT_S = 60.0


def transport_plain(**changes: Any) -> dict[str, Any]:
    """10 units from Oslo to Bonn: 6 by the cheap lane, which is full then, and 4 by way of Riga; 6·2 + 4·5 = 32."""
    scenario: dict[str, Any] = {
        "scenario_type": "transport",
        "scenario_id": "northern",
        "supply": [
            {"source": "Oslo", "product": "steel", "units": 20},
            {"source": "Riga", "product": "steel", "units": 20},
        ],
        "demand": [{"destination": "Bonn", "product": "steel", "units": 10}],
        "lanes": [
            {"source": "Oslo", "destination": "Bonn", "capacity": 6, "cost_per_unit": 2},
            {"source": "Riga", "destination": "Bonn", "capacity": 9, "cost_per_unit": 5},
        ],
    }
    return scenario | changes


def facility_plain(**changes: Any) -> dict[str, Any]:
    """Two customers of 5 units each; one warehouse in Lyon for both, 100 + 5·1 + 5·3 = 120, is cheaper than two."""
    scenario: dict[str, Any] = {
        "scenario_type": "facility",
        "scenario_id": "southern",
        "warehouses": [
            {"warehouse": "Lyon", "capacity": 10, "opening_cost": 100},
            {"warehouse": "Nice", "capacity": 10, "opening_cost": 110},
        ],
        "customers": [{"customer": "Ana", "units": 5}, {"customer": "Ben", "units": 5}],
        "shipping": [
            {"warehouse": "Lyon", "customer": "Ana", "cost_per_unit": 1},
            {"warehouse": "Lyon", "customer": "Ben", "cost_per_unit": 3},
            {"warehouse": "Nice", "customer": "Ana", "cost_per_unit": 2},
            {"warehouse": "Nice", "customer": "Ben", "cost_per_unit": 1},
        ],
    }
    return scenario | changes


def platform_env(directory: Path, broker_url: str, result_backend: str) -> dict[str, str]:
    """The environment of the platform's programs, with the monitor's store in the directory."""
    return {
        "CELERY_BROKER_URL": broker_url,
        "CELERY_RESULT_BACKEND": result_backend,
        "MONITOR_STORE_URL": f"sqlite:///{directory}/store.db",
        "MONITOR_SPOOL_DIR": f"{directory}/spool",
    }


def platform_worker(directory: Path, env: Mapping[str, str], *queues: str) -> CeleryProcess:
    """The platform's worker for some of its queues."""
    return CeleryProcess(app="workers", cwd=directory, queues=queues, env=env)


def send(env: Mapping[str, str], task: str, argument: object, queue: str, **options: Any) -> AsyncResult:
    """Send a job by its task's name, from an application that is not the platform's own; its queue is there already."""
    broker_url, result_backend = env["CELERY_BROKER_URL"], env["CELERY_RESULT_BACKEND"]
    app = Celery("client", broker=broker_url, backend=result_backend, set_as_current=False)
    result: AsyncResult = app.send_task(task, [argument], queue=queue, declare=(), **options)
    return result
