"""Reads what a worker recorded, as soon as it is recorded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from monitor.store import StoreError, open_store, reads
from tests.processes import wait_until


@dataclass(frozen=True, slots=True)
class Records:
    """The store and the spool of one worker, in one directory."""

    directory: Path

    @property
    def settings(self) -> dict[str, str]:
        """The settings by which the monitor records here."""
        return {"MONITOR_STORE_URL": self._store_url, "MONITOR_SPOOL_DIR": f"{self.directory}/spool"}

    def running(self, job_id: str) -> reads.Story:
        """Waits until a run of the job is recorded that has not ended; returns the job's story."""
        return self._story_when(job_id, "runs", lambda story: story.job.state == "running")

    def finished(self, job_id: str) -> reads.Story:
        """Waits until the job and each of its runs has a fate; returns the job's story."""
        return self._story_when(job_id, "has a fate", lambda story: story.job.fate and not story.job.open_runs)

    def count_by_state(self) -> dict[str, int]:
        """How many jobs are recorded, by state."""
        with self._store() as store:
            return reads.count_by_state(store, reads.JobFilter())

    def _story_when(self, job_id: str, what: str, condition: Callable[[reads.Story], object]) -> reads.Story:
        wait_until(lambda: (story := self._story(job_id)) and condition(story), what=f"job {job_id} {what}")
        story = self._story(job_id)
        assert story
        return story

    def _story(self, job_id: str) -> reads.Story | None:
        """The story as far as it is recorded; None before the worker has made the store."""
        try:
            with self._store() as store:
                return reads.story(store, job_id)
        except StoreError:
            return None

    @contextmanager
    def _store(self) -> Iterator[Engine]:
        engine = open_store(self._store_url)
        try:
            yield engine
        finally:
            engine.dispose()

    @property
    def _store_url(self) -> str:
        return f"sqlite:///{self.directory}/store.db"
