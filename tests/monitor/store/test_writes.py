"""Writing to the store: nothing lost, nothing doubled, whatever is told in whatever order."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import func, select

from monitor.job import Dropped, Event, Fate, Record
from monitor.spool import Reading
from monitor.store import PositionMovedError, RefusedError, history, open_store, reads, tables, writes
from tests.monitor.events import ended, error, sent, started, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

DAY_S = 86_400.0


def reading(records: Sequence[Record], segment: str = "p-000001", start: int = 0) -> Reading:
    """Return the records as if read from a segment, 10 bytes each."""
    body = msgspec.msgpack.Encoder().encode
    placed = [(start + 10 * at, record, body(record)) for at, record in enumerate(records)]
    return Reading(segment, start, start + 10 * len(records), placed)


def save(store: Engine, *records: Record, segment: str = "p-000001", start: int = 0) -> None:
    """Save records as one batch of one segment."""
    writes.save(store, "alpha", [reading(records, segment, start)])


def states(store: Engine) -> dict[str, str]:
    """Return each job's state."""
    return {job.id: job.state for job in reads.jobs_matching(store, reads.JobFilter())}


def test_a_batch_becomes_jobs_and_runs(store: Engine) -> None:
    """What was told is there to read, field by field."""
    save(store, sent(), started(), ended(fate=Fate.FAILED, error=error(), labels={"size": "small"}))

    story = reads.story(store, "a")

    assert story is not None
    assert (story.job.state, story.job.queue, story.job.error, story.job.run_s) == (
        "failed",
        "optimization",
        "ValueError",
        2.0,
    )
    (run,) = story.runs
    assert (run.worker, run.pid, run.traceback, run.fate) == ("w1@alpha", 7, "Traceback …", Fate.FAILED)
    assert (run.wait_s, run.cpu_s, run.labels) == (1.0, 1.0, '{"size":"small"}')
    assert [type(event).__name__ for event in story.events] == ["Sent", "Started", "Ended"]


def test_events_of_one_job_may_come_in_any_batch(store: Engine) -> None:
    """The sender's host may ship long after the worker's."""
    save(store, ended(), segment="child")
    save(store, started(), segment="other")
    save(store, sent(), segment="web")

    story = reads.story(store, "a")

    assert story is not None
    assert (story.job.state, story.job.sender, story.job.worker) == ("succeeded", "gen1@web", "w1@alpha")
    assert len(story.runs) == 1


def test_a_batch_that_was_saved_is_not_saved_again(store: Engine) -> None:
    """A shipper that died after the commit left a successor that starts from the store's position."""
    save(store, sent(), started())

    with pytest.raises(PositionMovedError):
        save(store, sent(), started())

    assert writes.positions(store, ["p-000001", "unknown"]) == {"p-000001": 20}
    story = reads.story(store, "a")
    assert story is not None
    assert len(story.events) == 2


def test_a_batch_that_fails_leaves_nothing_behind(store: Engine) -> None:
    """Events and position are written together or not at all."""
    broken = started(at="never")  # type: ignore[arg-type]

    with pytest.raises(RefusedError):
        save(store, sent(), broken)

    assert states(store) == {}
    assert writes.positions(store, ["p-000001"]) == {}


def test_the_runs_of_a_process_that_is_gone_are_lost(store: Engine) -> None:
    """Only its open runs are closed, and only once."""
    save(
        store,
        *(sent("open"), started("open", run="p-1")),
        *(sent("late"), started("late", run="p-2", acks_late=True)),
        *(sent("done"), started("done", run="p-3"), ended("done", run="p-3")),
        *(sent("other"), started("other", run="pp-1")),
    )

    closed = [writes.lose_open_runs(store, "p", now=200.0) for _ in range(2)]

    assert closed == [2, 0]
    assert states(store) == {"open": "lost", "late": "waiting", "done": "succeeded", "other": "running"}
    story = reads.story(store, "open")
    assert story is not None
    assert "process 7 is gone" in str(story.job.reason)


