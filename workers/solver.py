"""Finds the cheapest plan: a transport scenario is a linear program, a facility scenario an integer one."""

from collections import defaultdict
from dataclasses import dataclass

from workers.program import Program
from workers.scenarios import FacilityScenario, TransportScenario

# A facility plan within this fraction of the lowest cost is good enough, and is found several times sooner.
FACILITY_GAP = 0.001


@dataclass(frozen=True, slots=True)
class Plan:
    """What the best plan costs, what it ships, and which warehouses it opens (none in a transport scenario)."""

    objective_cost: float
    shipped_units: float
    open_warehouses: list[str]
    solve_s: float


def solve_transport(scenario: TransportScenario, time_limit_s: float) -> Plan:
    """Return the cheapest flows that meet all demand; a column is the flow of one product on one lane.

    Raises:
        Infeasible: no flows meet all demand.
        OutOfTime: the search took more than `time_limit_s` seconds.

    """
    program = Program()
    supply = {(row.source, row.product): row.units for row in scenario.supply}
    demand = {(row.destination, row.product): row.units for row in scenario.demand}
    leaving, arriving = defaultdict(list), defaultdict(list)
    for lane in scenario.lanes:
        flows = []
        for product in dict.fromkeys(row.product for row in scenario.demand):
            if (lane.source, product) in supply and (lane.destination, product) in demand:
                flows.append(program.column(lane.cost_per_unit))
                leaving[lane.source, product].append(flows[-1])
                arriving[lane.destination, product].append(flows[-1])
        program.row(flows, at_most=lane.capacity)
    for place, units in supply.items():
        program.row(leaving[place], at_most=units)
    for place, units in demand.items():
        program.row(arriving[place], at_least=units)
    solution = program.minimize(time_limit_s=time_limit_s)
    return Plan(solution.cost, float(solution.values.sum()), [], solution.solve_s)


def solve_facility(scenario: FacilityScenario, time_limit_s: float) -> Plan:
    """Return the cheapest choice of warehouses that serves all customers, to within FACILITY_GAP.

    A column says whether a warehouse opens, or which share of a customer's demand comes from a warehouse. That each
    share needs an open warehouse is a row of its own: the larger program is solved far sooner, for its relaxation is
    closer (the strong formulation of Cornuéjols, Nemhauser and Wolsey, The Uncapacitated Facility Location Problem,
    1990).

    Raises:
        Infeasible: all warehouses together cannot serve all customers.
        OutOfTime: the search took more than `time_limit_s` seconds.

    """
    program = Program()
    demand = {row.customer: row.units for row in scenario.customers}
    opens = {site.warehouse: program.column(site.opening_cost, yes_or_no=True) for site in scenario.warehouses}
    loads = defaultdict[str, dict[int, float]](dict)
    shares = defaultdict[str, list[int]](list)
    for way in scenario.shipping:
        units = demand[way.customer]
        share = program.column(way.cost_per_unit * units)
        program.row({share: 1, opens[way.warehouse]: -1}, at_most=0)
        loads[way.warehouse][share] = units
        shares[way.customer].append(share)
    for site in scenario.warehouses:
        program.row({**loads[site.warehouse], opens[site.warehouse]: -site.capacity}, at_most=0)
    for customer in demand:
        program.row(shares[customer], at_least=1)
    solution = program.minimize(time_limit_s=time_limit_s, gap=FACILITY_GAP)
    opened = [warehouse for warehouse, column in opens.items() if round(solution.values[column]) == 1]
    return Plan(solution.cost, sum(demand.values()), opened, solution.solve_s)
