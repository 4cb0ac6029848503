"""The ways to a Redis: whichever the application takes, the sampler takes too."""

import ssl
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from monitor.sampling.broker import sample_broker
from monitor.sampling.queues import sample_queues
from monitor.store import Store
from tests.monitor.sampling.apps import AT, app_of, noted, send, told
from tests.monitor.sampling.managed import until
from tests.servers import HOST, RedisServer, free_port

PASSWORD = "s3cret"


class ReachableRedis(RedisServer):
    """A Redis with a password, reached by TCP, by TLS and through a socket."""

    def __init__(self, directory: Path) -> None:
        self.tls_port = free_port()
        super().__init__(directory)

    @property
    def socket_path(self) -> Path:
        """Its socket."""
        return self.directory / "redis.sock"

    @property
    def certificate(self) -> Path:
        """Its certificate, signed by itself."""
        return self.directory / "certificate.pem"

    def arguments(self) -> Sequence[str | Path]:
        """All ways in."""
        _certify(self.directory, self.certificate)
        tls: list[str | Path] = [
            "--tls-port",
            str(self.tls_port),
            "--tls-auth-clients",
            "no",
            "--tls-ca-cert-file",
            self.certificate,
        ]
        files: list[str | Path] = ["--tls-cert-file", self.certificate, "--tls-key-file", self.directory / "key.pem"]
        ways: list[str | Path] = ["--unixsocket", self.socket_path, "--requirepass", PASSWORD]
        return [*super().arguments(), *ways, *tls, *files]


class Sentinel(RedisServer):
    """A sentinel that watches a master."""

    def __init__(self, directory: Path, master: RedisServer) -> None:
        self._master = master
        super().__init__(directory)

    def arguments(self) -> Sequence[str | Path]:
        """A configuration of its own, which it rewrites."""
        lines = [
            f"port {self.port}",
            f"bind {HOST}",
            f"sentinel monitor jobs {HOST} {self._master.port} 1",
            f"sentinel auth-pass jobs {PASSWORD}",
        ]
        path = self.directory / "sentinel.conf"
        path.write_text("\n".join(lines) + "\n")
        return [path, "--sentinel"]

    says_ready = "Sentinel ID is"


@pytest.fixture(scope="module")
def server(servers_directory: Path) -> Iterator[ReachableRedis]:
    """A Redis that can be reached in each way."""
    with ReachableRedis(servers_directory / "reachable-redis") as running:
        yield running


@pytest.fixture
def sentinel(server: ReachableRedis, servers_directory: Path) -> Iterator[Sentinel]:
    """A sentinel that watches that Redis."""
    with Sentinel(servers_directory / "sentinel", server) as running:
        yield running


@pytest.mark.parametrize("way", ["tcp", "tls", "socket"])
def test_the_sampler_goes_the_applications_way(way: str, server: ReachableRedis, store: Store) -> None:
    """Address, password and encryption are those of the application, from its URL and its options."""
    urls = {
        "tcp": f"redis://:{PASSWORD}@{HOST}:{server.port}/3",
        "tls": f"rediss://:{PASSWORD}@{HOST}:{server.tls_port}/3",
        "socket": f"redis+socket://:{PASSWORD}@{server.socket_path}?virtual_host=3",
    }
    app = app_of(urls[way], ["optimization"])
    if way == "tls":
        app.conf.broker_use_ssl = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": str(server.certificate)}
    _master(server).flushall()
    send(app, "optimization", 3, priority=6)

    measured = sample_queues(app, store, AT)

    assert told(measured, "JobQueueDepth") == {"optimization": 3}
    assert told(sample_broker(app, AT), "BrokerLatency")[""] > 0


def test_a_sentinel_leads_to_the_master(server: ReachableRedis, sentinel: Sentinel, store: Store) -> None:
    """The queues of the master that the sentinel names are measured."""
    url = f"sentinel://:{PASSWORD}@{HOST}:{sentinel.port}/0"
    app = app_of(url, ["optimization"], master_name="jobs", sentinel_kwargs={"password": None})
    _master(server).flushall()
    send(app, "optimization", 2)

    measured = sample_queues(app, store, AT)

    assert told(measured, "JobQueueDepth") == {"optimization": 2}
    assert noted(sample_broker(app, AT), "broker")["role"] == "master"


def test_a_replica_that_lost_its_master_is_noted(servers_directory: Path) -> None:
    """A broker that only follows another is told as such, and that its link is down."""
    with RedisServer(servers_directory / "replica") as replica:
        client = redis.Redis.from_url(replica.url)
        client.replicaof(HOST, free_port())
        until(lambda: client.info()["role"], lambda role: role == "slave")

        measured = sample_broker(app_of(replica.url), AT)

    assert noted(measured, "broker")["role"] == "slave"
    assert noted(measured, "broker")["replication"] == "the link to its master is down"


def _master(server: ReachableRedis) -> Any:
    return redis.Redis(host=HOST, port=server.port, password=PASSWORD)


def _certify(directory: Path, certificate: Path) -> None:
    names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=IP:{HOST}"]
    files = ["-keyout", str(directory / "key.pem"), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *files]
    subprocess.run(command, check=True, capture_output=True)
