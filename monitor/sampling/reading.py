"""Reads what a process sees of itself, one datum after the other: what cannot be read costs only itself."""

import logging
from collections.abc import Callable
from typing import TypeVar

logger = logging.getLogger("monitor.sampling")

Datum = TypeVar("Datum")
Instead = TypeVar("Instead")

_said: set[str] = set()  # what this process has warned of


class Reading:
    """One look at everything. `unread` names what could not be read in it."""

    def __init__(self) -> None:
        self.unread: list[str] = []

    def __call__(self, name: str, read: Callable[[], Datum], instead: Instead) -> Datum | Instead:
        """Return the datum, or `instead` when its reading fails, which is logged once.

        `name` is the field's, or the fields', as in "main_mb, children_mb".
        """
        try:
            return read()
        except Exception as fault:  # noqa: BLE001 (told by `unread`)
            self.unread.extend(name.split(", "))
            if name not in _said:
                _said.add(name)
                logger.warning("The lease cannot tell %s: %s: %s", name, type(fault).__name__, fault)
            return instead
