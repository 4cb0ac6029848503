"""Opening the store: made, upgraded, or refused with a clear sentence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from monitor.store import StoreError, open_store, upgrade_store
from monitor.store.migrate import HEAD, VERSION_TABLE
from monitor.store.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Engine


def test_upgrading_makes_the_store_and_is_idempotent(empty_store_url: str) -> None:
    """The same command serves the first day and every deploy."""
    assert upgrade_store(empty_store_url) == (None, HEAD)
    assert upgrade_store(empty_store_url) == (HEAD, HEAD)


def test_the_migrations_make_the_very_tables_of_the_code(store: Engine) -> None:
    """Alembic finds no difference between them."""
    with store.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})

        differences = compare_metadata(context, metadata)

    assert differences == []


def test_a_store_from_a_newer_version_is_refused(store: Engine, store_url: str) -> None:
    """The sentence names both versions and what to do."""
    with store.begin() as connection:
        connection.exec_driver_sql("UPDATE monitor_version SET version_num = '9999'")

    for attempt in (open_store, upgrade_store):
        with pytest.raises(StoreError, match=f"schema 9999.*up to {HEAD}.*upgrade networx-monitor"):
            attempt(store_url)


def test_a_server_s_store_is_upgraded_only_by_command(postgres_url: str) -> None:
    """Other hosts share it: a worker that starts first must not change it."""
    with pytest.raises(StoreError, match="monitor store upgrade"):
        open_store(postgres_url, create=True)


def test_an_embedded_store_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """The worker that starts first makes it."""
    path = tmp_path / "deep" / "store.db"

    open_store(f"sqlite:///{path}", create=True)

    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_reading_does_not_make_a_store(tmp_path: Path) -> None:
    """A look at a store that is not there says so, and leaves no file."""
    path = tmp_path / "store.db"

    with pytest.raises(StoreError, match=f"no store at {path}"):
        open_store(f"sqlite:///{path}")

    assert not path.exists()


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    """One sentence, with the file's name."""
    path = tmp_path / "store.db"
    path.write_text("no database at all, but long enough to be taken for one" * 20)

    with pytest.raises(StoreError, match=f"{path} cannot be used: file is not a database"):
        open_store(f"sqlite:///{path}")


def test_an_unreachable_server_is_named_without_its_password() -> None:
    """Nobody listens on port 1."""
    with pytest.raises(StoreError) as raised:
        open_store("postgresql+psycopg://me:hunter2@127.0.0.1:1/monitor")

    assert "127.0.0.1" in str(raised.value)
    assert "hunter2" not in str(raised.value)
