"""Stands in for pytest-celery's Docker client: each of its containers is a process of the real program.

pytest-celery reaches Docker only through pytest-docker-tools, and that only through the fixture `docker_client`. Here
is what they use of a client and of a container, and no more.
"""

import itertools
import shutil
import signal
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

from tests.processes import ChildProcess
from tests.servers import HOST, RabbitServer, RedisServer, Server
from tests.workers_process import worker_environment

SERVERS: dict[str, type[Server]] = {"redis": RedisServer, "rabbitmq": RabbitServer}
WORKER_IMAGE = SimpleNamespace(id="worker")

Mounts = Mapping[str, Mapping[str, str]]


class ProcessContainer:
    """A process that answers like a container; `ports` maps the container's ports to those of the process."""

    def __init__(self, name: str, process: ChildProcess, ports: Mapping[str, int]) -> None:
        self.id = self.name = name
        self._process = process.start()
        self._ports = ports
        # The vendors' URLs are made of the host name alone, so it has the port with it.
        address = ":".join([HOST, *map(str, ports.values())])
        published = {port: [{"HostIp": HOST, "HostPort": str(ours)}] for port, ours in ports.items()}
        self.attrs: dict[str, Any] = {
            "Config": {"Hostname": address, "Env": [], "Labels": {}},
            "HostConfig": {"PortBindings": published},
            "NetworkSettings": {"Networks": {}, "Ports": published},
        }

    @property
    def status(self) -> str:
        """What Docker would call the process's state."""
        return "running" if self._process.is_running() else "exited"

    def reload(self) -> None:
        """Does nothing: all but the status is known from the start."""

    def logs(self) -> bytes:
        """What the process wrote, in all its starts."""
        return self._process.log().encode()

    def exec_run(self, command: str) -> tuple[int, bytes]:
        """Answers the one question that is asked: which of the container's ports are listened on. It started: all."""
        assert command.startswith("cat /proc/net/"), f"only what listens can be asked, got {command!r}"
        ports = (int(port.partition("/")[0]) for port in self._ports)
        return 0, "".join(f"0: 00000000:{port:04X} 00000000:0000 0A\n" for port in ports).encode()

    def kill(self, signal_name: str | None = None) -> None:
        """Sends a signal, by default SIGKILL, and waits for the end."""
        self._process.end(signal.Signals[signal_name or "SIGKILL"])

    def restart(self, timeout: int) -> None:  # noqa: ARG002 (Docker's signature)
        """Ends the process in order, if it runs, and starts it again."""
        self._process.terminate()
        self._process.start()

    def remove(self, *, force: bool) -> bool:
        """Ends the process for good."""
        assert force
        self._process.kill()
        return True

    def wait(self, timeout: int) -> None:
        """Does nothing: whoever ended the process has waited."""


class ProcessClient:
    """What stands for `docker.DockerClient`. Directories are its volumes, named by their paths."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count(1)
        self.containers = SimpleNamespace(run=self._run, create=_scratch_container)
        self.images = SimpleNamespace(build=_build)
        self.networks = SimpleNamespace(create=_network)
        self.volumes = SimpleNamespace(create=self._volume)

    def _volume(self, name: str, **_: Any) -> SimpleNamespace:
        path = self._directory / name
        path.mkdir()
        return SimpleNamespace(name=str(path), remove=lambda _force: shutil.rmtree(path))

    def _run(
        self,
        *,
        image: str,
        command: Sequence[str] = (),
        environment: Mapping[str, str],
        ports: Mapping[str, None] | None = None,
        volumes: Mounts | None = None,
        **_: Any,
    ) -> ProcessContainer:
        kind = image.partition(":")[0]
        name = f"{kind}-{next(self._numbers)}"
        if image == WORKER_IMAGE.id:
            return ProcessContainer(name, _worker(command, environment, volumes or {}), {})
        server = SERVERS[kind](self._directory / name)
        return ProcessContainer(name, server, dict.fromkeys(ports or (), server.port))


def _worker(command: Sequence[str], environment: Mapping[str, str], mounts: Mounts) -> ChildProcess:
    """The worker of a container: it starts in the directory that would be mounted where its application is."""
    (directory,) = (Path(source) for source, mount in mounts.items() if mount["bind"] == environment["PYTHONPATH"])
    return ChildProcess(
        [sys.executable, "-m", *command],
        log_path=directory / "worker.log",
        cwd=directory,
        env=worker_environment({**environment, "PYTHONPATH": str(directory)}),
        ready_line=" ready.",
    )


def _build(**_: Any) -> tuple[SimpleNamespace, list[str]]:
    """Builds nothing: the worker's image is this environment."""
    return WORKER_IMAGE, []


def _network(name: str, **_: Any) -> SimpleNamespace:
    return SimpleNamespace(name=name, remove=lambda: None)


def _scratch_container(*, volumes: Mounts, **_: Any) -> SimpleNamespace:
    """The container by which a volume is filled."""
    (path,) = volumes

    def put_archive(_: str, archive: BinaryIO) -> None:
        with tarfile.open(fileobj=archive) as files:
            files.extractall(path, filter="data")

    return SimpleNamespace(put_archive=put_archive, remove=lambda force: None)  # noqa: ARG005 (Docker's signature)
