"""The shipper: one thread per host and spool that moves the spool into the store.

Every process that tells of jobs has a thread ready for it, but for pool children: the one that holds the file lock
ships, the others wait, and take over within a second when its process dies. What ships crosses no fork: engine,
connections and positions live in the thread alone.
"""

import atexit
import fcntl
import logging
import os
import socket
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from celery import Celery, bootsteps, signals

from monitor.job import Dropped
from monitor.settings import Settings, make_private
from monitor.spool import Reading, Segment, Spool, segments
from monitor.store import PositionMovedError, RefusedError, Store, StoreError, open_store, writes
from monitor.threads import start_thread

logger = logging.getLogger("monitor.shipper")

PASS_EVERY_S = 0.5
ELECTION_EVERY_S = 0.5
BACK_OFF_MOST_S = 5.0
WARN_EVERY_S = 60.0
LAST_FLUSH_S = 3.0

READ_BYTES = 1_000_000
BATCH_BYTES = 2_000_000

# A main process tells of its dead child within 3 s (it polls, Celery 5.7): only then is a run lost without a word.
GRACE_S = 5.0


class Shipper:
    """Moves one spool into the store, pass by pass. Belongs to one thread, which holds the spool's lock."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._directory = settings.spool_dir
        self._host = socket.gethostname()
        self._engine: Store | None = None
        self._positions: dict[str, int] = {}
        self._gone_since: dict[str, float] = {}
        self._spool = Spool(self._directory)  # for what the shipper itself has to tell

    def ship(self) -> None:
        """Move everything that is in the spool now.

        Raises:
            StoreError: when the store cannot take it; it stays in the spool.

        """
        # As far as they are written now: a pass that ran after busy writers would never come to its end.
        sizes = self._bound({found: found.size() for found in segments(self._directory)})
        engine = self._open()
        self._ask_positions(engine, sizes)
        while self._move_batch(engine, sizes):
            pass
        self._clear(engine)

    def backlog_bytes(self) -> int:
        """Return how much of the spool is not in the store yet, as far as this shipper knows."""
        return sum(max(0, found.size() - self._positions.get(found.name, 0)) for found in segments(self._directory))

    def close(self) -> None:
        """Let go of the store, and of the spool."""
        self._spool.close()
        if self._engine:
            self._engine.dispose()

    def _open(self) -> Store:
        if self._engine is None:
            self._engine = open_store(self._settings.store_url, create=True)
        return self._engine

    def _bound(self, sizes: dict[Segment, int]) -> dict[Segment, int]:
        """Drop the oldest segments that nobody writes to, until the spool is within its bound; return what is left."""
        too_much = sum(sizes.values()) - self._settings.spool_max_mb * 1_000_000
        for found, size in sizes.items():
            if too_much > 0 and size and found.is_closed():
                too_much -= size
                self._drop(found)
        return {found: found.size() for found in sizes}

    def _drop(self, found: Segment) -> None:
        """Count what is not in the store yet, and empty the file: it stays until the runs of its process are closed."""
        records = len(found.read(self._positions.get(found.name, 0), found.size()).records)
        self._spool.append(Dropped(time.time(), records, "the spool was full"))
        os.truncate(found.path, 0)
        logger.error("The spool is full: %d events were dropped, the oldest ones, from %s", records, found.path)

    def _ask_positions(self, engine: Store, present: Iterable[Segment]) -> None:
        unknown = [found.name for found in present if found.name not in self._positions]
        if unknown:
            self._positions.update(dict.fromkeys(unknown, 0) | writes.positions(engine, unknown))

    def _move_batch(self, engine: Store, sizes: dict[Segment, int]) -> bool:
        """Move one batch, a piece of as many segments as it holds; return whether there was anything."""
        readings: list[Reading] = []
        size = 0
        for found, written in sizes.items():
            position = self._positions[found.name]
            if written > position and size < BATCH_BYTES:
                reading = found.read(position, READ_BYTES)
                if reading.end > reading.start:
                    readings.append(reading)
                    size += reading.end - reading.start
        if readings:
            self._save(engine, readings)
        return bool(readings)

    def _save(self, engine: Store, readings: list[Reading]) -> None:
        try:
            writes.save(engine, self._host, readings)
        except PositionMovedError:
            self._positions.clear()
            raise
        except RefusedError as fault:
            self._save_apart(engine, readings, fault)
        for reading in readings:
            self._positions[reading.segment] = reading.end

    def _save_apart(self, engine: Store, readings: list[Reading], fault: RefusedError) -> None:
        """Save record by record, so that one the store cannot take does not hold up all the others."""
        logger.warning("The store refuses a batch of events; they are saved one by one: %s", fault)
        for reading in readings:
            for piece in reading.pieces():
                self._save_piece(engine, piece)

    def _save_piece(self, engine: Store, piece: Reading) -> None:
        try:
            writes.save(engine, self._host, [piece])
        except RefusedError as fault:
            piece.records = []
            loss = writes.Loss(piece.segment, "refused by the store", records=1)
            writes.save(engine, self._host, [piece], [loss])
            logger.error("The store refuses an event, which is lost: %s", fault)  # noqa: TRY400 (expected: no traceback)
        except (StoreError, PositionMovedError):
            self._positions.clear()  # some pieces are saved already: the store knows how many
            raise

    def _clear(self, engine: Store) -> None:
        """Delete the files that are wholly in the store, and close the runs of processes that are gone."""
        by_process: dict[str, list[Segment]] = {}
        # Asked anew: a process that has meanwhile turned to a new segment is not gone.
        for found in segments(self._directory):
            by_process.setdefault(found.process, []).append(found)
        for process, its_own in by_process.items():
            done = [found for found in its_own if self._is_done(found)]
            if len(done) < len(its_own):
                self._gone_since.pop(process, None)
                self._remove(engine, done)
            elif self._is_gone_for_good(process):
                if closed := writes.lose_open_runs(engine, process, time.time()):
                    logger.warning("%d runs are lost: their process is gone, and nobody told why", closed)
                self._remove(engine, its_own)
                self._gone_since.pop(process, None)

    def _is_done(self, found: Segment) -> bool:
        return found.is_closed() and found.size() <= self._positions.get(found.name, -1)

    def _is_gone_for_good(self, process: str) -> bool:
        now = time.monotonic()
        return now - self._gone_since.setdefault(process, now) >= GRACE_S

    def _remove(self, engine: Store, done: list[Segment]) -> None:
        if not done:
            return
        # The files go first: were the store to forget them first, a crash in between would ship them twice.
        for found in done:
            found.path.unlink(missing_ok=True)
        writes.forget_segments(engine, [found.name for found in done])
        for found in done:
            self._positions.pop(found.name, None)


class Shipping:
    """The shipper's thread in this process: starts it, elects it, and lets it finish."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._worker_pid: int | None = None
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._is_started = False
        self._wake = threading.Event()
        self._flush_asked = threading.Event()
        self._flushed = threading.Event()

    def belongs_to_worker(self) -> None:
        """Remember that this process is a worker's main process: the children it forks never ship."""
        self._worker_pid = os.getpid()

    def start(self) -> None:
        """Start the thread, once in each process, never in a pool child."""
        if self._is_started or self._worker_pid not in {None, os.getpid()}:
            return
        self._is_started = True
        start_thread(self._run, "monitor-shipper")
        atexit.register(self.finish)

    def finish(self) -> None:
        """Ship what is there, and return within LAST_FLUSH_S whatever the store does.

        Where another process ships, it will find what this one wrote.
        """
        if not self._is_started or self._flush_asked.is_set():
            return  # asked once already, and waited for: atexit follows a warm shutdown
        self._flush_asked.set()
        self._wake.set()
        self._flushed.wait(LAST_FLUSH_S)

    def _run(self) -> None:
        try:
            lock = self._elected()
            if lock is not None:
                self._ship_for_good()
        finally:
            self._flushed.set()

    def _elected(self) -> int | None:
        """Wait for the lock; return its descriptor, or None when this process ends first."""
        while True:
            lock = _try_lock(self._settings.spool_dir)
            if lock is not None:
                return lock
            if self._flush_asked.is_set():
                return None
            self._wake.wait(ELECTION_EVERY_S)

    def _ship_for_good(self) -> None:
        shipper = Shipper(self._settings)
        warnings = _Warnings()
        pause_s = PASS_EVERY_S
        while True:
            is_last = self._flush_asked.is_set()
            try:
                shipper.ship()
                pause_s = PASS_EVERY_S
                warnings.over()
            except (StoreError, PositionMovedError) as fault:
                pause_s = min(2 * pause_s, BACK_OFF_MOST_S)
                warnings.say(fault, shipper.backlog_bytes())
            except Exception:
                pause_s = BACK_OFF_MOST_S
                logger.exception("The shipper failed; it goes on, and the events stay in the spool")
            if is_last:
                shipper.close()
                return
            self._wake.wait(pause_s)


