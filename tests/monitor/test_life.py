"""From events to runs and fate, told in any order."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.job import Ended, Event, Fate, Run
from monitor.life import life_of, seconds
from tests.monitor.events import WORKER, ended, error, sent, started, told

HARD_LIMIT = told(fate=Fate.TIMED_OUT, at=102.0)
RETRY = sent(at=103.0, first_sent_at=100.0, retries=1, eta="1970-01-01T00:01:53+00:00")

LIVES: dict[str, tuple[list[Event], str, list[str | None]]] = {
    "sent": ([sent()], "waiting", []),
    "running": ([sent(), started()], "running", [None]),
    "succeeded": ([sent(), started(), ended()], "succeeded", ["succeeded"]),
    "failed": ([sent(), started(), ended(fate=Fate.FAILED)], "failed", ["failed"]),
    "foreign message": ([started(sent_at=None), ended()], "succeeded", ["succeeded"]),
    "waiting for its retry": ([sent(), started(), RETRY, ended(fate=Fate.RETRIED)], "waiting", ["retried"]),
    "retried and succeeded": (
        [
            sent(),
            started(),
            RETRY,
            ended(fate=Fate.RETRIED),
            started(at=113.5, run="p-2", sent_at=103.0, retries=1),
            ended(at=114.0, run="p-2"),
        ],
        "succeeded",
        ["retried", "succeeded"],
    ),
    "revoked while its retry is held": (
        [
            sent(),
            started(),
            RETRY,
            ended(fate=Fate.RETRIED),
            told(at=113.0, fate=Fate.REVOKED, sent_at=103.0, retries=1),
        ],
        "revoked",
        ["retried"],
    ),
    "killed": ([sent(), started(), told()], "lost", ["lost"]),
    "hard limit told twice": (
        [sent(), started(), HARD_LIMIT, told(fate=Fate.TIMED_OUT, at=102.01)],
        "timed out",
        ["timed out"],
    ),
    "hard limit, then cut off": ([sent(), started(), HARD_LIMIT, ended(fate=Fate.LOST)], "timed out", ["timed out"]),
    "cut off, acknowledged early": ([sent(), started(), ended(fate=Fate.LOST)], "lost", ["lost"]),
    "cut off, acknowledged late": (
        [sent(), started(acks_late=True), ended(fate=Fate.LOST, returns=True)],
        "waiting",
        ["lost"],
    ),
    "lost and given out again": (
        [
            sent(),
            started(acks_late=True),
            told(run="p-1", returns=True),
            started(at=110.0, run="q-1"),
            ended(at=111.0, run="q-1"),
        ],
        "succeeded",
        ["lost", "succeeded"],
    ),
    "gave the message back": ([sent(), started(), ended(fate=Fate.REQUEUED)], "waiting", ["requeued"]),
    "expired": ([sent(), told(fate=Fate.EXPIRED)], "expired", []),
    "unknown task": ([sent(), told(fate=Fate.UNKNOWN)], "unknown", []),
    "unreadable, known from the log": ([sent(), told(fate=Fate.UNREADABLE, sent_at=None)], "unreadable", []),
    "sent again by hand": ([sent(), started(), ended(), sent(at=200.0)], "waiting", ["succeeded"]),
    "killed after its end": ([sent(), started(), ended(), told(at=103.1)], "succeeded", ["succeeded"]),
    "its result could not be stored": (
        [sent(), started(), ended(), told(at=103.1, fate=Fate.FAILED, worker=None, sent_at=None, retries=None)],
        "failed",
        ["failed"],
    ),
    "its start was not recorded": ([sent(), ended()], "succeeded", ["succeeded"]),
}


@pytest.mark.parametrize("name", LIVES)
def test_events_amount_to_a_fate(name: str) -> None:
    """Each course of events gives its job's state and the fate of every run."""
    events, state, fates = LIVES[name]

    job, runs = life_of("a", events)

    assert job.state == state
    assert [run.fate for run in runs] == fates


