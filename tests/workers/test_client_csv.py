"""A client's file is read whole or refused whole, with file, line and column of every fault."""

import pickle
from pathlib import Path

import pytest

from tests.workers.scenes import facility_plain, transport_plain
from workers.client_csv import BadFile, read_client_csv, write_client_csv
from workers.scenarios import FacilityScenario, TransportScenario, parse

HEADER = "kind,source,destination,product,units,capacity,cost_per_unit\n"
TRANSPORT_KINDS = ("supply", "demand", "lane")
SOUND = """\
supply,Oslo,,steel,20,,
supply,Riga,,steel,20,,
demand,,Bonn,steel,10,,
lane,Oslo,Bonn,,,6,2
lane,Riga,Bonn,,,9,5
"""


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """The path of a client's file."""
    return tmp_path / "northern.csv"


def test_a_transport_file_is_a_scenario(orders: Path) -> None:
    """Its id is the file's name."""
    orders.write_text(HEADER + SOUND)

    assert read_client_csv(orders) == parse(transport_plain(), TransportScenario)


def test_a_facility_file_is_a_scenario(tmp_path: Path) -> None:
    """The kinds of its rows say of which type it is."""
    path = tmp_path / "southern.csv"
    path.write_text("""\
kind,warehouse,customer,capacity,opening_cost,units,cost_per_unit
warehouse,Lyon,,10,100,,
warehouse,Nice,,10,110,,
customer,,Ana,,,5,
customer,,Ben,,,5,
shipping,Lyon,Ana,,,,1
shipping,Lyon,Ben,,,,3
shipping,Nice,Ana,,,,2
shipping,Nice,Ben,,,,1
""")

    assert read_client_csv(path) == parse(facility_plain(), FacilityScenario)


@pytest.mark.parametrize(
    "scenario",
    [parse(transport_plain(), TransportScenario), parse(facility_plain(), FacilityScenario)],
    ids=["transport", "facility"],
)
def test_what_is_written_is_read_as_it_was(scenario: TransportScenario | FacilityScenario, tmp_path: Path) -> None:
    """The demo's files are such as a client would send."""
    path = tmp_path / f"{scenario.scenario_id}.csv"

    write_client_csv(path, scenario)

    assert read_client_csv(path) == scenario


def test_a_spreadsheet_file_is_read(orders: Path) -> None:
    """A byte order mark, Windows line ends, spaces, empty rows and columns in another order are no faults."""
    lines = ["kind, product, units, source, destination, cost_per_unit, capacity", ",,,,,,", ""]
    lines += [" supply , steel , 20 , Oslo,,,", "supply,steel,20,Riga,,,", "demand,steel,10,,Bonn,,"]
    lines += ["lane,,,Oslo,Bonn,2,6", "lane,,,Riga,Bonn,5,9", ""]
    orders.write_bytes("\r\n".join(lines).encode("utf-8-sig"))

    assert read_client_csv(orders) == parse(transport_plain(), TransportScenario)


def test_every_faulty_row_is_told_at_once(orders: Path) -> None:
    """File, line, column, what was expected, what came."""
    orders.write_text(
        HEADER
        + SOUND
        + "supply,Rome,,steel,many,,\n"
        + "demand,,Bonn,steel,10,,\n"
        + "lane,Rome,Bern,,,-1,2\n"
        + "lane,Riga,Bonn\n"
        + "customer,,Ana,,5,,\n"
        + "supply,Lyon,Bonn,steel,1,,\n"
        + "demand,,Kiel,steel,1,,,99\n"
    )

    assert _told(orders) == [
        "line 7, column units: expected a number from 0 to 1e12, got 'many'.",
        "line 8: expected each destination and product once, got 'Bonn' and 'steel' again.",
        "line 9, column capacity: expected a number from 0 to 1e12, got '-1'.",
        "line 9, column destination: expected a destination named in demand, got 'Bern'.",
        "line 10: expected 7 values, got 3.",
        "line 10, column capacity: expected a number from 0 to 1e12, got nothing.",
        "line 10, column cost_per_unit: expected a number from 0 to 1e12, got nothing.",
        "line 10: expected each source and destination once, got 'Riga' and 'Bonn' again.",
        "line 11, column kind: expected one of supply, demand, lane, got 'customer'.",
        "line 12, column destination: expected nothing for a supply, got 'Bonn'.",
        "line 13: expected 7 values, got 8.",
    ]


def test_a_flood_of_faults_is_told_by_its_first_and_its_number(orders: Path) -> None:
    """A wrong export of thousands of rows does not fill the logs."""
    orders.write_text(HEADER + SOUND + "".join(f"supply,Oslo {n},,steel,?,,\n" for n in range(1000)))

    told = _told(orders)

    assert (len(told), told[19]) == (21, "line 26, column units: expected a number from 0 to 1e12, got '?'.")
    with pytest.raises(BadFile, match=r"\n… and 980 more\.$"):
        read_client_csv(orders)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", ["expected a first row that names the columns, got an empty file."]),
        (b"\n\n", ["expected a first row that names the columns, got an empty file."]),
        (HEADER.encode(), [f"expected at least one row of kind {kind}, got none." for kind in TRANSPORT_KINDS]),
        (b"name;units\nOslo;20\n", ["line 1: expected one column kind, got the columns name;units."]),
        (
            b"kind,source,product\nsupply,Oslo,steel\n",
            ["line 1: expected one column units, got the columns kind, source, product."],
        ),
        (b"kind,units,units\n", ["expected at least one row of kind supply, got none."]),
        (
            b"kind,source,product,units,units\nsupply,Oslo,steel,1,2\n",
            ["line 1: expected one column units, got 2 of it."],
        ),
        (b"kind,source\nplane,Oslo\n", ["line 2, column kind: expected one of supply, demand, lane, warehouse, "]),
        (b"kind,source\nsupply,Troms\xf8\n", ["line 2: expected text in UTF-8, got b'\\xf8'."]),
        (b'kind,source\nsupply,"Os"lo\n', ["line 2: expected values separated by commas, got "]),
    ],
    ids=["nothing", "blank", "header alone", "semicolons", "a column too few", "unused double", "double", "kinds",
         "Latin-1", "quotes"],
)  # fmt: skip
def test_a_file_that_is_not_such_a_file_is_refused(content: bytes, told: list[str], orders: Path) -> None:
    """What was expected is said, and nothing is guessed."""
    orders.write_bytes(content)

    came = _told(orders)

    assert [line[: len(start)] for line, start in zip(came, told, strict=False)] == told


def test_a_missing_file_is_told(orders: Path) -> None:
    """The job that was sent before its file arrived says so."""
    assert _told(orders) == ["expected a file that can be read, got No such file or directory."]


def test_the_error_survives_pickling(orders: Path) -> None:
    """It leaves a worker's child process as it was raised."""
    with pytest.raises(BadFile) as caught:
        read_client_csv(orders)

    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - our own


def _told(path: Path) -> list[str]:
    """The faults of a file, each of which begins with the file's name."""
    with pytest.raises(BadFile) as caught:
        read_client_csv(path)
    return [line.removeprefix(str(path)).lstrip(",: ") for line in str(caught.value).splitlines()]
