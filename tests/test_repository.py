"""The repository keeps what it promises: locked dependencies, a make that explains itself, refusals that help."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ["runtime.lock", "dev.lock"]
LOCKED = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; [^\\]+)?(?: +--hash=sha256:[0-9a-f]{64})+")


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_names_no_url(lock: str) -> None:
    """Whoever installs takes the packages from where they always do."""
    assert [line for line in _text(lock).splitlines() if "://" in line or "--index" in line or "--find" in line] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_its_version_and_hashes(lock: str) -> None:
    """Nothing is installed but what was resolved."""
    assert [entry for entry in _entries(lock) if not LOCKED.fullmatch(entry)] == []


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("runtime.lock", PYPROJECT["project"]["dependencies"]),
        ("runtime.lock", PYPROJECT["project"]["optional-dependencies"]["platform"]),
        ("runtime.lock", PYPROJECT["build-system"]["requires"]),
        ("dev.lock", PYPROJECT["dependency-groups"]["dev"]),
    ],
    ids=["dependencies", "platform", "build-system", "dev"],
)
def test_a_lock_file_follows_pyproject(lock: str, wanted: list[str]) -> None:
    """What pyproject.toml asks for is locked, in a version that it allows."""
    pins = _pins(lock)
    requirements = [(Requirement(text), pins.get(canonicalize_name(Requirement(text).name))) for text in wanted]

    unmet = [
        str(want) for want, pin in requirements if pin is None or not want.specifier.contains(pin, prereleases=True)
    ]

    assert unmet == []


def test_tests_run_on_what_is_shipped() -> None:
    """Every package of the runtime is in the development environment, in the same version."""
    assert _pins("runtime.lock").items() - _pins("dev.lock").items() == set()


def test_bare_make_lists_every_target() -> None:
    """Whoever types `make` is told what there is to do."""
    targets = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets

    listed = _run(["make"]).stdout.splitlines()

    assert [line.split()[:2] for line in listed] == [["make", target] for target in targets[1].split()]


def test_the_changelog_tells_of_this_version() -> None:
    """The version that would be released has its entry."""
    assert PYPROJECT["project"]["version"] in (ROOT / "CHANGELOG.md").read_text()


def test_an_old_python_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """What is needed, what is there, and what to do: no traceback of a package that fails to build."""
    old = _program(
        tmp_path / "python3",
        f"""exec {sys.executable} -c "import platform, sys
sys.version_info = (3, 9, 2)
platform.python_version = lambda: '3.9.2'
$2" """,
    )

    answer = _run(["make", f"PYTHON={old}", f"VENV={tmp_path}/venv", "demo"])

    assert answer.stderr.startswith(
        f"NetWORX Monitor needs Python 3.11 or newer, and {old} is 3.9.2: run make PYTHON=/path/to/a/newer/python.\n"
    )
    assert answer.returncode == 2


def test_a_missing_python_is_told_in_a_sentence(tmp_path: Path) -> None:
    """A wrong PYTHON is named."""
    answer = _run(["make", "PYTHON=nopython", f"VENV={tmp_path}/venv", "demo"])

    assert "there is no nopython: install it, or run make PYTHON=/path/to/python.\n" in answer.stderr
    assert answer.returncode == 2


def test_who_may_not_install_packages_is_told_the_line(tmp_path: Path) -> None:
    """An ordinary user without sudo can paste what is missing, or pass it on."""
    _program(tmp_path / "apt-get", "exit 1")
    _program(tmp_path / "id", "echo 1000")
    _program(tmp_path / "sudo", "exit 1")

    answer = _run(["scripts/install-packages.sh", "redis-server", "postgresql"], path=f"{tmp_path}:/usr/bin:/bin")

    assert answer.stderr == (
        "This needs packages that are not installed. "
        "Run: sudo apt-get install -y --no-install-recommends redis-server postgresql\n"
    )
    assert answer.returncode == 2


def _text(lock: str) -> str:
    return (ROOT / "requirements" / lock).read_text()


def _entries(lock: str) -> Iterator[str]:
    """Yield each entry of a lock file on one line."""
    return iter(_text(lock).replace("\\\n", "").strip().splitlines())


def _pins(lock: str) -> dict[str, str]:
    found = (LOCKED.fullmatch(entry) for entry in _entries(lock))
    return {entry["name"]: entry["version"] for entry in found if entry}


def _program(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def _run(command: list[str], path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    """Run a command in an environment without the variables of the `make` that runs the tests."""
    return subprocess.run(command, cwd=ROOT, env={"PATH": path}, capture_output=True, text=True, check=False)