@pytest.mark.parametrize("name", LIVES)
@given(data=st.data())
def test_the_order_of_arrival_does_not_matter(name: str, data: st.DataObject) -> None:
    """Processes and hosts tell separately: any order gives the same life."""
    events, _, _ = LIVES[name]

    shuffled = data.draw(st.permutations(events))

    assert _plain(life_of("a", shuffled)) == _plain(life_of("a", events))


def test_wait_counts_from_the_due_time_of_an_eta() -> None:
    """A job held until its due time does not wait meanwhile."""
    events: list[Event] = [sent(), started(at=113.5, eta="1970-01-01T00:01:53Z")]

    (run,) = life_of("a", events)[1]

    assert run.wait_s == pytest.approx(0.5)


def test_a_clock_that_was_set_back_gives_no_negative_wait() -> None:
    """A sender's clock may be ahead of the worker's."""
    (run,) = life_of("a", [started(at=99.0)])[1]

    assert run.wait_s == 0.0


def test_the_job_tells_of_its_latest_run_and_its_first_sending() -> None:
    """Error, worker and times are the latest run's; the first sending stays."""
    events: list[Event] = [
        *LIVES["waiting for its retry"][0],
        started(at=113.5, run="q-1", sent_at=103.0, retries=1, worker="w2@beta"),
    ]
    events.append(ended(at=114.0, run="q-1", fate=Fate.FAILED, error=error(), labels={"size": "large"}))

    job, _ = life_of("a", events)

    assert (job.worker, job.error, job.fingerprint) == ("w2@beta", "ValueError", "f1")
    assert (job.first_sent_at, job.started_at, job.ended_at, job.changed_at) == (100.0, 101.0, 114.0, 114.0)
    assert (job.runs, job.retries, job.labels) == (2, 1, '{"size":"large"}')


def test_the_main_process_names_the_cause_of_a_run_that_was_cut_off() -> None:
    """The reason of a loss is the main process's, who saw the signal."""
    events: list[Event] = [
        sent(),
        started(),
        ended(fate=Fate.LOST, reason="cut off"),
        told(reason="killed by signal 9"),
    ]

    job, (run,) = life_of("a", events)

    assert (job.reason, run.reason) == ("killed by signal 9", "killed by signal 9")


def test_a_telling_is_given_to_the_run_of_its_own_worker() -> None:
    """Two workers may run one job at once; a kill on one is not the other's."""
    events: list[Event] = [
        sent(),
        started(run="p-1"),
        started(run="q-1", at=101.5, worker="w2@beta"),
        told(worker=WORKER),
    ]

    _, runs = life_of("a", events)

    assert {run.id: run.fate for run in runs} == {"p-1": Fate.LOST, "q-1": None}


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [("1970-01-01T00:01:00", 60.0), ("1970-01-01T01:01:00+01:00", 60.0), (None, None), ("soon", None)],
)
def test_times_are_read_as_utc_unless_they_say_otherwise(stamp: str | None, expected: float | None) -> None:
    """A foreign sender's broken time is none, not a fault."""
    assert seconds(stamp) == expected


def _plain(life: tuple[object, list[Run]]) -> object:
    return msgspec.to_builtins(life)


def test_every_fate_but_three_ends_the_job() -> None:
    """Retried, replaced and requeued runs have a successor."""
    assert {fate for fate in Fate if not fate.ends_the_job} == {Fate.RETRIED, Fate.REPLACED, Fate.REQUEUED}


def test_an_ended_run_says_what_it_used() -> None:
    """CPU time, memory growth and run time come from the run itself."""
    (run,) = life_of("a", [started(), Ended("a", 103.0, "p-1", Fate.SUCCEEDED, 2.0, 1.5, 4096, None, None, None)])[1]

    assert (run.run_s, run.cpu_s, run.grew_bytes) == (2.0, 1.5, 4096)
