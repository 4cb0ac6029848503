"""Queues on whatever else Celery can use: kombu's own count."""

from pathlib import Path
from typing import Any

import pytest

from monitor.sampling.queues import sample_queues
from monitor.store import Store
from tests.monitor.sampling.apps import AT, app_of, noted, send, told


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")  # kombu 5.7 with SQLAlchemy 2.1
@pytest.mark.parametrize("transport", ["memory", "filesystem", "sqlalchemy"])
def test_waiting_messages_are_counted(transport: str, tmp_path: Path, store: Store) -> None:
    """The depth is what was sent, and what cannot be told is a gap."""
    url, options = _broker(transport, tmp_path)
    app = app_of(url, ["optimization", "file-processing"], **options)
    send(app, "optimization", 3)
    send(app, "file-processing")

    measured = sample_queues(app, store, AT)

    assert told(measured, "JobQueueDepth") == {"optimization": 3, "file-processing": 1}
    assert told(measured, "JobsUnacknowledged") == told(measured, "QueueConsumers") == {}
    assert told(measured, "OldestJobAge") == {}


def test_a_queue_that_is_not_there_is_noted(store: Store) -> None:
    """It has no number, which would be a zero that nobody counted."""
    app = app_of("memory://", ["nobody-declared-this"])

    measured = sample_queues(app, store, AT)

    assert told(measured, "JobQueueDepth") == {}
    assert noted(measured, "queue:nobody-declared-this")["unseen"] == "the broker has no such queue"


def _broker(transport: str, directory: Path) -> tuple[str, dict[str, Any]]:
    if transport == "filesystem":
        folder = directory / "messages"
        folder.mkdir()
        names = ("data_folder_in", "data_folder_out", "control_folder")
        return "filesystem://", dict.fromkeys(names, str(folder))
    return {"memory": "memory://", "sqlalchemy": f"sqla+sqlite:///{directory}/broker.db"}[transport], {}
