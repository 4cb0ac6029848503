"""PostgreSQL servers as the tests of the database sampler need them: a small one with users, and a replica."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.servers import HOST, PostgresServer

MAX_CONNECTIONS = 20
RESERVED = 3  # for superusers, PostgreSQL's default
PASSWORD = "Sesam-0ffne/dich@"

Connection = psycopg.Connection[tuple[Any, ...]]


class SmallServer(PostgresServer):
    """PostgreSQL with room for 20 connections; users: guest, monitor (sees all), locked (a password)."""

    def start(self) -> Self:
        """Starts the server, and makes its users before the first start."""
        is_new = not self.data.exists()
        super().start()
        if is_new:
            self._make_users()
        return self

    def arguments(self) -> Sequence[str | Path]:
        """Room for 20 connections, as on the user's own server."""
        return [*super().arguments(), "-c", f"max_connections={MAX_CONNECTIONS}"]

    def url_of(self, user: str, database: str = "postgres") -> str:
        """The URL of a database for a user who needs no password."""
        return f"postgresql://{user}@{HOST}:{self.port}/{database}"

    def connect(self, user: str = "postgres", application: str = "", **options: Any) -> Connection:
        """A connection, in autocommit mode unless the options say otherwise."""
        named = {"host": HOST, "port": self.port, "user": user, "dbname": "postgres", "application_name": application}
        return psycopg.connect(**{"autocommit": True, **named, **options})

    @contextmanager
    def connected(self, count: int, user: str = "monitor", application: str = "") -> Iterator[list[Connection]]:
        """So many connections at rest, closed afterwards."""
        with ExitStack() as stack:
            yield [stack.enter_context(self.connect(user, application)) for _ in range(count)]

    def _make_users(self) -> None:
        with self.connect() as connection:
            connection.execute("CREATE ROLE guest LOGIN")
            connection.execute("CREATE ROLE monitor LOGIN IN ROLE pg_read_all_stats")
            connection.execute(f"CREATE ROLE locked LOGIN PASSWORD '{PASSWORD}'")
            rules = self.data / "pg_hba.conf"
            rules.write_text(f"host all locked {HOST}/32 scram-sha-256\n{rules.read_text()}")
            connection.execute("SELECT pg_reload_conf()")


class Replica(PostgresServer):
    """A copy of another server, which follows it."""

    says_ready = "database system is ready to accept read-only connections"

    def __init__(self, directory: Path, primary: PostgresServer) -> None:
        super().__init__(directory)
        self._primary = primary

    def start(self) -> Self:
        """Copies the primary before the first start."""
        if not self.data.exists():
            source = ["--host", HOST, "--port", str(self._primary.port), "--username", "postgres"]
            copy: list[str | Path] = ["--pgdata", self.data, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
            self.run([self.path.with_name("pg_basebackup"), *source, *copy])
        return super().start()

    def arguments(self) -> Sequence[str | Path]:
        """As much room as its primary, as it must have; it tells the primary each second how far it is."""
        room = ["-c", f"max_connections={MAX_CONNECTIONS}"]
        return [*super().arguments(), *room, "-c", "wal_receiver_status_interval=1s"]


def count(watcher: Connection, condition: str) -> int:
    """How many clients there are of which the condition is true, beside the sampler, whose end may take its time."""
    clients = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND "
    others = "application_name <> 'networx-monitor' AND "
    row = watcher.execute((clients + others + condition).encode()).fetchone()
    assert row
    return int(row[0])
