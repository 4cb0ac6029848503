"""Servers that only the samplers ask: RabbitMQ with its management API, and Amazon's services played by moto."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from tests.monitor.sampling.managed import ManagedRabbit
from tests.servers import HOST


@pytest.fixture(scope="session")
def managed_rabbit(servers_directory: Path) -> Iterator[ManagedRabbit]:
    """A RabbitMQ node with its management API."""
    with ManagedRabbit(servers_directory / "managed-rabbit") as server:
        yield server


@pytest.fixture
def aws_port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of Amazon's services on this machine, empty, with an account for them."""
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "us"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ):
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield port
    # What one test made outlives its server: moto keeps it in the process.
    request = urllib.request.Request(f"http://{HOST}:{port}/moto-api/reset", method="POST")
    urllib.request.urlopen(request).close()  # noqa: S310 (its scheme is http)
    server.stop()
