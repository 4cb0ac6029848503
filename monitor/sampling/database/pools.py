"""Watches an application's own SQLAlchemy pool from inside its processes, and names its connections after jobs.

It runs within jobs: it raises nothing, and what it counted goes to a callable that must not wait. The one thing that
it asks of the network is `SET application_name`, when a connection comes to another job.
"""

import logging
import os
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from sqlalchemy import Engine, event
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from monitor.sample import Measured
from monitor.sampling.database.jobnames import name_of_current_job
from monitor.sampling.database.tally import Tally

logger = logging.getLogger("monitor.sampling")

Observe = Callable[[Measured], None]

WARN_EVERY_S = 60.0
_NAMED_AFTER = "monitor.named_after"  # in the `info` of a pool's connection

_watched: WeakSet[Engine] = WeakSet()


def watch_engine(engine: Engine, name: str | None = None, *, observe: Observe) -> None:
    """Watch the engine's pool, under `name` or its database's name; a second call adds nothing.

    Each process that uses the engine calls `observe` every 30 s at most, when a connection is checked out or returned:
    with the pool's size, the most connections in use at once since the last call, and how long checking out took.
    Of an AsyncEngine, pass its `sync_engine`.

    On PostgreSQL a connection that a job checks out is named after the job (`application_name`). It keeps the name in
    the pool until it is checked out elsewhere: to take it away each time would cost each transaction two round trips.
    """
    if engine not in _watched:
        _watched.add(engine)
        _Watch(engine, name or engine.url.database or engine.dialect.name, observe).begin()


class _Watch:
    """The hooks of one engine."""

    def __init__(self, engine: Engine, name: str, observe: Observe) -> None:
        self._engine = engine
        self._observe = observe
        self._tally = Tally(name)
        self._warned_at = -WARN_EVERY_S

    def begin(self) -> None:
        event.listen(self._engine, "checkin", self._on_checkin)
        if self._engine.dialect.name == "postgresql":
            event.listen(self._engine, "checkout", self._on_checkout)
        event.listen(self._engine, "engine_disposed", self._time_checkouts)
        self._time_checkouts(self._engine)

    def _time_checkouts(self, engine: Engine) -> None:
        """Time the pool's `connect`, since no event tells when it begins; a disposed engine has a new pool."""
        connect = engine.pool.connect

        def timed() -> PoolProxiedConnection:
            began = time.perf_counter()
            try:
                return connect()
            finally:  # one that was asked for in vain took its time too
                self._harmless(self._checked_out, time.perf_counter() - began)

        engine.pool.connect = timed  # type: ignore[method-assign]

    def _on_checkout(self, connection: Any, record: Any, _proxy: object) -> None:
        self._harmless(_name_after_job, connection, record.info)

    def _on_checkin(self, _connection: object, _record: object) -> None:
        self._harmless(self._tell)

    def _checked_out(self, took_s: float) -> None:
        pool = self._engine.pool
        if isinstance(pool, QueuePool):
            self._own_tally().count(took_s, pool.checkedout(), max(0, pool.overflow()))
        else:
            self._own_tally().count(took_s, None, None)
        self._tell()

    def _tell(self) -> None:
        pool = self._engine.pool
        size = pool.size() if isinstance(pool, QueuePool) else None
        measured = self._own_tally().take(size, time.monotonic(), time.time())
        if measured is not None:
            self._observe(measured)

    def _own_tally(self) -> Tally:
        """Return this process's tally: in a fork, neither the parent's numbers nor its lock are to be used."""
        if self._tally.pid != os.getpid():
            self._tally = Tally(self._tally.pool)
        return self._tally

    def _harmless(self, hook: Callable[..., None], *arguments: Any) -> None:
        try:
            hook(*arguments)
        except Exception:  # whatever it is, the application comes first
            if time.monotonic() - self._warned_at >= WARN_EVERY_S:
                self._warned_at = time.monotonic()
                logger.exception("Watching the pool %s failed; the application goes on", self._tally.pool)


def _name_after_job(connection: Any, info: dict[str, Any]) -> None:
    wanted = name_of_current_job()
    if info.get(_NAMED_AFTER) == wanted:
        return
    # Outside a transaction: one that began here would take the name back when it is rolled back.
    was_autocommit = connection.autocommit
    connection.autocommit = True
    try:
        cursor = connection.cursor()
        cursor.execute(f"SET application_name = '{wanted}'" if wanted else "RESET application_name")
        cursor.close()
    finally:
        connection.autocommit = was_autocommit
    info[_NAMED_AFTER] = wanted
