"""Renews one lease: a thread writes it straight to the store, every few seconds, until its holder ends.

Not through the broker: its death is not the death of the evidence. What renews a lease crosses no fork: engine and
connections live in the thread alone, and no connection is kept from one renewal to the next, so that a hundred workers
take no hundred of the database's connections.
"""

import logging
import os
import socket
import threading
import time
from typing import Protocol
from uuid import uuid4

from monitor.lease import BeatState, Lease, Role, WorkerState
from monitor.settings import Settings
from monitor.store import RefusedError, Store, StoreError, open_store
from monitor.store.measured import clock, renew_lease
from monitor.threads import start_thread

logger = logging.getLogger("monitor.sampling")

PERIOD_S = 5.0
GOODBYE_S = 2.0
WARN_EVERY_S = 60.0


class View(Protocol):
    """How the lease's thread sees its holder."""

    def look(self, clock_ahead_of_store_s: float) -> WorkerState | BeatState:
        """Return what the holder sees of itself."""

    def between(self) -> None:
        """Do what may take seconds; called after each renewal."""


class Renewal:
    """Keeps one lease fresh, and says goodbye in it. Nothing that its view raises ends its thread."""

    def __init__(self, settings: Settings, role: Role, name: str, view: View, period_s: float) -> None:
        self._settings = settings
        self._role = role
        self._name = name
        self._view = view
        self._period_s = period_s
        self._process = uuid4().hex
        self._began = time.monotonic()
        self._started_at: float | None = None
        self._warnings = _Warnings(name)
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Begin anew: a forked child neither renews its parent's lease nor ends it."""
        self._is_started = False
        self._is_ending = False
        self._says_goodbye = True
        self._engine: Store | None = None
        self._wake = threading.Event()
        self._is_said = False
        self._ended = threading.Event()

    def start(self) -> None:
        """Start the thread."""
        self._is_started = True
        start_thread(self._run, "monitor-lease")

    def renew_soon(self) -> None:
        """Renew it at once."""
        self._wake.set()

    def finish(self, *, in_order: bool = True) -> None:
        """Write the last lease, with a goodbye where the end is in order; return within GOODBYE_S."""
        if not self._is_started or self._is_ending:
            return  # said already: atexit follows a shutdown
        self._says_goodbye = in_order
        self._is_ending = True
        self._wake.set()
        self._ended.wait(GOODBYE_S)
        if not self._is_said:
            logger.warning("%s could not tell the store that it stops, and may be taken for lost", self._name)
        logger.info("monitor stopped watching %s", self._name)

    def _run(self) -> None:
        while not self._is_ending:
            self._renew(is_last=False)
            self._wake.wait(self._period_s)
            self._wake.clear()
        self._is_said = self._renew(is_last=True)
        self._ended.set()

    def _renew(self, *, is_last: bool) -> bool:
        """Write the lease; return whether the store has it."""
        try:
            self._write(is_last=is_last)
            if not is_last:
                self._view.between()
        except (StoreError, RefusedError) as fault:
            self._warnings.say(str(fault))
        except Exception as fault:
            # A fault of the monitor's own; the next renewal may do better, and the thread must not end.
            self._warnings.say(f"{type(fault).__name__}: {fault}")
            logger.debug("A lease was not renewed", exc_info=fault)
        else:
            self._warnings.over()
            return True
        finally:
            if self._engine:
                self._engine.dispose()
        return False

    def _write(self, *, is_last: bool) -> None:
        if self._engine is None:
            self._engine = open_store(self._settings.store_url, create=True)
        ahead_s = _clock_ahead_s(self._engine)
        now = time.time() - ahead_s
        if self._started_at is None:
            self._started_at = now - (time.monotonic() - self._began)
        lease = Lease(
            role=self._role,
            name=self._name,
            process=self._process,
            host=socket.gethostname(),
            pid=os.getpid(),
            started_at=self._started_at,
            renewed_at=now,
            period_s=self._period_s,
            goodbye_at=now if is_last and self._says_goodbye else None,
            state=self._view.look(ahead_s),
        )
        renew_lease(self._engine, lease)


class _Warnings:
    """Says that a lease cannot be renewed: at once, then once a minute; and when it is again."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._said_at: float | None = None

    def say(self, why: str) -> None:
        now = time.monotonic()
        if self._said_at is None or now - self._said_at >= WARN_EVERY_S:
            self._said_at = now
            logger.warning("The lease of %s cannot be renewed, so that it may be taken for lost: %s", self._name, why)

    def over(self) -> None:
        if self._said_at is not None:
            self._said_at = None
            logger.warning("The lease of %s is renewed again", self._name)


def _clock_ahead_s(store: Store) -> float:
    """Return how far this host's clock is ahead of the store's, which looked at it half way through its answer."""
    before = time.time()
    stores = clock(store)
    return (before + time.time()) / 2 - stores
