"""The stores that the monitor is tested with: each test that asks for one runs on both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.store import open_store, upgrade_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that nobody has made yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store_url(empty_store_url: str) -> str:
    """The URL of a store without jobs."""
    upgrade_store(empty_store_url)
    return empty_store_url


@pytest.fixture
def store(store_url: str) -> Iterator[Engine]:
    """A store without jobs."""
    engine = open_store(store_url)
    yield engine
    engine.dispose()
