"""The house rules of pyproject.toml ([tool.importlinter]) hold, and each of them can be broken."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

DOWNWARD = "Imports point downward: doors, rooms, spine, nouns, ground"
CIRCLE = "Imports run in no circle"
APPLICATION = "The monitor knows no application"
CELERY = "Celery is at home where jobs are recorded, shipped, sampled and commanded"
SQL = "SQL is at home in the store, and where databases are sampled"
TERMINAL = "Only the command line draws on the terminal"
COMMANDS = "Only the command line takes commands"
AWS = "AWS is at home where metrics, logs and pages are sent, and where SQS is sampled"
PAGES = "The web server is at home with the pages"

VIOLATIONS: list[tuple[str, dict[str, str]]] = [  # a rule, and the line that breaks it, by module
    (DOWNWARD, {"monitor.settings": "import monitor.job"}),
    (DOWNWARD, {"monitor.job": "import monitor.life"}),
    (DOWNWARD, {"monitor.life": "import monitor.store"}),
    (DOWNWARD, {"monitor.spool": "import monitor.store"}),
    (DOWNWARD, {"monitor.store": "import monitor.shipper"}),
    (DOWNWARD, {"monitor.recorder": "import monitor.shipper"}),
    (DOWNWARD, {"monitor.shipper": "import monitor.cli"}),
    (DOWNWARD, {"monitor.spool": "import monitor"}),  # which goes on to the rooms
    (DOWNWARD, {"monitor.helpers": ""}),  # a module without a place
    (CIRCLE, {"workers.hen": "import workers.egg", "workers.egg": "import workers.hen"}),
    (APPLICATION, {"monitor.shipper": "import beat_schedule"}),
    (APPLICATION, {"monitor.cli": "import workers"}),
    (CELERY, {"monitor.spool": "from celery import Celery"}),
    (CELERY, {"monitor.store": "import kombu"}),
    (CELERY, {"monitor.life": "import billiard.exceptions"}),
    (SQL, {"monitor.shipper": "import sqlalchemy"}),
    (SQL, {"monitor.cli": "from alembic import command"}),
    (SQL, {"workers.app": "import psycopg"}),
    (TERMINAL, {"monitor.store": "import rich.table"}),
    (COMMANDS, {"monitor.shipper": "import click"}),
    (AWS, {"monitor.shipper": "import boto3"}),
    (AWS, {"workers.app": "import watchtower"}),
    (PAGES, {"monitor.cli": "import tornado.web"}),
    (PAGES, {"workers.app": "import flower"}),
]


def test_the_house_rules_hold() -> None:
    """Every import of the tree is allowed by the rules."""
    said = _lint(ROOT)

    assert "0 broken." in said, said


def test_every_house_rule_is_tried() -> None:
    """A rule that is added is given a violation in this file."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

    assert {rule["name"] for rule in rules} == {rule for rule, _ in VIOLATIONS}


@pytest.mark.parametrize(
    ("rule", "lines"),
    VIOLATIONS,
    ids=[", ".join(f"{module}: {line}" for module, line in lines.items()) for _, lines in VIOLATIONS],
)
def test_a_violation_breaks_its_rule(rule: str, lines: dict[str, str], tmp_path: Path) -> None:
    """A copy of the tree with one wrong import is refused, under the name of the rule."""
    for name in ("pyproject.toml", "monitor", "workers"):
        _copy(ROOT / name, tmp_path / name)
    for module, line in lines.items():
        _append(tmp_path, module, line)

    assert f"{rule} BROKEN" in _lint(tmp_path)


def test_the_schedule_is_data() -> None:
    """beat_schedule.py, which belongs to no package, imports nothing but the settings, which tell the periods."""
    nodes = list(ast.walk(ast.parse((ROOT / "beat_schedule.py").read_text())))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}

    assert imported == {"monitor.settings"}


def _lint(tree: Path) -> str:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    wide = os.environ | {"COLUMNS": "200"}
    answer = subprocess.run(command, cwd=tree, env=wide, capture_output=True, text=True, check=False)
    return answer.stdout


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def _append(tree: Path, module: str, line: str) -> None:
    """Add a line to a module, which is made if it is not there."""
    path = tree.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    with file.open("a") as written:
        written.write(f"\n{line}\n")
