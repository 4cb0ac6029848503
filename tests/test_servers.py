"""The tests' own servers: they keep what they took, stay on loopback, and go when the tests go."""

import dataclasses
import signal
import socket
import sys
import uuid
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from celery import Celery

from tests.processes import ChildProcess, ProcessError, lives, wait_until
from tests.programs import MissingProgramError
from tests.servers import HOST, PostgresServer, RabbitServer, RedisServer, Server
from tests.workers_process import worker_environment


def test_redis_keeps_its_data_over_a_kill(redis_server: RedisServer, redis_url: str) -> None:
    """A written value is there after SIGKILL and a new start, under the same URL."""
    with redis.Redis.from_url(redis_url) as client:
        client.set("job", "sent")

        redis_server.kill()
        redis_server.start()

        assert client.get("job") == b"sent"


def test_postgres_keeps_its_data_over_a_kill(postgres_server: PostgresServer, postgres_url: str) -> None:
    """A committed row is there after SIGKILL and a new start, under the same URL."""
    conninfo = postgres_url.replace("+psycopg", "")
    with psycopg.connect(conninfo) as connection:
        connection.execute("CREATE TABLE jobs AS SELECT 'sent' AS fate")

    postgres_server.kill()
    postgres_server.start()

    with psycopg.connect(conninfo) as connection:
        assert connection.execute("SELECT fate FROM jobs").fetchall() == [("sent",)]


def test_rabbitmq_keeps_its_messages_over_a_kill(rabbit_server: RabbitServer, amqp_url: str) -> None:
    """A confirmed message is there after SIGKILL and a new start, under the same URL."""
    app = Celery(broker=amqp_url, broker_transport_options={"confirm_publish": True})
    app.send_task("any", task_id="sent", queue="jobs")

    rabbit_server.kill()
    rabbit_server.start()

    with app.connection_for_read() as connection:
        assert connection.default_channel.basic_get("jobs", no_ack=True).headers["id"] == "sent"


def test_databases_are_empty_for_each_test(
    redis_server: RedisServer, postgres_server: PostgresServer, rabbit_server: RabbitServer
) -> None:
    """No two tests share a database, nor a virtual host."""
    with redis_server.database() as first, redis_server.database() as second:
        assert first != second
    with postgres_server.database() as first, postgres_server.database() as second:
        assert first != second
    assert rabbit_server.vhost_url() != rabbit_server.vhost_url()


def test_nothing_listens_beyond_loopback(
    redis_server: RedisServer, postgres_server: PostgresServer, rabbit_server: RabbitServer
) -> None:
    """Every port that any process of the servers listens on is bound to this machine alone."""
    processes = psutil.Process().children(recursive=True)

    addresses = [
        connection.laddr
        for process in processes
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]

    assert {redis_server.port, postgres_server.port, rabbit_server.port} <= {address.port for address in addresses}
    assert {address.ip for address in addresses} <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    ("server", "package"),
    [(RedisServer, "redis-server"), (PostgresServer, "postgresql"), (RabbitServer, "rabbitmq-server")],
)
def test_a_missing_program_is_an_error_that_names_the_install_line(
    server: type[Server], package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who lacks a server reads what to type."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(server, "program", dataclasses.replace(server.program, places=("PATH",)))

    with pytest.raises(MissingProgramError, match=f"sudo apt-get install -y --no-install-recommends {package}$"):
        server(tmp_path / "server")


def test_a_failed_start_shows_the_end_of_the_log(tmp_path: Path) -> None:
    """A server that cannot start says why, in its own words."""
    server = RedisServer(tmp_path / "redis")

    with socket.create_server((HOST, server.port)), pytest.raises(ProcessError, match="Address already in use"):
        server.start()


@pytest.mark.parametrize(
    ("signum", "servers"),
    [
        pytest.param(signal.SIGINT, "redis_server, postgres_server, rabbit_server", id="Ctrl-C"),
        pytest.param(signal.SIGTERM, "redis_server", id="SIGTERM"),
        pytest.param(signal.SIGUSR1, "redis_server", id="a failing test"),
    ],
)
def test_no_process_outlives_a_run(signum: signal.Signals, servers: str, tmp_path: Path) -> None:
    """A run that is interrupted, told to end, or fails ends all that it started."""
    (tmp_path / "test_inner.py").write_text(INNER_RUN.replace("SERVERS", servers))
    mark = uuid.uuid4().hex

    with ChildProcess(
        [sys.executable, "-m", "pytest", "-s", "-p", "tests.conftest", "test_inner.py"],
        log_path=tmp_path / "run.log",
        cwd=tmp_path,
        env=worker_environment({"MARK": mark, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}),
        ready_line="all servers are up",
    ) as run:
        started = run.descendants()
        run.send_signal(signum)
        wait_until(lambda: not run.is_running(), what="the run has ended")
        left = [process for process in {*started, *_marked(mark)} if lives(process)]
        for process in left:
            process.kill()

    assert started
    assert left == []


def _marked(mark: str) -> list[psutil.Process]:
    """Processes that inherited the mark in their environment, whoever is their parent now."""
    return [process for process in psutil.process_iter(["environ"]) if mark in (process.info["environ"] or {}).values()]


INNER_RUN = """
import signal
import pytest

def fail(*_):
    pytest.fail("told to fail")

def test_waits(SERVERS):
    signal.signal(signal.SIGUSR1, fail)
    print("all servers are up", flush=True)
    signal.pause()
"""
