"""The questions clients ask: a transport scenario and a facility scenario, checked where they enter the platform."""

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args

import msgspec

FAULTS_TOLD = 20

Place = tuple[str | int, ...]
Name = Annotated[str, msgspec.Meta(min_length=1, description="a name")]
# The upper bound keeps infinity out, which is a number to Python's JSON, and what a solver takes for infinity.
Amount = Annotated[float, msgspec.Meta(ge=0, le=1e12, description="a number from 0 to 1e12")]


class Scenario(msgspec.Struct, frozen=True, tag_field="scenario_type"):
    """A question of a client's; its type's name goes with it as `scenario_type`."""

    scenario_id: Name


class Supply(msgspec.Struct, frozen=True):
    """How many units of a product a source can send."""

    source: Name
    product: Name
    units: Amount


class Demand(msgspec.Struct, frozen=True):
    """How many units of a product a destination needs."""

    destination: Name
    product: Name
    units: Amount


class Lane(msgspec.Struct, frozen=True):
    """A way from a source to a destination; its capacity, in units, is shared by all products."""

    source: Name
    destination: Name
    capacity: Amount
    cost_per_unit: Amount


class TransportScenario(Scenario, frozen=True, tag="transport"):
    """The question which lane carries how much, so that all demand is met at the lowest cost."""

    supply: tuple[Supply, ...]
    demand: tuple[Demand, ...]
    lanes: tuple[Lane, ...]


class Warehouse(msgspec.Struct, frozen=True):
    """A site where a warehouse could be opened, at a cost paid once; its capacity is in units."""

    warehouse: Name
    capacity: Amount
    opening_cost: Amount


class Customer(msgspec.Struct, frozen=True):
    """How many units a customer needs."""

    customer: Name
    units: Amount


class Shipping(msgspec.Struct, frozen=True):
    """What one unit costs from a warehouse to a customer; a pair that is not listed is not served."""

    warehouse: Name
    customer: Name
    cost_per_unit: Amount


class FacilityScenario(Scenario, frozen=True, tag="facility"):
    """The question which warehouses open, so that all customers are served at the lowest cost."""

    warehouses: tuple[Warehouse, ...]
    customers: tuple[Customer, ...]
    shipping: tuple[Shipping, ...]


AnyScenario = TypeVar("AnyScenario", bound=Scenario)
Rows = Mapping[str, Sequence[object]]

