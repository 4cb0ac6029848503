"""compose.yaml follows the compose specification, what it refers to exists, and what it starts can start."""

import copy
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

Compose = dict[str, Any]

ROOT = Path(__file__).parent.parent
FILE = ROOT / "compose.yaml"
TEXT = FILE.read_text()
COMPOSE: Compose = yaml.safe_load(TEXT)
SERVICES: Compose = COMPOSE["services"]
ONE_SHOT = {"store-upgrade"}


def test_it_follows_the_compose_specification() -> None:
    """The file is valid under the specification's own schema."""
    assert _schema_says(FILE) == ""


def test_a_key_that_the_specification_does_not_know_is_found(tmp_path: Path) -> None:
    """A slip of the pen in a key is refused, not ignored."""
    slip = tmp_path / "compose.yaml"
    slip.write_text(TEXT.replace("depends_on:", "depend_on:"))

    assert "'depend_on' was unexpected" in _schema_says(slip)


def test_everything_it_refers_to_exists() -> None:
    """Services, volumes, networks, files and variables all resolve, and no port is open to the network."""
    assert list(faults(COMPOSE)) == []


def _of_beat(key: str, value: object) -> Callable[[Compose], None]:
    return lambda compose: compose["services"]["beat"].update({key: value})


BROKEN: dict[str, Callable[[Compose], None]] = {
    "beat depends on nobody, which is no service": _of_beat("depends_on", ["nobody"]),
    "beat waits for the health of flawer, which is no service": _of_beat(
        "depends_on", {"flawer": {"condition": "service_healthy"}}
    ),
    "beat waits for the health of store-upgrade, which has no health check": _of_beat(
        "depends_on", {"store-upgrade": {"condition": "service_healthy"}}
    ),
    "beat mounts spol, which is no volume": _of_beat("volumes", ["beat:/var/lib/beat", "spol:/var/lib/monitor/spool"]),
    "beat mounts ./nowhere, which is not there": _of_beat("volumes", ["beat:/var/lib/beat", "./nowhere:/etc/nowhere"]),
    "volume beat is used by nobody": _of_beat("volumes", []),
    "beat joins inner, which is no network": _of_beat("networks", ["inner"]),
    "beat reads nowhere.env, which is not there": _of_beat("env_file", "nowhere.env"),
    "beat is built by ./Dockerfile.beat, which is not there": _of_beat("build", {"dockerfile": "Dockerfile.beat"}),
    "beat publishes 80:80 to the whole network": _of_beat("ports", ["80:80"]),
    "${NAME} has neither a default nor a message": _of_beat("environment", {"NAME": "${NAME}"}),
    "$NAME has neither a default nor a message": _of_beat("environment", {"NAME": "$NAME"}),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_reference_is_found(fault: str) -> None:
    """Each kind of broken reference is told, and nothing else."""
    broken = copy.deepcopy(COMPOSE)
    BROKEN[fault](broken)

    assert list(faults(broken)) == [fault]


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOT))
def test_a_lasting_service_is_restarted_watched_and_limited(name: str) -> None:
    """Whatever runs on comes back after a crash, says whether it is well, and cannot take the whole host."""
    service = SERVICES[name]

    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}


def own_programs(compose: Compose) -> Iterator[tuple[str, list[str]]]:
    """Yield every command and health check of the image that is built here: a label, and the program with its words."""
    for name, service in compose["services"].items():
        if "build" not in service:
            continue
        yield name, service["command"]
        kind, *words = service.get("healthcheck", {}).get("test", ["NONE"])
        if kind == "CMD":
            yield f"health of {name}", words
        if kind == "CMD-SHELL":
            yield f"health of {name}", shlex.split(words[0].replace("$$", "$").partition("|")[0])


@pytest.mark.parametrize("words", [pytest.param(words, id=label) for label, words in own_programs(COMPOSE)])
def test_what_it_starts_can_start(words: list[str], tmp_path: Path) -> None:
    """Each program exists, and understands the words it is given."""
    assert _start(words, tmp_path) == ""


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["celery", "-A", "workers", "wroker"], "No such command"),
        (["celery", "-A", "workers", "worker", "--queue", "optimization"], "No such option"),
        (["celery", "-A", "wokers", "worker"], "wokers"),
        (["python", "-c", "import os,"], "SyntaxError"),
        (["no-such-program"], "no-such-program"),
    ],
)
def test_a_program_that_cannot_start_is_found(words: list[str], complaint: str, tmp_path: Path) -> None:
    """Names and options that nobody knows are told."""
    assert complaint in _start(words, tmp_path)


