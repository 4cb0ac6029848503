"""Mistakes: each is told in one clear sentence, with exit status 2, no traceback and no password."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from monitor.store import upgrade_store
from tests.monitor.cli.screens import call

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("arguments", "faults"),
    [
        ("jobs --fate faild --since soon --limit 0", ["--fate: expected", "--since: expected", "--limit: expected"]),
        ("store prune --older-than-days -3", ["--older-than-days: expected a whole number from 1 to 36500, got '-3'"]),
        ("jbos", ["No such command 'jbos'. Did you mean 'jobs'?"]),
        ("jobs --colour", ["No such option '--colour'"]),
        ("job", ["Missing argument 'ID'"]),
        (
            "metrics Nothing --since soon --json --sparkline",
            ["PATTERN: expected", "--since: expected", "--sparkline: "],
        ),
        ("queues --json --sparkline", ["--sparkline: expected without --json"]),
        ("workers --json forget w1@alpha", ["--json, --sparkline: expected without 'forget'"]),
        ("queues optimization", ["No such command 'optimization'"]),
        ("schedules --since 1h", ["No such option '--since'"]),
        ("queues forget", ["Missing argument 'NAME'"]),
    ],
)
def test_what_is_typed_wrong_is_told_at_once(arguments: str, faults: list[str]) -> None:
    """All of it, on standard error, with exit status 2."""
    result = call(*arguments.split())

    assert (result.exit_code, result.stdout) == (2, "")
    assert all(fault in result.stderr for fault in faults)
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        *("jobs", "jobs --json", "job abc", "store prune"),
        *("queues", "queues forget a", "workers", "workers forget a", "schedules --json", "metrics"),
    ],
)
@pytest.mark.parametrize(
    ("store_url", "said"),
    [
        ("sqlite:///{here}/none.db", "There is no store at {here}/none.db yet"),
        ("sqlite:///{here}", "The store sqlite:///{here} cannot be used: unable to open database file"),
        ("sqlite:///{here}/text", "The store sqlite:///{here}/text cannot be used: file is not a database"),
        ("sqlite:///{here}/newer.db", "has schema 9999, which this version does not know"),
        (f"postgresql://me:{SECRET}@127.0.0.1:1/x", "postgresql+psycopg://me:***@127.0.0.1:1/x cannot be used"),
    ],
)
def test_a_store_that_cannot_be_used_is_told_in_one_sentence(
    arguments: str, store_url: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By every command, with no traceback and no password."""
    (tmp_path / "text").write_text("no database, but long enough to be taken for one" * 20)
    upgrade_store(f"sqlite:///{tmp_path}/newer.db")
    _run_sql(tmp_path / "newer.db", "UPDATE monitor_version SET version_num = '9999'")
    monkeypatch.setenv("MONITOR_STORE_URL", store_url.format(here=tmp_path))

    result = call(*arguments.split())

    assert (result.exit_code, result.stdout) == (2, "")
    assert said.format(here=tmp_path) in result.stderr
    assert result.stderr.count("\n") == 1
    assert SECRET not in result.stderr


def test_a_store_that_fails_while_it_is_read_is_told_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened well, then a table is missing."""
    monkeypatch.setenv("MONITOR_STORE_URL", f"sqlite:///{tmp_path}/store.db")
    upgrade_store(f"sqlite:///{tmp_path}/store.db")
    _run_sql(tmp_path / "store.db", "DROP TABLE monitor_jobs")

    for command in (["jobs"], ["job", "a"], ["store", "prune"]):
        result = call(*command)

        assert result.exit_code == 2
        assert (
            result.stderr
            == f"Error: The store sqlite:///{tmp_path}/store.db cannot be used: no such table: monitor_jobs.\n"
        )


def _run_sql(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
