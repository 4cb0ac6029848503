"""An optimization job answers with a small plan, and fails with an error that says why."""

import json
import pickle

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from tests.workers.scenes import facility_plain, transport_plain
from workers import optimization
from workers.optimization import InfeasibleScenario
from workers.samples import transport_scenario
from workers.scenarios import ScenarioError, to_plain


def test_a_transport_job_answers_with_a_small_plan() -> None:
    """Cost, units and time, fit for any result backend."""
    plan = optimization.transport(transport_plain())

    assert plan == {
        "objective_cost": pytest.approx(32),
        "shipped_units": pytest.approx(10),
        "open_warehouses": [],
        "solve_s": pytest.approx(0, abs=10),
    }
    assert json.loads(json.dumps(plan)) == plan


def test_a_facility_job_names_the_warehouses_to_open() -> None:
    """The names, not their number."""
    plan = optimization.facility(facility_plain())

    assert plan["open_warehouses"] == ["Lyon"]
    assert plan["objective_cost"] == pytest.approx(120)
    assert json.loads(json.dumps(plan)) == plan


def test_an_infeasible_scenario_has_an_error_of_its_own() -> None:
    """It names the scenario, and survives pickling on its way out of a worker's child process."""
    demand = [{"destination": "Bonn", "product": "steel", "units": 1000}]

    with pytest.raises(InfeasibleScenario, match="No plan meets the demand of scenario 'northern'") as caught:
        optimization.transport(transport_plain(demand=demand))

    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - our own


def test_a_faulty_scenario_is_refused() -> None:
    """The solver never sees it."""
    with pytest.raises(ScenarioError, match="scenario_type: expected 'facility', got 'transport'"):
        optimization.facility(transport_plain())


def test_the_solver_keeps_the_soft_time_limit_where_the_pool_does_not() -> None:
    """Sent with a limit and run without a pool, which would have sent a signal, the job ends all the same."""
    scenario = to_plain(transport_scenario("medium", seed=1))
    task = optimization.transport
    task.push_request(timelimit=(None, 0.01))

    try:
        with pytest.raises(SoftTimeLimitExceeded):
            task.run(scenario)
    finally:
        task.pop_request()
