"""A database with too many connections is told in one sentence, with whose they are."""

import pytest

from monitor.sample import Measured
from monitor.sampling.database import warnings
from monitor.texts import Threshold, threshold

AT = 1_800_000_000.0
DEFAULT = threshold("75%")


def told(connections: int, limit: int = 20, **applications: int) -> Measured:
    """What is measured of the database `orders`."""
    measured = Measured()
    measured.add("DatabaseConnections", AT, connections, Database="orders")
    measured.add("DatabaseConnectionLimit", AT, limit, Database="orders")
    measured.add("DatabaseConnectionsUsed", AT, connections / limit * 100, Database="orders")
    for application, count in applications.items():
        measured.add("DatabaseConnectionsByApplication", AT, count, Database="orders", Application=application)
    return measured


@pytest.mark.parametrize("warn_at", [DEFAULT, threshold("15")])
def test_more_than_15_of_20_are_a_warning(warn_at: Threshold) -> None:
    """15 of 20 are not too many; 16 are, whether the threshold is a number or a part of the limit."""
    assert warnings(told(15), warn_at) == []
    assert len(warnings(told(16), warn_at)) == 1


def test_the_warning_names_the_applications_that_have_most() -> None:
    """The sentence has the figures, the threshold, and the names with most connections first."""
    said = warnings(told(16, web=9, beat=1, report=6), DEFAULT)

    assert said == [
        "Database orders: 16 of 20 connections are in use, more than 75 %; most by web 9, report 6, beat 1."
    ]


def test_a_server_without_a_free_slot_is_a_warning() -> None:
    """One that refused the sampler for that reason has no count, and is at its limit all the same."""
    full = Measured()
    full.add("DatabaseConnectionsUsed", AT, 100, Database="orders")

    assert warnings(full, DEFAULT) == ["Database orders: all connections are taken, more than 75 %."]


def test_each_database_has_its_own_warning() -> None:
    """One that is fine is not named."""
    both = told(16)
    both.add("DatabaseConnections", AT, 3, Database="reports")
    both.add("DatabaseConnectionsUsed", AT, 15, Database="reports")

    assert [said.partition(":")[0] for said in warnings(both, DEFAULT)] == ["Database orders"]
