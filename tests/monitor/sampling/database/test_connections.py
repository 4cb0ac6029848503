"""What connections do is told by application and by job, within bounds."""

from monitor.sample import Measured
from monitor.sampling.database.connections import (
    MAX_APPLICATIONS,
    ServerConnection,
    add_holders,
    add_states,
    by_application,
)
from tests.monitor.sampling.database.reading import figures, notes

JOB = "8f0c2b1e-5d4a-4c62-9a51-0d6f5a3b7c9e"
NOW = 1_800_000_000.0


def connection(
    application: str = "web", state: str | None = "idle", since_s: float = 0.0, pid: int = 1, *, is_hidden: bool = False
) -> ServerConnection:
    """A connection that has been in its state for so long."""
    return ServerConnection(
        pid=pid,
        application=application,
        state=state,
        is_hidden=is_hidden,
        transaction_since=NOW - since_s if state and state != "idle" else None,
        statement_since=NOW - since_s,
        state_since=NOW - since_s,
        blocked_by=(),
    )


def test_connections_of_jobs_count_by_task() -> None:
    """Ids would make a series for each job; tasks are few."""
    connections = [connection(f"celery:{number}{JOB[1:]}:solve") for number in range(3)]

    assert by_application([*connections, connection(""), connection(" ")]) == [("celery:solve", 3), ("(unnamed)", 2)]


def test_endless_application_names_are_put_together() -> None:
    """Names with a number in them, one for each process, do not make a series each; none is lost."""
    counted = by_application([connection(f"script-{number}") for number in range(100)] + [connection("web")] * 5)

    assert len(counted) == MAX_APPLICATIONS
    assert counted[0] == ("web", 5)
    assert dict(counted)["(others)"] == 105 - 5 - (MAX_APPLICATIONS - 2)


def test_where_nothing_goes_on_the_longest_is_0_s() -> None:
    """It is known that nothing runs: that is a zero, and no gap."""
    measured = Measured()

    add_states(measured, "orders", NOW, [connection(since_s=500)], NOW)

    assert figures(measured)["DatabaseOldestTransaction"] == 0
    assert figures(measured)["DatabaseLongestQuery"] == 0


def test_one_hidden_connection_leaves_all_states_untold() -> None:
    """A count of the visible ones would be too small, and nobody could see that."""
    measured = Measured()

    add_states(measured, "orders", NOW, [connection(), connection(state=None, is_hidden=True)], NOW)

    assert measured.samples == []


def test_the_longest_are_named_first_and_the_rest_is_counted() -> None:
    """A note stays short; what is everyday life is not in it."""
    measured = Measured()
    resting = [connection(f"app{age}", "idle in transaction", age, pid=age) for age in (1, 10, 30, 20, 40)]

    add_holders(measured, "database:orders", resting, NOW)

    said = notes(measured)["idle in transaction"]
    assert said == (
        "app40 (pid 40) since 2027-01-15 07:59:20 UTC; app30 (pid 30) since 2027-01-15 07:59:30 UTC; "
        "app20 (pid 20) since 2027-01-15 07:59:40 UTC; and 1 more"
    )


def test_what_is_over_is_said_to_be_over() -> None:
    """Each tick says of each note that it is so, or not any more."""
    measured = Measured()

    add_holders(measured, "database:orders", [connection()], NOW)

    over = {note.name: note.text for note in measured.notes}
    assert over == {"idle in transaction": None, "longest query": None, "waiting for a lock": None}
