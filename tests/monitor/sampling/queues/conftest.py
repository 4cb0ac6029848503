"""A store for what is measured of queues: one kind will do, for the store's own tests run on both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store without jobs."""
    engine = open_store(f"sqlite:///{tmp_path}/store.db", create=True)
    yield engine
    engine.dispose()