def test_who_knows_better_overrules_a_loss(store: Engine) -> None:
    """The main process's word may come after the shipper's conclusion."""
    save(store, sent(), started())
    writes.lose_open_runs(store, "p", now=200.0)

    save(store, told(fate=Fate.REVOKED, reason="terminated with SIGKILL"), segment="main")

    assert states(store) == {"a": "revoked"}


def test_what_could_not_be_kept_is_counted(store: Engine) -> None:
    """Dropped, damaged and unknown records are losses with a reason."""
    damaged = reading([sent(), Dropped(1.0, 7, "the disk is full")])
    damaged.damaged_bytes, damaged.unreadable = 30, 2

    writes.save(store, "alpha", [damaged], [writes.Loss("q-000001", "the spool was full", records=5)])

    assert reads.lost(store) == {
        "damaged in the spool": (0, 30),
        "written by another version": (2, 0),
        "the disk is full": (7, 0),
        "the spool was full": (5, 0),
    }


def test_an_endless_job_stays_bounded_and_keeps_its_beginning(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that is given out for ever is told from its latest events; who sent it is not forgotten."""
    monkeypatch.setattr(history, "MOST_EVENTS", 10)
    save(store, sent())

    for turn in range(20):
        begin, run = 101.0 + turn, f"p-{turn}"
        save(store, started(at=begin, run=run), ended(at=begin, run=run, fate=Fate.REQUEUED), start=10 + 20 * turn)

    story = reads.story(store, "a")
    assert story is not None
    assert (story.job.arguments, story.job.started_at, story.job.state) == (sent().arguments, 101.0, "waiting")
    assert story.job.runs == 20
    assert len(story.events) <= 10
    assert [run.id for run in story.runs] == ["p-0", "p-17", "p-18", "p-19"]
    assert {run.fate for run in story.runs} == {Fate.REQUEUED}


def test_pruning_deletes_old_jobs_with_all_that_belongs_to_them(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job without a fate is kept: nobody has explained it yet."""
    monkeypatch.setattr(writes, "PRUNE_BATCH", 2)
    for number in range(5):
        job, at = f"old{number}", 100.0 + number
        save(store, sent(job), started(job, run=f"{job}-1"), ended(job, at=at, run=f"{job}-1"), segment=job)
    save(store, sent("open"), segment="open")
    save(store, sent("young"), started("young", run="y-1"), ended("young", at=90 * DAY_S, run="y-1"), segment="young")

    pruned = writes.prune(store, older_than_days=90, now=91 * DAY_S)

    assert pruned == 5
    assert states(store) == {"open": "waiting", "young": "succeeded"}
    with store.connect() as connection:
        kept = [
            connection.execute(select(func.count()).select_from(table)).scalar() for table in (tables.jobs, tables.runs)
        ]
    assert kept == [2, 1]


def test_hosts_that_tell_one_job_at_once_lose_none_of_it(store: Engine, store_url: str) -> None:
    """Two shippers save the sender's and the worker's events of the same jobs side by side, many times over."""
    jobs = [f"job{number}" for number in range(40)]

    def tell(segment: str, told_of: list[list[Event]]) -> None:
        engine = open_store(store_url)
        start = 0
        for events in told_of:
            save(engine, *events, segment=segment, start=start)
            start += 10 * len(events)
        engine.dispose()

    sender = threading.Thread(target=tell, args=("web", [[sent(job)] for job in jobs]))
    worker = threading.Thread(
        target=tell, args=("w", [[started(job, run=f"w-{job}"), ended(job, run=f"w-{job}")] for job in jobs])
    )
    for thread in (sender, worker):
        thread.start()
    for thread in (sender, worker):
        thread.join()

    found = reads.jobs_matching(store, reads.JobFilter(), limit=100)
    assert {(job.state, job.sender, job.runs) for job in found} == {("succeeded", "gen1@web", 1)}
    assert len(found) == 40


def test_segments_whose_files_are_gone_are_forgotten(store: Engine) -> None:
    """The table does not grow with every process that ever lived."""
    save(store, sent())

    writes.forget_segments(store, ["p-000001"])

    assert writes.positions(store, ["p-000001"]) == {}