class _Warnings:
    """Says that the store cannot be used: at once, then once a minute; and when it is back."""

    def __init__(self) -> None:
        self._said_at: float | None = None

    def say(self, fault: Exception, backlog_bytes: int) -> None:
        now = time.monotonic()
        if self._said_at is None or now - self._said_at >= WARN_EVERY_S:
            self._said_at = now
            logger.warning("Events wait in the spool, %.1f MB so far: %s", backlog_bytes / 1e6, fault)

    def over(self) -> None:
        if self._said_at is not None:
            self._said_at = None
            logger.warning("The store takes events again; all that waited in the spool is in it")


def _try_lock(directory: Path) -> int | None:
    """Return the descriptor of the spool's lock if it could be had. The kernel frees it with the process."""
    try:
        make_private(directory)
        fd = os.open(directory / "shipper.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        # Unlike the segments' locks, this one is the process's alone (POSIX): no child holds it on after its death.
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def ship_from(app: Celery, shipping: Shipping) -> None:
    """Give the application's workers and beat their shipper."""

    class ShipperStep(bootsteps.StartStopStep):
        """Hangs the shipper into the worker's blueprint: the consumer's restarts with each lost connection."""

        requires = ("celery.worker.components:Pool",)  # type: ignore[assignment]  # so that it starts after the first forks

        def __init__(self, worker: Any, **_: Any) -> None:
            super().__init__(worker)  # type: ignore[no-untyped-call]
            shipping.belongs_to_worker()

        def start(self, worker: Any) -> None:
            del worker
            shipping.start()

        def stop(self, worker: Any) -> None:
            """Do nothing: jobs still run (the pool stops after this); `worker_shutdown` comes when they are done."""

        terminate = stop  # after a cold shutdown there is only atexit

    app.steps["worker"].add(ShipperStep)
    signals.worker_shutdown.connect(lambda **_: shipping.finish(), weak=False)
    signals.beat_init.connect(lambda **_: shipping.start(), weak=False)
