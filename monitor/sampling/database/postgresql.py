"""Measures a PostgreSQL server: one short connection, one read-only transaction, one answer to each question.

Everything is set within the transaction, and nothing for the session: the connection may be a pooler's, which hands
it on to others.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg.rows import class_row
from sqlalchemy import URL

from monitor.sample import Measured
from monitor.sampling.database.connections import ServerConnection, add_connections, add_holders, add_states

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_MS = 5_000
APPLICATION_NAME = "networx-monitor"

_Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class _Visit:
    """One measuring of one database, which the questions fill."""

    connection: _Connection
    name: str
    at: float
    measured: Measured

    @property
    def subject(self) -> str:
        return f"database:{self.name}"

    def add(self, metric: str, value: float | None) -> None:
        self.measured.add(metric, self.at, value, Database=self.name)

    def row(self, query: LiteralString) -> tuple[Any, ...]:
        row = self.connection.execute(query).fetchone()
        assert row is not None  # noqa: S101 (each query is one that always has a row)
        return row


def measure_postgresql(url: URL, name: str, at: float) -> Measured:
    """Return what can be told of a server; what one question cannot tell is noted, and the others go on.

    Whatever driver the URL names, it is the server that is measured: by psycopg.

    Raises:
        psycopg.Error: when the server refuses the connection, or ends it.

    """
    measured = Measured()
    began = time.perf_counter()
    with _connect(url) as connection:
        visit = _Visit(connection, name, at, measured)
        visit.add("DatabaseConnectTime", (time.perf_counter() - began) * 1e3)
        with connection.transaction(force_rollback=True):
            connection.execute(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}")
            for label, question in QUESTIONS.items():
                _ask(visit, label, question)
    return measured


def _connect(url: URL) -> _Connection:
    dialect = url.set(drivername="postgresql+psycopg").get_dialect()()
    _, named = dialect.create_connect_args(url)
    # A link that is cut without a word is found by the kernel, so that no connection waits for ever.
    bounds = {"connect_timeout": CONNECT_TIMEOUT_S, "tcp_user_timeout": 10_000, "keepalives_idle": 10}
    connection = psycopg.connect(**{**named, **bounds, "application_name": APPLICATION_NAME})
    connection.read_only = True
    # A pooler gives each transaction another server process, which knows nothing of what another one prepared.
    connection.prepare_threshold = None
    return connection


def _ask(visit: _Visit, label: str, question: Callable[[_Visit], None]) -> None:
    """Answer one question in a savepoint, so that one that fails leaves the transaction usable for the next."""
    fault = None
    try:
        with visit.connection.transaction():
            question(visit)
    except psycopg.Error as refused:
        if visit.connection.closed:
            raise
        fault = _reason(refused)
    visit.measured.note(visit.subject, label, f"cannot be told: {fault}" if fault else None)


def _latency(visit: _Visit) -> None:
    began = time.perf_counter()
    visit.row("SELECT 1")
    visit.add("DatabaseLatency", (time.perf_counter() - began) * 1e3)


def _activity(visit: _Visit) -> None:
    with visit.connection.cursor(row_factory=class_row(ServerConnection)) as cursor:
        connections = cursor.execute(_CONNECTIONS).fetchall()
    limit, now, may_see_all, user = visit.row(_SERVER)
    visit.add("DatabaseConnectionLimit", limit)
    visit.add("DatabaseConnectionsUsed", len(connections) / limit * 100)
    add_connections(visit.measured, visit.name, visit.at, connections)
    add_states(visit.measured, visit.name, visit.at, connections, now)
    add_holders(visit.measured, visit.subject, connections, now)
    visit.measured.note(visit.subject, "privilege", None if may_see_all else _PRIVILEGE.format(user=user))
    is_off = any(connection.state == "disabled" for connection in connections)
    visit.measured.note(visit.subject, "track_activities", _TRACKING_OFF if is_off else None)


def _size(visit: _Visit) -> None:
    visit.add("DatabaseSize", visit.row("SELECT pg_database_size(current_database()) / 1e6::float8")[0])


def _replication(visit: _Visit) -> None:
    is_replica = visit.row("SELECT pg_is_in_recovery()")[0]
    visit.add("DatabaseReplicationLag", visit.row(_LAG_OF_REPLICA if is_replica else _LAG_OF_PRIMARY)[0])


def _reason(fault: psycopg.Error) -> str:
    if isinstance(fault, psycopg.errors.QueryCanceled):
        return f"took longer than {STATEMENT_TIMEOUT_MS / 1e3:g} s"
    return str(fault).partition("\n")[0]


QUESTIONS: dict[str, Callable[[_Visit], None]] = {
    "latency": _latency,
    "connections": _activity,
    "replication": _replication,
    "size": _size,  # last: of very many tables it takes long
}

_PRIVILEGE = (
    "user {user} does not see what the connections of other users do, so active and idle ones, transactions and "
    "queries are not measured, and the count may hold parallel workers; a superuser can run: "
    "GRANT pg_read_all_stats TO {user};"
)
_TRACKING_OFF = "track_activities is off for some connections, so what connections do is not measured; set it to on"

# Of another user's connection, who may not see it gets pid, database, user and application name; the rest is NULL.
# What has a database and a user is then a client, or one of its parallel workers.
_CONNECTIONS: LiteralString = """
SELECT pid,
       coalesce(application_name, '')                AS application,
       state,
       backend_type IS NULL                          AS is_hidden,
       extract(epoch FROM xact_start)::float8        AS transaction_since,
       extract(epoch FROM query_start)::float8       AS statement_since,
       extract(epoch FROM state_change)::float8      AS state_since,
       CASE WHEN pid IN (SELECT pid FROM pg_locks WHERE NOT granted)
            THEN pg_blocking_pids(pid)
            ELSE '{}' END                            AS blocked_by
  FROM pg_stat_activity
 WHERE pid <> pg_backend_pid()
   AND CASE WHEN backend_type IS NULL
            THEN datid IS NOT NULL AND usesysid IS NOT NULL
            ELSE backend_type = 'client backend' END
"""

_SERVER: LiteralString = """
SELECT current_setting('max_connections')::int
         - current_setting('superuser_reserved_connections')::int
         - coalesce(current_setting('reserved_connections', true)::int, 0),
       extract(epoch FROM clock_timestamp())::float8,
       pg_has_role('pg_read_all_stats', 'USAGE'),
       quote_ident(current_user)
"""

# A replica that has everything tells no lag after a while.
_LAG_OF_PRIMARY: LiteralString = """
SELECT max(CASE WHEN replay_lag IS NOT NULL THEN extract(epoch FROM replay_lag)
                WHEN replay_lsn >= pg_current_wal_lsn() THEN 0 END)::float8
  FROM pg_stat_replication
"""

# A primary at rest sends no transactions: a replica that replayed all it received, and still receives, is not behind.
_LAG_OF_REPLICA: LiteralString = """
SELECT CASE WHEN EXISTS (SELECT FROM pg_stat_wal_receiver WHERE pid IS NOT NULL)
             AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
            ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::float8
"""
