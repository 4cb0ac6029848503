"""The solver finds the best plan, says when there is none, and keeps to its time."""

import msgspec
import pytest

from tests.workers.scenes import NO_TIME_LIMIT_S, facility_plain, transport_plain
from workers.program import Infeasible, OutOfTime
from workers.samples import facility_scenario, transport_scenario
from workers.scenarios import Customer, Demand, FacilityScenario, Lane, Supply, TransportScenario, parse
from workers.solver import solve_facility, solve_transport


def test_a_full_lane_sends_the_rest_another_way() -> None:
    """The cheapest lane carries what it can, and not more."""
    plan = solve_transport(parse(transport_plain(), TransportScenario), NO_TIME_LIMIT_S)

    assert plan.objective_cost == pytest.approx(32)
    assert plan.shipped_units == pytest.approx(10)
    assert plan.open_warehouses == []


def test_products_share_a_lane() -> None:
    """Two products that would each fit on the cheap lane alone do not fit together."""
    scenario = TransportScenario(
        "shared",
        supply=(Supply("Oslo", "steel", 5), Supply("Oslo", "wood", 5), Supply("Riga", "wood", 5)),
        demand=(Demand("Bonn", "steel", 5), Demand("Bonn", "wood", 5)),
        lanes=(Lane("Oslo", "Bonn", 6, 1), Lane("Riga", "Bonn", 9, 10)),
    )

    plan = solve_transport(scenario, NO_TIME_LIMIT_S)

    assert plan.objective_cost == pytest.approx(6 * 1 + 4 * 10)


def test_the_cheapest_warehouse_serves_all() -> None:
    """One warehouse with longer ways is better than two."""
    plan = solve_facility(parse(facility_plain(), FacilityScenario), NO_TIME_LIMIT_S)

    assert plan.objective_cost == pytest.approx(120)
    assert plan.shipped_units == 10
    assert plan.open_warehouses == ["Lyon"]


def test_a_second_warehouse_opens_when_the_first_is_full() -> None:
    """A customer may be served by two warehouses, each within its capacity."""
    customers = (Customer("Ana", 5), Customer("Ben", 9))
    scenario = msgspec.structs.replace(parse(facility_plain(), FacilityScenario), customers=customers)

    plan = solve_facility(scenario, NO_TIME_LIMIT_S)

    assert plan.objective_cost == pytest.approx(100 + 110 + 5 * 1 + 9 * 1)
    assert plan.open_warehouses == ["Lyon", "Nice"]


@pytest.mark.parametrize(
    "changes",
    [
        {"demand": [{"destination": "Bonn", "product": "steel", "units": 16}]},
        {"demand": [{"destination": "Bonn", "product": "wood", "units": 1}]},
        {
            "supply": [
                {"source": "Oslo", "product": "steel", "units": 5},
                {"source": "Riga", "product": "steel", "units": 4},
            ]
        },
    ],
    ids=["beyond all lanes", "a product nobody has", "beyond all supplies"],
)
def test_demand_that_cannot_be_met_is_infeasible(changes: dict[str, object]) -> None:
    """No plan is better than a plan that leaves a destination short."""
    with pytest.raises(Infeasible):
        solve_transport(parse(transport_plain(**changes), TransportScenario), NO_TIME_LIMIT_S)


def test_customers_beyond_all_warehouses_are_infeasible() -> None:
    """The same holds for facilities."""
    customers = [{"customer": "Ana", "units": 5}, {"customer": "Ben", "units": 16}]

    with pytest.raises(Infeasible):
        solve_facility(parse(facility_plain(customers=customers), FacilityScenario), NO_TIME_LIMIT_S)


def test_a_transport_search_keeps_to_its_time() -> None:
    """A search that is not done in time ends without a plan."""
    with pytest.raises(OutOfTime):
        solve_transport(transport_scenario("medium", seed=1), time_limit_s=0.01)


def test_a_facility_search_keeps_to_its_time() -> None:
    """The same holds for facilities: the best plan so far is not the best plan."""
    with pytest.raises(OutOfTime):
        solve_facility(facility_scenario("medium", seed=1), time_limit_s=0.05)


def test_the_solver_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    """A worker's log holds no banner of the solver's."""
    solve_transport(parse(transport_plain(), TransportScenario), NO_TIME_LIMIT_S)

    assert capfd.readouterr() == ("", "")
