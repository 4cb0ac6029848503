"""Sample scenarios of three sizes, made of real cities; the same size and seed always make the same scenario."""

import csv
import math
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import msgspec

from workers.make_cities import CITIES_CSV
from workers.scenarios import Customer, Demand, FacilityScenario, Lane, Shipping, Supply, TransportScenario, Warehouse

Size = Literal["small", "medium", "large"]


class TransportSize(NamedTuple):
    """How many there are of what in a transport scenario."""

    sources: int
    destinations: int
    lanes: int  # to each destination
    products: int


class FacilitySize(NamedTuple):
    """How many there are of what in a facility scenario."""

    warehouses: int
    customers: int


# Solved in about 10 ms, 1 s and 10 s of a core's time. A linear program's time hardly varies with the seed; an integer
# program's does, from a tenth of that to three times as much. What makes the linear one hard is that products compete
# for the lanes: with one product, ten seconds would take millions of lanes.
TRANSPORT_SIZES: dict[Size, TransportSize] = {
    "small": TransportSize(sources=10, destinations=50, lanes=8, products=4),
    "medium": TransportSize(sources=40, destinations=200, lanes=10, products=9),
    "large": TransportSize(sources=60, destinations=300, lanes=10, products=12),
}
FACILITY_SIZES: dict[Size, FacilitySize] = {
    "small": FacilitySize(warehouses=8, customers=25),
    "medium": FacilitySize(warehouses=35, customers=120),
    "large": FacilitySize(warehouses=55, customers=220),
}

EARTH_RADIUS_KM = 6371.0
SUBURB_SPREAD_DEG = 0.3
COST_PER_KM = 0.05  # for one unit
SLACK = 1.1  # supplies and lanes have this many times the capacity that one possible plan uses
OPENING_COST = 200.0  # of a warehouse for one unit; for n units, the square root of n times this


@dataclass(frozen=True, slots=True)
class City:
    """A place on the map."""

    name: str
    latitude_deg: float
    longitude_deg: float
    population: int


def transport_scenario(size: Size, seed: int) -> TransportScenario:
    """Return a transport scenario that has a plan: one is drawn first, and supplies and lanes are made to fit it."""
    chance = random.Random(f"transport {size} {seed}")
    counts = TRANSPORT_SIZES[size]
    sources = chance.sample(cities(), counts.sources)
    demand, lanes, sent = [], [], defaultdict[tuple[str, str], float](float)
    for destination in _suburbs(counts.destinations, chance):
        nearest = _nearest(sources, destination)[: counts.lanes]
        carried = defaultdict[str, float](float)
        for product in (f"product {number}" for number in range(1, counts.products + 1)):
            units = chance.randint(10, 100)
            demand.append(Demand(destination.name, product, units))
            for source, share in zip(nearest, _shares(len(nearest), chance), strict=True):
                carried[source.name] += units * share
                sent[source.name, product] += units * share
        lanes += [_lane(source, destination, carried[source.name]) for source in nearest]
    supply = [Supply(source, product, math.ceil(units * SLACK)) for (source, product), units in sent.items()]
    return TransportScenario(f"transport-{size}-{seed}", tuple(supply), tuple(demand), tuple(lanes))


def facility_scenario(size: Size, seed: int) -> FacilityScenario:
    """Return a facility scenario whose warehouses could serve four times the demand, were they all open."""
    chance = random.Random(f"facility {size} {seed}")
    counts = FACILITY_SIZES[size]
    sites = chance.sample(cities(), counts.warehouses)
    places = _suburbs(counts.customers, chance)
    customers = [Customer(place.name, chance.randint(10, 100)) for place in places]
    mean_capacity = 4 * sum(customer.units for customer in customers) / counts.warehouses
    warehouses = [_warehouse(site, mean_capacity, chance) for site in sites]
    shipping = [Shipping(site.name, place.name, _cost_per_unit(site, place)) for site in sites for place in places]
    return FacilityScenario(f"facility-{size}-{seed}", tuple(warehouses), tuple(customers), tuple(shipping))


def infeasible_scenario(seed: int) -> TransportScenario:
    """Return a small transport scenario that asks for far more than its sources have."""
    scenario = transport_scenario("small", seed)
    demand = tuple(Demand(row.destination, row.product, 10 * row.units) for row in scenario.demand)
    return msgspec.structs.replace(scenario, scenario_id=f"transport-infeasible-{seed}", demand=demand)


@cache
def cities() -> tuple[City, ...]:
    """Return the cities of cities.csv."""
    with CITIES_CSV.open(newline="", encoding="utf-8") as file:
        return tuple(
            City(row["name"], float(row["latitude_deg"]), float(row["longitude_deg"]), int(row["population"]))
            for row in csv.DictReader(file)
        )


def distance_km(one: City, other: City) -> float:
    """Return the distance on the globe (the haversine formula: Sinnott, Virtues of the Haversine, 1984)."""
    latitude_1, latitude_2 = math.radians(one.latitude_deg), math.radians(other.latitude_deg)
    half_latitude = (latitude_2 - latitude_1) / 2
    half_longitude = math.radians(other.longitude_deg - one.longitude_deg) / 2
    square = math.sin(half_latitude) ** 2 + math.cos(latitude_1) * math.cos(latitude_2) * math.sin(half_longitude) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(square))


def _suburbs(count: int, chance: random.Random) -> list[City]:
    """Return places around the cities, more of them where more people live: "Paris 1", "Paris 2", "Vilnius 1"."""
    centres = chance.choices(cities(), weights=[city.population for city in cities()], k=count)
    numbers = Counter[str]()
    suburbs = []
    for centre in centres:
        numbers[centre.name] += 1
        suburbs.append(_suburb(centre, numbers[centre.name], chance))
    return suburbs


def _suburb(centre: City, number: int, chance: random.Random) -> City:
    latitude_deg = centre.latitude_deg + chance.uniform(-SUBURB_SPREAD_DEG, SUBURB_SPREAD_DEG)
    longitude_deg = centre.longitude_deg + chance.uniform(-SUBURB_SPREAD_DEG, SUBURB_SPREAD_DEG)
    return City(f"{centre.name} {number}", latitude_deg, longitude_deg, centre.population)


def _nearest(sources: list[City], destination: City) -> list[City]:
    return sorted(sources, key=lambda source: distance_km(source, destination))


def _shares(count: int, chance: random.Random) -> list[float]:
    """Return parts of a whole, most of them small: the cheapest plan is then far from the one drawn."""
    parts = [chance.random() ** 3 for _ in range(count)]
    return [part / sum(parts) for part in parts]


def _lane(source: City, destination: City, carried_units: float) -> Lane:
    capacity = math.ceil(carried_units * SLACK)
    return Lane(source.name, destination.name, capacity, _cost_per_unit(source, destination))


def _warehouse(site: City, mean_capacity: float, chance: random.Random) -> Warehouse:
    capacity = round(mean_capacity * chance.uniform(0.5, 1.5))
    # Larger is cheaper by the unit, as in life.
    opening_cost = round(OPENING_COST * math.sqrt(capacity) * chance.uniform(0.7, 1.3))
    return Warehouse(site.name, capacity, opening_cost)


def _cost_per_unit(source: City, destination: City) -> float:
    return round(COST_PER_KM * distance_km(source, destination), 2)
