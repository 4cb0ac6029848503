"""What is measured of a real PostgreSQL server is what psycopg counts there."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from monitor.sampling.database import sample_databases
from tests.monitor.sampling.database.reading import applications, figures, notes
from tests.monitor.sampling.database.servers import MAX_CONNECTIONS, RESERVED, Connection, SmallServer, count
from tests.processes import wait_until

JOB = "8f0c2b1e-5d4a-4c62-9a51-0d6f5a3b7c9e"
AT = 1_800_000_000.0


def test_the_counts_are_those_of_pg_stat_activity(server: SmallServer, watcher: Connection) -> None:
    """Connections in all, at rest, at rest within a transaction and by application name, against a count by psycopg."""
    with (
        server.connected(3, "guest", "web"),
        server.connected(2, "monitor"),
        server.connect(autocommit=False) as open_one,
    ):
        open_one.execute("SELECT 1")

        measured = sample_databases({"orders": server.url_of("monitor")}, AT)
        counted = count(watcher, "TRUE")
        idle = count(watcher, "state = 'idle'")
        in_transaction = count(watcher, "state = 'idle in transaction'")

    told = figures(measured)
    assert told["DatabaseConnections"] == counted == 7
    # The watcher was idle while the sampler looked.
    assert told["DatabaseConnectionsIdle"] == idle + 1 == 6
    assert told["DatabaseConnectionsIdleInTransaction"] == in_transaction == 1
    assert told["DatabaseConnectionsActive"] == 0
    assert applications(measured) == {"web": 3, "(unnamed)": 3, "watcher": 1}
    assert {sample.at for sample in measured.samples} == {AT}


def test_the_limit_is_what_ordinary_users_may_have(server: SmallServer, watcher: Connection) -> None:
    """Of 20 connections three are kept for superusers: 17 are the limit, and the percentage is of them."""
    with server.connected(15, "guest", "web"):
        told = figures(sample_databases({"orders": server.url_of("monitor")}, AT))

    assert watcher.execute("SHOW max_connections").fetchone() == (str(MAX_CONNECTIONS),)
    assert told["DatabaseConnectionLimit"] == MAX_CONNECTIONS - RESERVED
    assert told["DatabaseConnectionsUsed"] == pytest.approx(16 / 17 * 100)


def test_size_and_latencies_are_told(server: SmallServer, watcher: Connection) -> None:
    """The size is PostgreSQL's own figure; a round trip takes less than what opens a connection."""
    row = watcher.execute("SELECT pg_database_size('postgres')").fetchone()

    told = figures(sample_databases({"orders": server.url_of("monitor")}, AT))

    assert row
    assert told["DatabaseSize"] == pytest.approx(row[0] / 1e6)
    assert 0 < told["DatabaseLatency"] < told["DatabaseConnectTime"]
    assert "DatabaseReplicationLag" not in told


