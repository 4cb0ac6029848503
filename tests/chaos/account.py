"""The account of a test: what the store says became of the jobs, and whether anything is in it twice."""

from collections import Counter
from typing import Self

import msgspec
from sqlalchemy import select

from monitor.job import Event, Fate, Job, Run, Started, Told
from monitor.store import Store, open_store, reads
from monitor.store.tables import events, runs

_decode = msgspec.msgpack.Decoder(Event).decode


class Account:
    """All that the store holds, read once."""

    @classmethod
    def of(cls, store_url: str) -> Self:
        """Read the store at this URL."""
        store = open_store(store_url)
        try:
            return cls(store)
        finally:
            store.dispose()

    def __init__(self, store: Store) -> None:
        self.jobs: dict[str, Job] = {job.id: job for job in reads.jobs_matching(store, reads.JobFilter(), limit=10**9)}
        self.losses = reads.lost(store)
        with store.connect() as connection:
            self.runs = [Run(**row) for row in connection.execute(select(runs)).mappings()]
            rows = connection.execute(select(events)).all()
        self.events: list[Event] = [_decode(row.body) for row in rows]
        # What the shipper concludes stands in no segment, at position 0: it is known by the run that was lost.
        self._identities = Counter(
            (row.segment, row.position, event.run if isinstance(event, Told) else None)
            for row, event in zip(rows, self.events, strict=True)
        )

    def open_jobs(self) -> set[str]:
        """The jobs without a fate."""
        return {id_ for id_, job in self.jobs.items() if job.fate is None}

    def doubles(self) -> list[object]:
        """What is told twice: records of the spool, conclusions of the shipper, starts of runs."""
        starts = Counter(event.run for event in self.events if isinstance(event, Started))
        return [thing for counts in (self._identities, starts) for thing, count in counts.items() if count > 1]

    def starts(self) -> Counter[tuple[str, int]]:
        """How often each process started a run of each job."""
        return Counter((run.job, run.pid or 0) for run in self.runs)

    def lost_starts(self) -> set[tuple[str, int]]:
        """The starts whose run was lost."""
        return {(run.job, run.pid or 0) for run in self.runs if run.fate == Fate.LOST}

    def sums(self) -> list[str]:
        """The sums, to be read by people."""
        jobs = Counter(job.state for job in self.jobs.values())
        fates = Counter(run.fate or "running" for run in self.runs)
        return [
            f"jobs    {len(self.jobs):6}  {_listed(jobs)}",
            f"runs    {len(self.runs):6}  {_listed(fates)}",
            f"events  {len(self.events):6}  {_listed(Counter(type(event).__name__.lower() for event in self.events))}",
            f"losses  {self.losses or 'none'}",
        ]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())
