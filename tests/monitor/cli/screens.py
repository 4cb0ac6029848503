"""What the tests of the command line share: a store with something in it, and screens to print on."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import msgspec
from celery.bin.base import CLIContext
from click.testing import CliRunner, Result
from rich.console import Console

from monitor.cli import monitor
from monitor.job import Event, Job, Record, Run
from monitor.life import life_of
from monitor.spool import Reading
from monitor.store import writes

if TYPE_CHECKING:
    from sqlalchemy import Engine

NOW = 1_000.0


def save(store: Engine, *events: Event) -> None:
    """Write events to the store, each batch as a segment of its own."""
    body = msgspec.msgpack.Encoder().encode
    records: list[tuple[int, Record, bytes]] = [(at, event, body(event)) for at, event in enumerate(events)]
    writes.save(store, "alpha", [Reading(f"{events[0].job}-{events[0].at}", 0, len(events), records)])


def lived(*events: Event) -> tuple[Job, list[Run]]:
    """Return the job that the events tell of, and its runs."""
    return life_of(events[0].job, events)


def terminal(width: int) -> Console:
    """Return a terminal's console of that many columns, without colours."""
    return Console(file=StringIO(), width=width, force_terminal=True, color_system=None, highlight=False, markup=False)


def plain() -> Console:
    """Return the console of a file or pipe."""
    return Console(file=StringIO(), force_terminal=False, highlight=False, markup=False, soft_wrap=True)


def printed(console: Console) -> list[str]:
    """Return the lines that were printed, without the blanks at their ends."""
    file = console.file
    assert isinstance(file, StringIO)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def call(*arguments: str, no_color: bool = False) -> Result:
    """Run `celery monitor …` in this process; its standard output is no terminal."""
    return CliRunner().invoke(
        monitor, arguments, prog_name="celery monitor", obj=CLIContext(None, no_color=no_color, workdir=None)
    )
