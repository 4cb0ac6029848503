"""The account of a test: what the store says became of the jobs, and whether anything is in it twice."""

from collections import Counter
from typing import Self

from sqlalchemy import select

from monitor.job import Event, Fate, Job, Run, Started
from monitor.life import life_of
from monitor.store import Store, history, open_store, reads
from monitor.store.tables import jobs


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
        self.losses = reads.lost(store)
        self.jobs: dict[str, Job] = {}
        self.runs: list[Run] = []
        self.events: list[Event] = []
        with store.connect() as connection:
            for id_, kept in connection.execute(select(jobs.c.id, jobs.c.events)):
                events = history.decode(kept)
                self.jobs[id_], runs = life_of(id_, events)
                self.runs += runs
                self.events += events

    def open_jobs(self) -> set[str]:
        """The jobs without a fate."""
        return {id_ for id_, job in self.jobs.items() if job.fate is None}

    def doubles(self) -> list[object]:
        """What is told twice: the very same events, and starts of the same run."""
        starts = Counter(event.run for event in self.events if isinstance(event, Started))
        same = Counter(map(repr, self.events))
        return [thing for counts in (same, starts) for thing, count in counts.items() if count > 1]

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
