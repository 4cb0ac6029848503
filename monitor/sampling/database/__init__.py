"""Measures databases: each by one short connection a tick, side by side, so that one that hangs stops no other.

`watch_engine` measures from the inside: an application's own pool, and which job uses which connection.
"""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from sqlalchemy import URL

from monitor.sample import Measured
from monitor.sampling.database.faults import are_slots_taken, explain
from monitor.sampling.database.jobnames import job_of
from monitor.sampling.database.mysql import measure_mysql
from monitor.sampling.database.pools import watch_engine
from monitor.sampling.database.postgresql import QUESTIONS, measure_postgresql
from monitor.sampling.database.saturation import warnings
from monitor.sampling.database.sqlite import measure_sqlite
from monitor.sampling.database.urls import parse_databases, url_of

__all__ = ["job_of", "parse_databases", "sample_databases", "warnings", "watch_engine"]

ANSWER_TIMEOUT_S = 12.0  # to connect and to answer; well below the period

_MEASURES: Mapping[str, Callable[[URL, str, float], Measured]] = {
    "postgresql": measure_postgresql,
    "mysql": measure_mysql,
    "mariadb": measure_mysql,
    "sqlite": measure_sqlite,
}
# What is noted of a database that answers: of one that does not, none of it can be said.
_DETAILS = ("idle in transaction", "longest query", "waiting for a lock", "privilege", "track_activities", *QUESTIONS)


class _Question(threading.Thread):
    """One measuring of one database; a daemon, so that a process ends although a server does not answer."""

    def __init__(self, name: str, url: str, at: float) -> None:
        super().__init__(name=f"monitor-database-{name}", daemon=True)
        self.database = name
        self.url = url
        self.at = at
        self.answer: Measured | None = None

    def run(self) -> None:
        self.answer = _measured(self.database, self.url, self.at)


# Asked, and not answered in time. Each is waited for and not asked again: a server that hangs collects no connections.
_unanswered: dict[tuple[str, str], _Question] = {}


def sample_databases(databases: Mapping[str, str], at: float, timeout_s: float = ANSWER_TIMEOUT_S) -> Measured:
    """Measure the databases, whose URLs are given by name, side by side; it takes `timeout_s` seconds at most.

    Of one that cannot be measured there is a note `fault` with the reason, and no sample; but one that refuses because
    all its connections are taken is surely at 100 % of its limit.
    """
    questions = [_ask(name, url, at) for name, url in databases.items()]
    deadline = time.monotonic() + timeout_s
    together = Measured()
    for question in questions:
        measured = _answer(question, at, deadline)
        together.samples += measured.samples
        together.notes += measured.notes
    return together


def _ask(name: str, url: str, at: float) -> _Question:
    pending = _unanswered.pop((name, url), None)
    if pending and pending.is_alive():
        return pending
    question = _Question(name, url, at)
    question.start()
    return question


def _answer(question: _Question, at: float, deadline: float) -> Measured:
    is_of_this_tick = question.at == at
    question.join(max(0.0, deadline - time.monotonic()) if is_of_this_tick else 0.0)
    if question.answer is not None and is_of_this_tick:
        return question.answer
    if question.is_alive():
        _unanswered[question.database, question.url] = question
    asked = f"{datetime.fromtimestamp(question.at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return _fault(question.database, f"no answer to what it was asked at {asked}")


def _measured(name: str, written: str, at: float) -> Measured:
    """Return what a database tells, or why it tells nothing."""
    try:
        url = url_of(written)
    except ValueError as fault:
        return _fault(name, str(fault))
    try:
        measured = _MEASURES[url.get_backend_name()](url, name, at)
    except Exception as fault:  # noqa: BLE001 (each driver has errors of its own)
        failed = _fault(name, explain(fault, url))
        failed.add("DatabaseConnectionsUsed", at, 100 if are_slots_taken(fault) else None, Database=name)
        return failed
    measured.note(f"database:{name}", "fault", None)
    return measured


def _fault(name: str, reason: str) -> Measured:
    failed = Measured()
    failed.note(f"database:{name}", "fault", reason)
    for detail in _DETAILS:
        failed.note(f"database:{name}", detail, None)
    return failed
