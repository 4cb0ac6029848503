"""Every knob of the monitor, read from the environment once and never changed afterwards."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

import click

from monitor import texts
from monitor.texts import Threshold


class SettingsError(click.ClickException):
    """One or more settings are wrong; the message names each, what was expected and what came."""

    exit_code = 2


def refuse(faults: Sequence[str]) -> NoReturn:
    """Say what is wrong with the settings, all at once.

    Raises:
        SettingsError: where a program loads the application.
        SystemExit: where Celery's command line does, which would show any exception with a traceback: the message is
            printed, and the exit status is 2.

    """
    error = SettingsError("\n".join(faults))
    if click.get_current_context(silent=True) is None:
        raise error
    error.show()
    sys.exit(error.exit_code)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the monitor needs to know; the comment beside each field says its variable's meaning and unit."""

    store_url: str  # SQLAlchemy URL of the store: sqlite:///… or postgresql+psycopg://…
    spool_dir: Path  # directory of the spool, local to this host
    spool_max_mb: int  # past this many MB (1,000,000 bytes) the oldest part of the spool is dropped, and counted
    store_arguments: bool  # whether jobs' arguments are stored
    redact: frozenset[str]  # further argument names, lower case, whose values are never stored
    code_version: str  # what the jobs' code calls itself: a tag, a commit
    environment: str  # what this deployment is called
    retention_days: int  # how long jobs with a fate are kept
    samples_days: int  # how long samples, leases and what is noted are kept
    databases: str  # the databases that are measured, as `monitor.sampling.database.parse_databases` reads them
    database_warning: Threshold  # more connections than this are warned of
    queue_warnings: dict[str, int]  # more waiting jobs than this are warned of, by queue
    canaries: tuple[str, ...]  # the queues that canaries are sent to
    rabbitmq_management_url: str | None  # RabbitMQ's management API: http://user:password@host:15672
    queues_every_s: int  # how often queues are measured; likewise the others
    broker_every_s: int
    databases_every_s: int
    workers_every_s: int
    schedules_every_s: int
    canaries_every_s: int

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Read all settings.

        Raises:
            SettingsError: naming every faulty setting at once.

        """
        values: dict[str, Any] = {}
        faults = []
        for field in fields(cls):
            knob = KNOBS[field.name]
            text = env.get(knob.variable, "").strip()
            try:
                values[field.name] = knob.parse(text) if text else knob.default()
            except ValueError as fault:
                faults.append(f"{knob.variable}: {fault}.")
        if faults:
            refuse(faults)
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Knob:
    """One setting: its variable, how its text is read, and its value when the variable is absent or empty."""

    variable: str
    parse: Callable[[str], Any]
    default: Callable[[], Any]


def make_private(directory: Path) -> None:
    """Make a directory, and what is missing above it, for its owner alone."""
    if not directory.is_dir():
        make_private(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)


def found_version() -> str:
    """Return the version of the code in the working directory: git's, else "unknown"."""
    return _found_version(Path.cwd())


@cache
def _found_version(directory: Path) -> str:
    command = ["git", "-C", str(directory), "describe", "--always", "--dirty", "--tags"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)  # noqa: S603 (our own words)
        return answer.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return _distribution_version(directory.name)


def _distribution_version(name: str) -> str:
    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):
        return "unknown"


KNOBS = {
    "store_url": Knob(
        "MONITOR_STORE_URL", texts.store_url, lambda: f"sqlite:///{Path('.monitor/store.db').absolute()}"
    ),
    "spool_dir": Knob(
        "MONITOR_SPOOL_DIR", lambda text: Path(text).absolute(), lambda: Path(".monitor/spool").absolute()
    ),
    "spool_max_mb": Knob("MONITOR_SPOOL_MAX_MB", texts.positive_int, lambda: 512),
    "store_arguments": Knob("MONITOR_ARGUMENTS", texts.switch, lambda: True),
    "redact": Knob("MONITOR_REDACT", texts.names, frozenset),
    "environment": Knob("MONITOR_ENVIRONMENT", str, lambda: "production"),
    "code_version": Knob("MONITOR_CODE_VERSION", str, found_version),
    "retention_days": Knob("MONITOR_RETENTION_DAYS", texts.positive_int, lambda: 90),
    "samples_days": Knob("MONITOR_SAMPLES_DAYS", texts.positive_int, lambda: 15),
    "databases": Knob("MONITOR_DATABASES", str, str),
    "database_warning": Knob("MONITOR_DATABASE_WARNING", texts.threshold, lambda: Threshold(75.0, is_percent=True)),
    "queue_warnings": Knob(
        "MONITOR_QUEUE_WARNINGS", texts.counts_by_name, lambda: {"optimization": 10, "file-processing": 20}
    ),
    "canaries": Knob("MONITOR_CANARIES", texts.names_in_order, tuple),
    "rabbitmq_management_url": Knob("MONITOR_RABBITMQ_MANAGEMENT_URL", texts.http_url, lambda: None),
    "queues_every_s": Knob("MONITOR_QUEUES_EVERY_S", texts.positive_int, lambda: 15),
    "broker_every_s": Knob("MONITOR_BROKER_EVERY_S", texts.positive_int, lambda: 15),
    "databases_every_s": Knob("MONITOR_DATABASES_EVERY_S", texts.positive_int, lambda: 30),
    "workers_every_s": Knob("MONITOR_WORKERS_EVERY_S", texts.positive_int, lambda: 15),
    "schedules_every_s": Knob("MONITOR_SCHEDULES_EVERY_S", texts.positive_int, lambda: 30),
    "canaries_every_s": Knob("MONITOR_CANARIES_EVERY_S", texts.positive_int, lambda: 30),
}