# The lists of each scenario, and the record each is made of.
RECORDS: dict[type[Scenario], dict[str, type[msgspec.Struct]]] = {
    TransportScenario: {"supply": Supply, "demand": Demand, "lanes": Lane},
    FacilityScenario: {"warehouses": Warehouse, "customers": Customer, "shipping": Shipping},
}
# What must not stand twice in a list.
KEYS = {
    "supply": ("source", "product"),
    "demand": ("destination", "product"),
    "lanes": ("source", "destination"),
    "warehouses": ("warehouse",),
    "customers": ("customer",),
    "shipping": ("warehouse", "customer"),
}
# Where a name in a list must be known from: (list, field, list that knows it).
REFERENCES: dict[type[Scenario], tuple[tuple[str, str, str], ...]] = {
    TransportScenario: (("lanes", "source", "supply"), ("lanes", "destination", "demand")),
    FacilityScenario: (("shipping", "warehouse", "warehouses"), ("shipping", "customer", "customers")),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a scenario: where it stands, what was expected there, and what came."""

    place: Place
    expected: str
    came: str

    def __str__(self) -> str:
        """Tells the fault in one sentence."""
        return f"{_path(self.place)}: expected {self.expected}, got {self.came}."


class ScenarioError(ValueError):
    """A scenario cannot be understood; the message names every fault, and `faults` has them one by one."""

    def __init__(self, message: str, faults: tuple[Fault, ...] = ()) -> None:
        # One positional argument, so that the error survives pickling on its way out of a worker's child process.
        super().__init__(message)
        self.faults = faults


def type_name(scenario_type: type[Scenario]) -> str:
    """Return what a type of scenario is called in arguments and labels: transport or facility."""
    return str(scenario_type.__struct_config__.tag)


def to_plain(scenario: Scenario) -> dict[str, Any]:
    """Return the scenario as plain dicts and lists, fit to be a job's argument."""
    plain: dict[str, Any] = msgspec.to_builtins(scenario)
    return plain


def parse(plain: object, scenario_type: type[AnyScenario]) -> AnyScenario:
    """Return the scenario that plain dicts and lists describe; a number may come as text, as it does in a CSV file.

    That demand exceeds supply is no fault here: it is an answer, and the solver finds it.

    Raises:
        ScenarioError: naming every fault at once.

    """
    faults = tuple(_faults(plain, scenario_type))
    if faults:
        raise ScenarioError(told(faults), faults)
    return msgspec.convert(plain, scenario_type, strict=False)


def told(faults: Sequence[object]) -> str:
    """Return the first faults, one a line, and how many there are beyond them."""
    lines = [str(fault) for fault in faults[:FAULTS_TOLD]]
    if len(faults) > FAULTS_TOLD:
        lines.append(f"… and {len(faults) - FAULTS_TOLD} more.")
    return "\n".join(lines)


def quoted(value: object) -> str:
    """Return what came, short enough for a sentence."""
    return reprlib.repr(value)


def _faults(plain: object, scenario_type: type[Scenario]) -> Iterator[Fault]:
    if not isinstance(plain, Mapping):
        yield Fault((), f"an object that describes a {type_name(scenario_type)} scenario", quoted(plain))
        return
    tag = plain.get("scenario_type", type_name(scenario_type))
    if tag != type_name(scenario_type):
        yield Fault(("scenario_type",), repr(type_name(scenario_type)), quoted(tag))
    yield from _value_faults((), plain, "scenario_id", Name)
    rows = {name: _rows(plain.get(name)) for name in RECORDS[scenario_type]}
    for name, record in RECORDS[scenario_type].items():
        yield from _list_faults(plain, name, record)
        yield from _repeated(name, rows[name])
    for reference in REFERENCES[scenario_type]:
        yield from _unknown(rows, *reference)


def _rows(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _list_faults(plain: Mapping[str, object], name: str, record: type[msgspec.Struct]) -> Iterator[Fault]:
    rows = _rows(plain.get(name))
    if not rows:
        yield Fault((name,), "a list of at least one object", quoted(plain[name]) if name in plain else "nothing")
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            yield Fault((name, index), "an object", quoted(row))
            continue
        for field in msgspec.structs.fields(record):
            yield from _value_faults((name, index), row, field.name, field.type)


def _value_faults(place: Place, row: Mapping[str, object], field: str, kind: Any) -> Iterator[Fault]:
    expected = get_args(kind)[1].description
    if field not in row:
        yield Fault((*place, field), expected, "nothing")
        return
    try:
        msgspec.convert(row[field], kind, strict=False)
    except msgspec.ValidationError:
        yield Fault((*place, field), expected, quoted(row[field]))


def _repeated(name: str, rows: Sequence[object]) -> Iterator[Fault]:
    seen = set()
    for index, row in enumerate(rows):
        key = tuple(_text(row, field) for field in KEYS[name])
        if None not in key and key in seen:
            yield Fault((name, index), f"each {' and '.join(KEYS[name])} once", f"{' and '.join(map(repr, key))} again")
        seen.add(key)


def _unknown(rows: Rows, name: str, field: str, origin: str) -> Iterator[Fault]:
    known = {_text(row, field) for row in rows[origin]}
    for index, row in enumerate(rows[name]):
        value = _text(row, field)
        if value is not None and value not in known:
            yield Fault((name, index, field), f"a {field} named in {origin}", quoted(value))


def _text(row: object, field: str) -> str | None:
    """Return the text in a row's field; None where there is none, a fault that `_value_faults` tells."""
    value = row.get(field) if isinstance(row, Mapping) else None
    return value if isinstance(value, str) and value else None


def _path(place: Place) -> str:
    """Return a place the way Python writes it: lanes[3].capacity."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).lstrip(".") or "scenario"
