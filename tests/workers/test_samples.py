"""Sample scenarios are made of real cities, are the same each time, and have a plan, but for the one that has none."""

import math
from pathlib import Path

import pytest

from tests.workers.scenes import NO_TIME_LIMIT_S
from workers import samples
from workers.make_cities import CITIES_CSV, write_cities
from workers.program import Infeasible
from workers.samples import City, Size, distance_km, facility_scenario, infeasible_scenario, transport_scenario
from workers.scenarios import FacilityScenario, TransportScenario, parse, to_plain
from workers.solver import solve_facility, solve_transport

SIZES: tuple[Size, ...] = ("small", "medium", "large")


def test_the_table_of_cities_is_what_its_generator_writes(tmp_path: Path) -> None:
    """Whoever corrects a city corrects it in make_cities.py, and writes the file anew."""
    write_cities(tmp_path / "cities.csv")

    assert (tmp_path / "cities.csv").read_bytes() == CITIES_CSV.read_bytes()


def test_the_cities_are_sixty_of_europe() -> None:
    """No city stands twice, none lies in the sea, none is empty."""
    cities = samples.cities()

    assert len({city.name for city in cities}) == len(cities) == 60
    assert all(36 < city.latitude_deg < 61 and -10 < city.longitude_deg < 27 for city in cities)
    assert all(city.population > 100_000 for city in cities)


def test_distances_are_those_of_the_globe() -> None:
    """Berlin to Paris is 878 km as the crow flies, a quarter of the equator 10,008 km."""
    berlin, paris = (next(city for city in samples.cities() if city.name == name) for name in ("Berlin", "Paris"))
    equator = [City("", 0, longitude_deg, 0) for longitude_deg in (0.0, 90.0)]

    assert distance_km(berlin, paris) == pytest.approx(878, abs=2)
    assert distance_km(*equator) == pytest.approx(6371 * math.pi / 2)


@pytest.mark.parametrize("size", SIZES)
def test_a_size_and_a_seed_name_one_transport_scenario(size: Size) -> None:
    """A demo, a benchmark and a test speak of the same scenario."""
    scenario = transport_scenario(size, seed=7)

    assert scenario == transport_scenario(size, seed=7)
    assert scenario.lanes != transport_scenario(size, seed=8).lanes
    assert scenario.scenario_id == f"transport-{size}-7"


@pytest.mark.parametrize("size", SIZES)
def test_a_size_and_a_seed_name_one_facility_scenario(size: Size) -> None:
    """The same holds for facilities."""
    scenario = facility_scenario(size, seed=7)

    assert scenario == facility_scenario(size, seed=7)
    assert scenario.customers != facility_scenario(size, seed=8).customers
    assert scenario.scenario_id == f"facility-{size}-7"


@pytest.mark.parametrize("size", SIZES)
def test_samples_pass_the_checks_of_the_border(size: Size) -> None:
    """What the demo sends is not refused, and small enough for a message."""
    transport, facility = transport_scenario(size, seed=1), facility_scenario(size, seed=1)

    assert parse(to_plain(transport), TransportScenario) == transport
    assert parse(to_plain(facility), FacilityScenario) == facility


@pytest.mark.parametrize("seed", range(3))
def test_small_samples_have_a_plan(seed: int) -> None:
    """A transport plan ships all demand; a facility plan opens some warehouses, not all."""
    transport, facility = transport_scenario("small", seed), facility_scenario("small", seed)

    flows = solve_transport(transport, NO_TIME_LIMIT_S)
    sites = solve_facility(facility, NO_TIME_LIMIT_S)

    assert flows.shipped_units == pytest.approx(sum(row.units for row in transport.demand))
    assert 0 < len(sites.open_warehouses) < len(facility.warehouses)


def test_the_infeasible_sample_is_infeasible() -> None:
    """There is a scenario to fail with."""
    with pytest.raises(Infeasible):
        solve_transport(infeasible_scenario(seed=1), NO_TIME_LIMIT_S)