def test_the_image_is_given_what_it_copies_and_no_more() -> None:
    """Every source of a COPY exists and is let through by .dockerignore; nothing else is let through."""
    copies = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = {source for line in copies for source in line.split()}
    ignore = (ROOT / ".dockerignore").read_text().splitlines()

    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert "*" in ignore
    assert {line[1:].split("/")[0] for line in ignore if line.startswith("!")} == {s.split("/")[0] for s in sources}


def test_dockers_own_reader_agrees() -> None:
    """Where Docker's compose is installed it reads the file without a complaint; elsewhere the schema has to do."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        return
    secrets = {name: "made:up" for name, _ in _variables(COMPOSE)}

    assert _complaint([docker, "compose", "--file", str(FILE), "config", "--quiet"], secrets) == ""


def faults(compose: Compose) -> Iterator[str]:
    """Yield a sentence for each reference that does not resolve, in the order of the file."""
    for name, service in compose["services"].items():
        yield from _unmet_dependencies(name, service, compose)
        yield from _missing_volumes(name, service, compose)
        yield from _missing_files(name, service)
        yield from (
            f"{name} joins {network}, which is no network"
            for network in service.get("networks", ())
            if network not in compose.get("networks", {})
        )
        yield from (
            f"{name} publishes {port} to the whole network"
            for port in service.get("ports", ())
            if not port.startswith("127.0.0.1:")
        )
    mounts = {
        mount.partition(":")[0] for service in compose["services"].values() for mount in service.get("volumes", ())
    }
    yield from (f"volume {volume} is used by nobody" for volume in compose.get("volumes", {}) if volume not in mounts)
    yield from (
        f"{written} has neither a default nor a message"
        for _, written in _variables(compose)
        if not re.search(r"\w:?[-?]", written)
    )


def _unmet_dependencies(name: str, service: Compose, compose: Compose) -> Iterator[str]:
    services, needs = compose["services"], service.get("depends_on", {})
    for other in needs:
        waits_for_health = isinstance(needs, dict) and needs[other].get("condition") == "service_healthy"
        verb = "waits for the health of" if waits_for_health else "depends on"
        if other not in services:
            yield f"{name} {verb} {other}, which is no service"
        elif waits_for_health and "healthcheck" not in services[other]:
            yield f"{name} {verb} {other}, which has no health check"


def _missing_volumes(name: str, service: Compose, compose: Compose) -> Iterator[str]:
    for mount in service.get("volumes", ()):
        source = mount.partition(":")[0]
        if source.startswith((".", "/")):
            if not (ROOT / source).exists():
                yield f"{name} mounts {source}, which is not there"
        elif source not in compose.get("volumes", {}):
            yield f"{name} mounts {source}, which is no volume"


def _missing_files(name: str, service: Compose) -> Iterator[str]:
    env_files = service.get("env_file", [])
    for file in [env_files] if isinstance(env_files, str) else env_files:
        if not (ROOT / file).exists():
            yield f"{name} reads {file}, which is not there"
    if "build" in service:
        build = service["build"] if isinstance(service["build"], dict) else {"context": service["build"]}
        context, dockerfile = build.get("context", "."), build.get("dockerfile", "Dockerfile")
        if not (ROOT / context / dockerfile).exists():
            yield f"{name} is built by {context}/{dockerfile}, which is not there"


def _variables(compose: Compose) -> Iterator[tuple[str, str]]:
    """Yield every reference to a variable: its name, and how it is written. `$$` is a dollar sign."""
    for found in re.finditer(r"\$\$|\$\{(\w+)[^}]*\}|\$(\w+)", yaml.safe_dump(compose, width=10_000)):
        if name := found[1] or found[2]:
            yield name, found[0]


def _schema_says(file: Path) -> str:
    return _complaint([sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)])


def _start(words: list[str], directory: Path) -> str:
    """Start a program for its help alone; return its complaint, or nothing."""
    program, *rest = words
    if program == "celery":
        own_data = {"MONITOR_SPOOL_DIR": f"{directory}/spool", "MONITOR_STORE_URL": f"sqlite:///{directory}/store.db"}
        return _complaint([sys.executable, "-m", "celery", *rest, "--help"], own_data)
    if program == "python":
        return _complaint([sys.executable, "-c", f"compile({rest[1]!r}, 'health', 'exec')"])
    return "" if shutil.which(program) else f"no program {program}"


def _complaint(command: list[str], env: dict[str, str] | None = None) -> str:
    """Return what the command says when it fails, and nothing when it does not."""
    answer = subprocess.run(
        command, cwd=ROOT, env=os.environ | (env or {}), capture_output=True, text=True, check=False
    )
    return "" if answer.returncode == 0 else f"{command[0]} failed\n{answer.stdout}{answer.stderr}"
