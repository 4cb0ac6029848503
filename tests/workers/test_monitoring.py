"""The periodic jobs do what beat sends them for."""

import time
from pathlib import Path

import msgspec
import pytest

from monitor.job import Record
from monitor.settings import Settings
from monitor.spool import Reading
from monitor.store import open_store, reads, writes
from tests.monitor.events import told
from workers import monitoring

DAY_S = 86_400


def test_the_store_is_pruned_by_the_age_in_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has been kept long enough goes, and the rest stays."""
    url = f"sqlite:///{tmp_path}/store.db"
    env = {"MONITOR_STORE_URL": url, "MONITOR_RETENTION_DAYS": "7"}
    monkeypatch.setattr(monitoring, "settings", Settings.from_env(env))
    store = open_store(url, create=True)
    events = [told(f"{days} days", at=time.time() - days * DAY_S) for days in (6, 8)]
    records: list[tuple[int, Record, bytes]] = [
        (at, event, msgspec.msgpack.encode(event)) for at, event in enumerate(events)
    ]
    writes.save(store, "alpha", [Reading("p-000001", 0, len(events), records)])

    pruned = monitoring.prune_store()
    monitoring._store.cache_clear()

    assert pruned == 1
    assert [job.id for job in reads.jobs_matching(store, reads.JobFilter())] == ["6 days"]