@pytest.mark.usefixtures("watcher")
def test_who_rests_in_a_transaction_is_named_with_its_job(server: SmallServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection named after a job leads to the job, by id and task, and to since when it has rested."""
    monkeypatch.setattr("monitor.sampling.database.connections.NOTED_AFTER_S", 0.0)
    with server.connect("guest", f"celery:{JOB}:optimization.solve", autocommit=False) as resting:
        resting.execute("SELECT 1")

        measured = sample_databases({"orders": server.url_of("monitor")}, AT)

    told = figures(measured)
    said = notes(measured)["idle in transaction"]
    assert said.startswith(f"job {JOB} (optimization.solve) since 20")
    assert said.endswith(" UTC")
    assert told["DatabaseOldestTransaction"] >= told["DatabaseLongestIdleInTransaction"] > 0
    assert applications(measured)["celery:optimization.solve"] == 1


@pytest.mark.usefixtures("watcher")
def test_the_same_rest_is_told_in_the_same_words(server: SmallServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The note does not change from tick to tick, so that the store can tell since when it has been so."""
    monkeypatch.setattr("monitor.sampling.database.connections.NOTED_AFTER_S", 0.0)
    with server.connect("guest", "report", autocommit=False) as resting:
        resting.execute("SELECT 1")

        first, second = (notes(sample_databases({"orders": server.url_of("monitor")}, at)) for at in (AT, AT + 30))

    assert first["idle in transaction"] == second["idle in transaction"]


def test_who_waits_for_a_lock_is_named_with_who_holds_it(
    server: SmallServer, watcher: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that waits is counted, runs the longest query, and is named with the job that it waits for."""
    monkeypatch.setattr("monitor.sampling.database.connections.NOTED_AFTER_S", 0.0)
    watcher.execute("CREATE TABLE IF NOT EXISTS stock (id int)")
    with (
        server.connect("postgres", f"celery:{JOB}:optimization.solve", autocommit=False) as holder,
        server.connect("postgres", "report") as waiter,
        blocked(watcher, holder, waiter),
    ):
        measured = sample_databases({"orders": server.url_of("monitor")}, AT)

    told = figures(measured)
    said = notes(measured)
    assert told["DatabaseLocksWaiting"] == told["DatabaseConnectionsActive"] == 1
    assert told["DatabaseLongestQuery"] > 0
    assert said["longest query"].startswith("report (pid ")
    assert f" for job {JOB} (optimization.solve) since " in said["waiting for a lock"]


def test_what_a_guest_may_not_see_is_a_note_and_no_zero(server: SmallServer, watcher: Connection) -> None:
    """Without the privilege there is the total, and no figure of what others do; a note has the line to run."""
    with server.connected(3, "monitor", "web"), server.connect(autocommit=False) as resting:
        resting.execute("SELECT 1")

        measured = sample_databases({"orders": server.url_of("guest")}, AT)
        counted = count(watcher, "TRUE")

    told = figures(measured)
    assert told["DatabaseConnections"] == counted == 5
    assert not {name for name in told if name.startswith(("DatabaseConnectionsI", "DatabaseConnectionsA"))}
    assert not {"DatabaseOldestTransaction", "DatabaseLongestQuery", "DatabaseLongestIdleInTransaction"} & told.keys()
    assert "GRANT pg_read_all_stats TO guest;" in notes(measured)["privilege"]


def test_the_line_to_run_gives_the_privilege(server: SmallServer, watcher: Connection) -> None:
    """What the note says is what helps: after it nothing is hidden, and the note is over."""
    watcher.execute("CREATE ROLE hopeful LOGIN")
    said = notes(sample_databases({"orders": server.url_of("hopeful")}, AT))["privilege"]
    watcher.execute(said.partition("can run: ")[2].encode())

    measured = sample_databases({"orders": server.url_of("hopeful")}, AT)

    assert figures(measured)["DatabaseConnectionsIdle"] == 1
    assert "privilege" not in notes(measured)


def test_a_question_that_may_not_be_asked_stops_no_other(server: SmallServer, watcher: Connection) -> None:
    """What one view refuses is noted; the questions before and after it have their answers."""
    watcher.execute("REVOKE SELECT ON pg_stat_replication FROM PUBLIC")

    measured = sample_databases({"orders": server.url_of("monitor")}, AT)

    watcher.execute("GRANT SELECT ON pg_stat_replication TO PUBLIC")
    assert {"DatabaseSize", "DatabaseLatency", "DatabaseConnections"} <= figures(measured).keys()
    assert notes(measured) == {"replication": "cannot be told: permission denied for view pg_stat_replication"}


def test_a_question_that_takes_too_long_is_ended_by_the_server(
    server: SmallServer, watcher: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement's timeout is in force: a function that sleeps for a minute is ended, and the others answer."""
    monkeypatch.setattr("monitor.sampling.database.postgresql.STATEMENT_TIMEOUT_MS", 200)
    shadow(watcher, "pg_is_in_recovery() RETURNS boolean", "SELECT pg_sleep(60) IS NULL")

    measured = sample_databases({"orders": server.url_of("shadowed")}, AT)

    assert {"DatabaseSize", "DatabaseLatency", "DatabaseConnections"} <= figures(measured).keys()
    assert notes(measured) == {"replication": "cannot be told: took longer than 0.2 s"}


@pytest.mark.usefixtures("watcher")
def test_activity_that_is_not_tracked_is_a_note_and_no_zero(server: SmallServer) -> None:
    """Where PostgreSQL does not track what a connection does, its state is not counted as none."""
    with server.connect("postgres", "blind") as blind:
        blind.execute("SET track_activities = off")

        measured = sample_databases({"orders": server.url_of("monitor")}, AT)

    assert figures(measured)["DatabaseConnections"] == 2
    assert "DatabaseConnectionsIdle" not in figures(measured)
    assert "track_activities is off" in notes(measured)["track_activities"]


def test_the_sampler_is_a_guest_that_leaves_nothing(server: SmallServer, watcher: Connection) -> None:
    """Its connection is its own by name, writes nothing, and is gone afterwards."""
    watcher.execute("SELECT pg_stat_reset()")
    before = watcher.execute("SELECT pg_current_wal_lsn()").fetchone()

    measured = sample_databases({"orders": server.url_of("monitor")}, AT)

    assert "networx-monitor" not in applications(measured)
    wait_until(lambda: not is_sampling(watcher), what="the sampler's connection is gone")
    assert watcher.execute("SELECT pg_current_wal_lsn()").fetchone() == before


def is_sampling(watcher: Connection) -> bool:
    """Whether the sampler has a connection."""
    row = watcher.execute("SELECT FROM pg_stat_activity WHERE application_name = 'networx-monitor'").fetchone()
    return row is not None


def test_the_sampler_cannot_write(server: SmallServer, watcher: Connection) -> None:
    """Its transaction is read-only: not even a function that somebody put in its way writes anything."""
    shadow(
        watcher, "pg_database_size(name) RETURNS bigint", "INSERT INTO shadows.traces VALUES (1) RETURNING 1::bigint"
    )

    measured = sample_databases({"orders": server.url_of("shadowed")}, AT)

    assert notes(measured) == {"size": "cannot be told: cannot execute INSERT in a read-only transaction"}
    assert "DatabaseSize" not in figures(measured)


def shadow(watcher: Connection, function: str, body: str) -> None:
    """Makes a user `shadowed`, who gets this function instead of PostgreSQL's own."""
    watcher.execute("DROP SCHEMA IF EXISTS shadows CASCADE; DROP ROLE IF EXISTS shadowed")
    watcher.execute("CREATE SCHEMA shadows; CREATE TABLE shadows.traces (id int)")
    watcher.execute(f"CREATE FUNCTION shadows.{function} LANGUAGE sql AS '{body}'".encode())
    watcher.execute("CREATE ROLE shadowed LOGIN IN ROLE monitor")
    watcher.execute("ALTER ROLE shadowed SET search_path = shadows, pg_catalog")
    watcher.execute("GRANT USAGE ON SCHEMA shadows TO PUBLIC; GRANT INSERT, SELECT ON shadows.traces TO PUBLIC")


@contextmanager
def blocked(watcher: Connection, holder: Connection, waiter: Connection) -> Iterator[None]:
    """While the waiter waits for a table that the holder has locked."""
    holder.execute("LOCK TABLE stock")
    thread = threading.Thread(target=waiter.execute, args=("SELECT * FROM stock",))
    thread.start()
    try:
        wait_until(lambda: count(watcher, "wait_event_type = 'Lock'"), what="the waiter waits")
        yield
    finally:
        holder.rollback()
        thread.join()
