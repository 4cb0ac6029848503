"""pytest-celery's fixtures on processes of the real programs; with MONITOR_TEST_DOCKER=1 on Docker."""

import os
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import pytest_docker_tools
from pytest_celery.vendors.worker.container import CeleryWorkerContainer

from tests.integration import tasks
from tests.integration.processes import ProcessClient
from tests.integration.records import Records
from tests.workers_process import REPOSITORY

APPLICATION = "/application"  # where the volume with the application is, in a container


if os.environ.get("MONITOR_TEST_DOCKER") != "1":

    @pytest.fixture(scope="session")
    def docker_client(servers_directory: Path) -> Iterator[ProcessClient]:
        """The one place where pytest-celery meets Docker."""
        with pytest.MonkeyPatch.context() as patch:
            # Where the tests run in a container themselves, it would connect to the ports that are not published.
            patch.setattr("pytest_docker_tools.wrappers.container.tests_inside_container", lambda: False)
            yield ProcessClient(servers_directory)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """What the worker recorded."""
    # In a container the worker runs by another account.
    tmp_path.chmod(0o777)
    return Records(tmp_path)


@pytest.fixture
def worker_mounts(records: Records, default_worker_volume: Any) -> dict[str, dict[str, str]]:
    """The application, and the directory of the records under one path for the worker and for the test."""
    shared = str(records.directory)
    return {default_worker_volume.name: {"bind": APPLICATION, "mode": "rw"}, shared: {"bind": shared, "mode": "rw"}}


@pytest.fixture
def default_worker_env(default_worker_env: dict[str, str], records: Records) -> dict[str, str]:
    """The environment of the worker: the application's place, and the monitor's settings."""
    return {**default_worker_env, **records.settings, "PYTHONPATH": APPLICATION}


@pytest.fixture
def default_worker_command(default_worker_container_cls: type[CeleryWorkerContainer]) -> list[str]:
    """The worker's command line; it looks for no neighbours, for which it would wait a second at each start."""
    return default_worker_container_cls.command("--without-mingle")


@pytest.fixture
def default_worker_app_module() -> ModuleType:
    """The application's source; it is not run here, where it would install the monitor into the tests themselves."""
    spec = spec_from_file_location("app", Path(__file__).with_name("app.py"))
    assert spec
    return module_from_spec(spec)


@pytest.fixture
def default_worker_tasks() -> set[ModuleType]:
    """The modules of the jobs."""
    return {tasks}


# The project's own image in place of pytest-celery's, which has neither this Python nor the monitor.
celery_base_worker_image = pytest_docker_tools.build(path=str(REPOSITORY), tag="networx-monitor:tests")

default_worker_container = pytest_docker_tools.container(
    image="{celery_base_worker_image.id}",
    environment=pytest_docker_tools.fxtr("default_worker_env"),
    network="{default_pytest_celery_network.name}",
    volumes=pytest_docker_tools.fxtr("worker_mounts"),
    wrapper_class=CeleryWorkerContainer,
    command=pytest_docker_tools.fxtr("default_worker_command"),
)
