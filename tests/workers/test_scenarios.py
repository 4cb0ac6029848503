"""A scenario is understood whole or refused whole, with every fault named."""

import json
import math
import pickle

import pytest

from tests.workers.scenes import facility_plain, transport_plain
from workers.scenarios import FacilityScenario, Lane, ScenarioError, TransportScenario, parse, to_plain


def test_a_transport_scenario_comes_back_as_it_was_sent() -> None:
    """What is sent as a job's argument is read as the same scenario."""
    scenario = parse(transport_plain(), TransportScenario)

    sent = json.loads(json.dumps(to_plain(scenario)))

    assert sent == transport_plain()
    assert parse(sent, TransportScenario) == scenario
    assert scenario.lanes[0] == Lane("Oslo", "Bonn", 6, 2)


def test_a_facility_scenario_comes_back_as_it_was_sent() -> None:
    """What is sent as a job's argument is read as the same scenario."""
    scenario = parse(facility_plain(), FacilityScenario)

    assert parse(to_plain(scenario), FacilityScenario) == scenario


def test_every_fault_is_told_at_once() -> None:
    """Whoever sends a scenario mends it in one go."""
    plain = transport_plain(
        scenario_id="",
        supply=[{"source": "Oslo", "product": "steel", "units": "many"}, {"source": "Riga", "units": 20}],
        lanes=[{"source": "Rome", "destination": "Bonn", "capacity": -1, "cost_per_unit": 2}, "Riga to Bonn"],
    )

    with pytest.raises(ScenarioError) as caught:
        parse(plain, TransportScenario)

    assert str(caught.value).splitlines() == [
        "scenario_id: expected a name, got ''.",
        "supply[0].units: expected a number from 0 to 1e12, got 'many'.",
        "supply[1].product: expected a name, got nothing.",
        "lanes[0].capacity: expected a number from 0 to 1e12, got -1.",
        "lanes[1]: expected an object, got 'Riga to Bonn'.",
        "lanes[0].source: expected a source named in supply, got 'Rome'.",
    ]


@pytest.mark.parametrize("came", [math.nan, math.inf, -0.5, 1e13, True, None, [], "1,5"])
def test_only_a_sound_number_is_an_amount(came: object) -> None:
    """What a solver would make nonsense of does not reach it."""
    demand = [{"destination": "Bonn", "product": "steel", "units": came}]

    with pytest.raises(ScenarioError, match=r"demand\[0\].units: expected a number from 0 to 1e12, got "):
        parse(transport_plain(demand=demand), TransportScenario)


def test_what_stands_twice_is_a_fault() -> None:
    """Which of two costs of one lane is meant, nobody can say."""
    lanes = [*transport_plain()["lanes"], {"source": "Oslo", "destination": "Bonn", "capacity": 1, "cost_per_unit": 1}]

    with pytest.raises(ScenarioError) as caught:
        parse(transport_plain(lanes=lanes), TransportScenario)

    assert str(caught.value) == "lanes[2]: expected each source and destination once, got 'Oslo' and 'Bonn' again."


def test_an_unknown_customer_is_a_fault() -> None:
    """Shipping to a customer without demand is a slip of the pen."""
    shipping = [{"warehouse": "Lyon", "customer": "Eve", "cost_per_unit": 1}]

    with pytest.raises(ScenarioError, match=r"shipping\[0\].customer: .* named in customers, got 'Eve'"):
        parse(facility_plain(shipping=shipping), FacilityScenario)


@pytest.mark.parametrize("lanes", [[], None, {"Oslo": "Bonn"}])
def test_a_list_must_be_there(lanes: object) -> None:
    """A scenario without lanes is not half a scenario."""
    with pytest.raises(ScenarioError, match="lanes: expected a list of at least one object, got "):
        parse(transport_plain(lanes=lanes), TransportScenario)


@pytest.mark.parametrize("came", [None, [], "northern"])
def test_what_is_no_object_is_refused(came: object) -> None:
    """The whole argument may be wrong."""
    with pytest.raises(ScenarioError, match="scenario: expected an object that describes a transport scenario, got "):
        parse(came, TransportScenario)


def test_a_scenario_of_the_other_type_is_refused() -> None:
    """A facility scenario sent to the transport job is told so first."""
    with pytest.raises(ScenarioError, match=r"^scenario_type: expected 'transport', got 'facility'\."):
        parse(facility_plain(), TransportScenario)


def test_more_demand_than_supply_is_no_fault_of_the_scenario() -> None:
    """That is an answer, and the solver's to give."""
    demand = [{"destination": "Bonn", "product": "steel", "units": 1000}]

    assert parse(transport_plain(demand=demand), TransportScenario).demand[0].units == 1000


def test_a_flood_of_faults_is_told_by_its_first_and_its_number() -> None:
    """A wrong export of a million rows does not fill the logs."""
    lanes = [{"source": "Oslo", "destination": f"Bonn {n}", "capacity": 1, "cost_per_unit": 1} for n in range(1000)]

    with pytest.raises(ScenarioError) as caught:
        parse(transport_plain(lanes=lanes), TransportScenario)

    lines = str(caught.value).splitlines()
    assert (len(lines), lines[-1], len(caught.value.faults)) == (21, "… and 980 more.", 1000)


def test_the_error_survives_pickling() -> None:
    """It leaves a worker's child process as it was raised."""
    with pytest.raises(ScenarioError) as caught:
        parse({}, TransportScenario)

    error = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own

    assert (str(error), error.faults) == (str(caught.value), caught.value.faults)
