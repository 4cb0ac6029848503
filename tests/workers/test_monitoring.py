"""The periodic jobs do what beat sends them for."""

import time
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import insert

from monitor.job import Fate, Job
from monitor.store import open_store, reads, tables
from workers import monitoring

DAY_S = 86_400


def test_the_store_is_pruned_by_the_age_in_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has been kept long enough goes, and the rest stays."""
    url = f"sqlite:///{tmp_path}/store.db"
    monkeypatch.setenv("MONITOR_STORE_URL", url)
    monkeypatch.setenv("MONITOR_RETENTION_DAYS", "7")
    store = open_store(url, create=True)
    jobs = [Job(f"{days} days", fate=Fate.SUCCEEDED, changed_at=time.time() - days * DAY_S) for days in (6, 8)]
    with store.begin() as connection:
        connection.execute(insert(tables.jobs), [msgspec.structs.asdict(job) for job in jobs])

    pruned = monitoring.prune_store()

    assert pruned == 1
    assert [job.id for job in reads.jobs_matching(store, reads.JobFilter())] == ["6 days"]
