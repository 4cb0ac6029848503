"""The CSV files that clients send: one file, one scenario.

The file is UTF-8 and separated by commas; its first row names the columns, in any order. The column `kind` says what
a row is, and so which type the scenario is of. A row fills the columns of its kind and leaves the others empty.
Numbers have a decimal point. Empty rows are skipped.

A transport scenario (`workers.scenarios` says what each means):

    kind    columns
    supply  source, product, units
    demand  destination, product, units
    lane    source, destination, capacity, cost_per_unit

A facility scenario:

    kind       columns
    warehouse  warehouse, capacity, opening_cost
    customer   customer, units
    shipping   warehouse, customer, cost_per_unit

The scenario's id is the file's name without its suffix.
"""

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from workers.scenarios import (
    RECORDS,
    FacilityScenario,
    Fault,
    Place,
    Scenario,
    ScenarioError,
    TransportScenario,
    parse,
    quoted,
    told,
)

# What a row of a kind belongs to: a type of scenario, and a list in it.
KINDS: dict[str, tuple[type[Scenario], str]] = {
    "supply": (TransportScenario, "supply"),
    "demand": (TransportScenario, "demand"),
    "lane": (TransportScenario, "lanes"),
    "warehouse": (FacilityScenario, "warehouses"),
    "customer": (FacilityScenario, "customers"),
    "shipping": (FacilityScenario, "shipping"),
}
COLUMNS = {kind: RECORDS[scenario_type][name].__struct_fields__ for kind, (scenario_type, name) in KINDS.items()}


class BadFile(ValueError):  # noqa: N818 - it is the client's file that is wrong
    """A client's file cannot be understood; the message names file, line and column of each fault."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row's texts, and the line of the file that it ends on."""

    line: int
    texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Record:
    """A row whose texts are known by their columns; a short row lacks the last ones."""

    line: int
    texts: dict[str, str]

    @property
    def kind(self) -> str:
        """What the row says it is."""
        return self.texts.get("kind", "")


@dataclass(frozen=True, slots=True)
class CsvFault:
    """One thing wrong with a file; line 0 stands for the whole file, an empty column for the whole line."""

    line: int
    column: str
    expected: str
    came: str


def read_client_csv(path: Path) -> Scenario:
    """Return the scenario that a client's file describes.

    Raises:
        BadFile: naming every fault at once.

    """
    header, *rows = _rows(path)
    records = [Record(row.line, dict(zip(header.texts, row.texts, strict=False))) for row in rows]
    kinds = _kinds_beside(records)
    known = [record for record in records if record.kind in kinds]
    if faults := list(_header_faults(header, known)):  # each of its faults would be one of every row, too
        raise _bad_file(path, faults)
    faults = [*_width_faults(header, rows), *_kind_faults(records, kinds)]
    if not known and faults:  # nobody can say of which type the scenario was to be
        raise _bad_file(path, faults)
    scenario = _scenario(path, known, faults)
    if scenario is None or faults:
        raise _bad_file(path, faults)
    return scenario


def write_client_csv(path: Path, scenario: Scenario) -> None:
    """Write the file that a client would send for this scenario."""
    kinds = _kinds_of(type(scenario))
    columns = dict.fromkeys(column for kind in kinds for column in COLUMNS[kind])
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["kind", *columns])
        writer.writeheader()
        for kind in kinds:
            records = getattr(scenario, KINDS[kind][1])
            writer.writerows({"kind": kind} | msgspec.structs.asdict(record) for record in records)


def _rows(path: Path) -> list[Row]:
    """Return the file's rows that are not empty, the header first."""
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        rows = [Row(reader.line_num, [text.strip() for text in texts]) for texts in reader if any(texts)]
    except csv.Error as error:
        raise _bad_file(path, [CsvFault(reader.line_num, "", "values separated by commas", str(error))]) from None
    if not rows:
        raise _bad_file(path, [CsvFault(0, "", "a first row that names the columns", "an empty file")])
    return rows


def _text(path: Path) -> str:
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise _bad_file(path, [CsvFault(0, "", "a file that can be read", str(error.strerror))]) from None
    try:
        return octets.decode("utf-8-sig")  # Excel begins its UTF-8 files with a mark
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise _bad_file(path, [CsvFault(line, "", "text in UTF-8", repr(octets[error.start : error.end]))]) from None


def _header_faults(header: Row, records: Sequence[Record]) -> Iterator[CsvFault]:
    needed = dict.fromkeys(column for record in records for column in COLUMNS.get(record.kind, ()))
    for column in ("kind", *needed):
        if (count := header.texts.count(column)) != 1:
            came = f"{count} of it" if count else f"the columns {', '.join(header.texts)}"
            yield CsvFault(header.line, "", f"one column {column}", came)


def _width_faults(header: Row, rows: Sequence[Row]) -> Iterator[CsvFault]:
    for row in rows:
        if len(row.texts) != len(header.texts):
            yield CsvFault(row.line, "", f"{len(header.texts)} values", str(len(row.texts)))


def _kinds_beside(records: Sequence[Record]) -> Collection[str]:
    """Return the kinds that may stand in the file: those of its first known kind's scenario type."""
    return next((_kinds_of(KINDS[record.kind][0]) for record in records if record.kind in KINDS), KINDS)


def _kinds_of(scenario_type: type[Scenario]) -> list[str]:
    return [kind for kind, (its_type, _) in KINDS.items() if its_type is scenario_type]


def _kind_faults(records: Sequence[Record], kinds: Collection[str]) -> Iterator[CsvFault]:
    for record in records:
        if record.kind not in kinds:
            yield CsvFault(record.line, "kind", f"one of {', '.join(kinds)}", quoted(record.kind))
            continue
        for column, text in record.texts.items():
            if text and column not in {"kind", *COLUMNS[record.kind]}:
                yield CsvFault(record.line, column, f"nothing for a {record.kind}", quoted(text))


def _scenario(path: Path, records: Sequence[Record], faults: list[CsvFault]) -> Scenario | None:
    """Return the scenario the records describe; None where they have faults, which are added to the others."""
    scenario_type = KINDS[records[0].kind][0] if records else TransportScenario
    plain: dict[str, Any] = {"scenario_id": path.stem, **{KINDS[kind][1]: [] for kind in _kinds_of(scenario_type)}}
    lines: dict[Place, int] = {}
    for record in records:
        name = KINDS[record.kind][1]
        lines[name, len(plain[name])] = record.line
        plain[name].append(record.texts)
    try:
        return parse(plain, scenario_type)
    except ScenarioError as error:
        faults += [_csv_fault(fault, lines) for fault in error.faults]
        return None


def _csv_fault(fault: Fault, lines: dict[Place, int]) -> CsvFault:
    if len(fault.place) == 1:
        kind = next(kind for kind, (_, name) in KINDS.items() if name == fault.place[0])
        return CsvFault(0, "", f"at least one row of kind {kind}", "none")
    return CsvFault(lines[fault.place[:2]], "".join(map(str, fault.place[2:])), fault.expected, fault.came)


def _bad_file(path: Path, faults: Sequence[CsvFault]) -> BadFile:
    return BadFile(told([_sentence(path, fault) for fault in sorted(faults, key=lambda fault: fault.line)]))


def _sentence(path: Path, fault: CsvFault) -> str:
    line = f", line {fault.line}" if fault.line else ""
    column = f", column {fault.column}" if fault.column else ""
    return f"{path}{line}{column}: expected {fault.expected}, got {fault.came}."
