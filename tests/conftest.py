"""The real servers that tests ask for by name; each starts with the first test that needs it."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.servers import PostgresServer, RabbitServer, RedisServer

# No test is timed: on a busy machine an example may take longer than Hypothesis allows by default.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure() -> None:
    """A run that is told to end by SIGTERM cleans up as after Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def servers_directory() -> Iterator[Path]:
    """A directory for the servers' data; pytest's own are closed to the accounts that the servers run by under root."""
    directory = Path(tempfile.mkdtemp(prefix="monitor-tests-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def redis_server(servers_directory: Path) -> Iterator[RedisServer]:
    """The Redis server of this run."""
    with RedisServer(servers_directory / "redis") as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server(servers_directory: Path) -> Iterator[PostgresServer]:
    """The PostgreSQL server of this run."""
    with PostgresServer(servers_directory / "postgres") as server:
        yield server


@pytest.fixture(scope="session")
def rabbit_server(servers_directory: Path) -> Iterator[RabbitServer]:
    """The RabbitMQ server of this run."""
    with RabbitServer(servers_directory / "rabbit") as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> Iterator[str]:
    """The URL of an empty Redis database."""
    with redis_server.database() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a new PostgreSQL database for SQLAlchemy."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def amqp_url(rabbit_server: RabbitServer) -> str:
    """The URL of a new RabbitMQ virtual host."""
    return rabbit_server.vhost_url()
