"""Reading the store: the jobs that are asked for, counted, named in short, and with their family."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from monitor.job import CANARY, OWN, Event, Fate, Record
from monitor.spool import Reading
from monitor.store import StoreError, reads, writes
from monitor.store.reads import JobFilter
from tests.monitor.events import ended, sent, started, told

if TYPE_CHECKING:
    from sqlalchemy import Engine


def save(store: Engine, *events: Event, segment: str = "p-000001") -> None:
    """Write events to the store."""
    body = msgspec.msgpack.Encoder().encode
    records: list[tuple[int, Record, bytes]] = [(at, event, body(event)) for at, event in enumerate(events)]
    writes.save(store, "alpha", [Reading(segment, 0, len(events), records)])


def ids(store: Engine, *states: str) -> list[str]:
    """Return the ids of the jobs in these states, in alphabetical order."""
    return sorted(job.id for job in reads.jobs_matching(store, JobFilter(states=frozenset(states))))


@pytest.fixture
def shop(store: Engine) -> Engine:
    """A store with jobs that wait, run, succeeded and are retried."""
    save(
        store,
        sent("waits", at=100, task="tidy"),
        sent("runs", at=100),
        started("runs", at=101, run="p-1"),
        sent("succeeded", at=100),
        started("succeeded", at=101, run="p-2"),
        ended("succeeded", at=102, run="p-2"),
        sent("retried", at=100),
        started("retried", at=101, run="p-3"),
        ended("retried", at=103, run="p-3", fate=Fate.RETRIED),
        sent("retried", at=102, retries=1, first_sent_at=100),
    )
    return store


def test_jobs_are_counted_by_state(shop: Engine) -> None:
    """Of all of them, and of those that are asked for."""
    assert reads.count_by_state(shop, JobFilter()) == {"waiting": 2, "running": 1, "succeeded": 1}
    assert reads.count_by_state(shop, JobFilter(task="tidy")) == {"waiting": 1}
    assert reads.count_by_state(shop, JobFilter(states=frozenset({"running"}))) == {"running": 1}
    assert reads.count_by_state(shop, JobFilter(since=104.0)) == {}


def test_a_fate_of_runs_alone_means_the_jobs_with_such_a_run(shop: Engine) -> None:
    """A job is not retried for good: it waits, or it ended otherwise."""
    assert ids(shop, "retried") == ["retried"]
    assert ids(shop, "retried", "succeeded") == ["retried", "succeeded"]
    assert ids(shop, "requeued") == []


def test_short_ids_are_as_long_as_it_takes_to_tell_them_apart(store: Engine) -> None:
    """Also from jobs that are not asked for; an id that is another's beginning stays whole."""
    for number, job in enumerate(["0123456789-a", "0123456789-b", "0123abcd-c", "abc", "abcdefghij", "zzzzzzzzzzzz"]):
        save(store, sent(job), segment=f"p-{number}")

    short = reads.short_ids(store, ["0123456789-a", "0123abcd-c", "abc", "abcdefghij", "zzzzzzzzzzzz"])

    assert short == {
        "0123456789-a": "0123456789-a",
        "0123abcd-c": "0123abcd",
        "abc": "abc",
        "abcdefghij": "abcdefgh",
        "zzzzzzzzzzzz": "zzzzzzzz",
    }


def test_many_ids_are_shortened_at_once(store: Engine) -> None:
    """More than a database takes as parameters of one statement."""
    many = [f"job-{number:05}" for number in range(1_200)]
    save(store, *(sent(job) for job in many))

    assert reads.short_ids(store, many) == {job: job for job in many}


def test_ids_are_found_by_their_beginning(store: Engine) -> None:
    """Signs that SQL takes for patterns are but signs."""
    for number, job in enumerate(["a%c", "abc", "abd", "b"]):
        save(store, sent(job), segment=f"p-{number}")

    assert reads.ids_beginning(store, "ab") == ["abc", "abd"]
    assert reads.ids_beginning(store, "a%") == ["a%c"]
    assert reads.ids_beginning(store, "a", limit=2) == ["a%c", "abc"]


def test_the_latest_jobs_names_are_listed_once_each(shop: Engine) -> None:
    """Those that are known, in alphabetical order."""
    assert reads.latest_names(shop, "task") == ["optimize", "tidy"]
    assert reads.latest_names(shop, "worker") == ["w1@alpha"]


def test_a_job_is_always_among_its_family(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if it is too large to be told whole."""
    monkeypatch.setattr(reads, "MAX_FAMILY", 2)
    save(store, *(sent(f"job-{number}", at=100.0 + number, root="job-0") for number in range(9)))

    story = reads.story(store, "job-7")

    assert story is not None
    assert [relative.id for relative in story.family] == ["job-0", "job-1", "job-7"]


def test_what_the_database_objects_to_is_told_in_a_sentence(store: Engine) -> None:
    """Nobody but the store needs to know SQLAlchemy's errors."""
    save(store, told("a"))
    with store.begin() as connection:
        connection.exec_driver_sql("DROP TABLE monitor_jobs")

    with pytest.raises(StoreError, match=r"cannot be used: .*monitor_jobs"):
        reads.jobs_matching(store, JobFilter())


def test_jobs_that_an_entry_of_beat_sent_are_found(store: Engine) -> None:
    """Oldest first; what others sent is not among them."""
    save(store, sent("second", at=200.0, entry="nightly"), started("second", at=201.0, run="p-1"), segment="b")
    save(store, sent("first", at=100.0, entry="hourly"), segment="a")
    save(store, sent("other", at=150.0), segment="c")

    found = reads.jobs_of_entries(store, 0.0, ["hourly", "nightly"])

    assert [(job.id, job.entry, job.started_at) for job in found] == [
        ("first", "hourly", None),
        ("second", "nightly", 201.0),
    ]
    assert [job.id for job in reads.jobs_of_entries(store, 150.0, ["hourly", "nightly"])] == ["second"]
    assert [job.id for job in reads.jobs_of_entries(store, 0.0, ["hourly"])] == ["first"]


def test_canaries_are_told_by_their_latest_run(store: Engine) -> None:
    """One that nobody took is told by its job: when it was sent, where to, and what became of it."""
    save(store, sent("old", at=50.0, task=CANARY), segment="a")
    save(store, sent("back", at=100.0, task=CANARY), started("back", at=101.0, task=CANARY), segment="b")
    save(
        store,
        sent("late", at=110.0, task=CANARY),
        told("late", at=140.0, fate=Fate.EXPIRED, sent_at=110.0),
        segment="c",
    )

    back, late = reads.canaries(store, since=60.0)

    assert (back.job, back.sent_at, back.received_at, back.started_at) == ("back", 100.0, 101.0, 101.0)
    assert (late.job, late.sent_at, late.started_at, late.fate) == ("late", 110.0, None, Fate.EXPIRED)


def test_the_monitors_own_jobs_are_listed_only_where_they_are_named(store: Engine) -> None:
    """They would drown the jobs of a system at rest."""
    save(store, sent("own", task=OWN[0], queue="monitoring"), sent("job"))

    asked = [JobFilter(), JobFilter(queue="monitoring"), JobFilter(task=OWN[0])]

    assert [[job.id for job in reads.jobs_matching(store, wanted)] for wanted in asked] == [["job"], ["own"], ["own"]]
    assert [reads.count_by_state(store, wanted) for wanted in asked] == [{"waiting": 1}] * 3
