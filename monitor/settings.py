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
    retention_days: int  # how long jobs with a fate are kept

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


def store_url(text: str) -> str:
    """Return a store's URL, checked."""
    scheme = text.partition(":")[0]
    if scheme == "sqlite" and text.startswith("sqlite:////"):
        return text
    if scheme == "sqlite" and text.startswith("sqlite:///"):
        return f"sqlite:///{Path(text.removeprefix('sqlite:///')).absolute()}"
    if scheme in {"postgresql", "postgres", "postgresql+psycopg"} and text.startswith(f"{scheme}://"):
        return "postgresql+psycopg" + text.removeprefix(scheme)
    # The text may hold a password: only its scheme is repeated.
    came = f"one that begins with {scheme + ':'!r}" if ":" in text else "a text without a scheme"
    raise ValueError(
        f"expected a URL like sqlite:////var/lib/monitor/store.db or postgresql://user@host/name, got {came}"
    )


def positive_int(text: str) -> int:
    """Return a whole number of at least 1."""
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise ValueError(f"expected a whole number of at least 1, got {text!r}")


def switch(text: str) -> bool:
    """Return True for on, False for off."""
    if text.lower() in {"on", "off"}:
        return text.lower() == "on"
    raise ValueError(f"expected on or off, got {text!r}")


def names(text: str) -> frozenset[str]:
    """Return the lower-case names of a comma-separated list."""
    return frozenset(name.strip().lower() for name in text.split(",") if name.strip())


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
    "store_url": Knob("MONITOR_STORE_URL", store_url, lambda: f"sqlite:///{Path('.monitor/store.db').absolute()}"),
    "spool_dir": Knob(
        "MONITOR_SPOOL_DIR", lambda text: Path(text).absolute(), lambda: Path(".monitor/spool").absolute()
    ),
    "spool_max_mb": Knob("MONITOR_SPOOL_MAX_MB", positive_int, lambda: 512),
    "store_arguments": Knob("MONITOR_ARGUMENTS", switch, lambda: True),
    "redact": Knob("MONITOR_REDACT", names, frozenset),
    "code_version": Knob("MONITOR_CODE_VERSION", str, found_version),
    "retention_days": Knob("MONITOR_RETENTION_DAYS", positive_int, lambda: 90),
}
