"""The servers that the database sampler is tried on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.monitor.sampling.database.servers import Connection, Replica, SmallServer, count
from tests.processes import wait_until


@pytest.fixture(scope="session")
def small_server(servers_directory: Path) -> Iterator[SmallServer]:
    """PostgreSQL with room for 20 connections."""
    with SmallServer(servers_directory / "postgres-small") as server:
        yield server


@pytest.fixture
def server(small_server: SmallServer) -> SmallServer:
    """The small server, running."""
    small_server.ensure_running()
    return small_server


@pytest.fixture
def replica(server: SmallServer, servers_directory: Path) -> Iterator[Replica]:
    """A replica of the small server."""
    with Replica(servers_directory / "postgres-replica", server) as replica:
        yield replica


@pytest.fixture
def watcher(server: SmallServer) -> Iterator[Connection]:
    """An independent connection that counts for itself; the server is otherwise empty."""
    with server.connect("postgres", "watcher") as connection:
        wait_until(lambda: count(connection, "TRUE") == 1, what="the last test's connections are gone")
        yield connection
