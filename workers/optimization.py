"""The optimization jobs: each solves one scenario with HiGHS and answers with a few figures."""

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from celery import Task, shared_task
from celery.exceptions import SoftTimeLimitExceeded
from celery.result import AsyncResult

from monitor import label
from workers.program import Infeasible, OutOfTime
from workers.scenarios import AnyScenario, FacilityScenario, Scenario, TransportScenario, parse, to_plain, type_name
from workers.solver import Plan, solve_facility, solve_transport


class InfeasibleScenario(Exception):  # noqa: N818 - it is an answer about the scenario, not an error of the program
    """No plan meets the scenario's demand, whatever it may cost."""


@shared_task(name="optimization.transport", bind=True)
def transport(self: Task, scenario: dict[str, Any]) -> dict[str, Any]:
    """Return the cheapest way to meet all demand over lanes of limited capacity.

    Raises:
        ScenarioError: naming every fault of the scenario.
        InfeasibleScenario: no plan meets the demand.
        SoftTimeLimitExceeded: the soft time limit came first.

    """
    return _solve(self, scenario, TransportScenario, solve_transport)


@shared_task(name="optimization.facility", bind=True)
def facility(self: Task, scenario: dict[str, Any]) -> dict[str, Any]:
    """Return the cheapest choice of warehouses to open; raises what `transport` raises."""
    return _solve(self, scenario, FacilityScenario, solve_facility)


def send(scenario: Scenario) -> AsyncResult:
    """Send the job that solves the scenario."""
    task = transport if isinstance(scenario, TransportScenario) else facility
    result: AsyncResult = task.delay(to_plain(scenario))
    return result


def _solve(
    task: Task,
    plain: dict[str, Any],
    scenario_type: type[AnyScenario],
    solve: Callable[[AnyScenario, float], Plan],
) -> dict[str, Any]:
    label(scenario_type=type_name(scenario_type))
    scenario = parse(plain, scenario_type)
    label(scenario_id=scenario.scenario_id)
    time_limit_s = _soft_time_limit_s(task)
    try:
        return asdict(solve(scenario, time_limit_s))
    except Infeasible:
        raise InfeasibleScenario(f"No plan meets the demand of scenario {scenario.scenario_id!r}.") from None
    except OutOfTime:
        # A signal waits until the solver returns to Python, and only prefork sends one for the soft time limit: so
        # HiGHS keeps the limit itself, and the job's fate is the same in every pool.
        raise SoftTimeLimitExceeded(time_limit_s) from None


def _soft_time_limit_s(task: Task) -> float:
    """Return the limit this job was sent with, else the application's, else none."""
    _, soft_s = task.request.timelimit or (None, None)
    return float(soft_s or task.app.conf.task_soft_time_limit or math.inf)
