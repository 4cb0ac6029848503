"""How far a replica is behind is told by the primary and by the replica itself."""

import psycopg

from monitor.sampling.database import sample_databases
from tests.monitor.sampling.database.reading import figures
from tests.monitor.sampling.database.servers import Connection, Replica, SmallServer
from tests.processes import wait_until
from tests.servers import HOST

AT = 1_800_000_000.0


def test_how_far_a_replica_is_behind_is_told_by_both(
    server: SmallServer, watcher: Connection, replica: Replica
) -> None:
    """A replica that has everything is 0 s behind, also when nobody writes; one that stands still falls behind."""
    databases = {"primary": server.url_of("monitor"), "replica": replica.url}
    with psycopg.connect(host=HOST, port=replica.port, user="postgres", autocommit=True) as connection:
        watcher.execute("CREATE TABLE news (id int)")
        wait_until(lambda: has_news(connection), what="the replica has the table")
        wait_until(lambda: lags(databases) == {"primary": 0, "replica": 0}, what="both tell that nothing is missing")
        connection.execute("SELECT pg_wal_replay_pause()")
        watcher.execute("INSERT INTO news VALUES (1)")

        wait_until(lambda: min(lags(databases).values()) > 0, what="both tell that the replica is behind")

    assert lags(databases).keys() == databases.keys()


def has_news(replica: Connection) -> bool:
    """Whether the table has come to the replica."""
    return replica.execute("SELECT to_regclass('news')").fetchone() != (None,)


def lags(databases: dict[str, str]) -> dict[str, float]:
    """How far behind, by database."""
    measured = sample_databases(databases, AT)
    told = {name: figures(measured, name) for name in databases}
    return {name: its["DatabaseReplicationLag"] for name, its in told.items() if "DatabaseReplicationLag" in its}
