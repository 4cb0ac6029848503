"""What the person sees: a table that is drawn anew on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live

from workers.demo import tables
from workers.demo.figures import Figures

# The rows of the live table beside those of the latest jobs, with a task or two to come.
ROWS_TAKEN = 19
ROWS_OF_LATEST = range(3, 12)


class Screen:
    """Writes lines. `is_gone` tells that the terminal was closed; where it is a broken pipe, rich ends the program."""

    period_s = 5.0

    def __init__(self, console: Console) -> None:
        self.is_gone = False
        self._console = console
        self._status = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def say(self, *lines: RenderableType) -> None:
        """Write something that stays."""
        with self._unless_gone():
            self._console.print(*lines, sep="\n")

    def draw(self, status: str, figures: Figures) -> None:
        """Tell what is going on, and how the jobs fare."""
        if status != self._status:
            self._status = status
            self.say(status)
        elif figures.tasks:
            self.say(f"{time.strftime('%H:%M:%S')}  {tables.counts(figures.total.states)}")

    @contextmanager
    def _unless_gone(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self.is_gone = self._console.quiet = True


class LiveScreen(Screen):
    """Draws one table in place, again and again; what is said stays above it."""

    period_s = 1.0

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        # Drawn by the main thread, when there is something new: no thread of its own is needed.
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._unless_gone():
            self._live.stop()

    def draw(self, status: str, figures: Figures) -> None:
        """Draw all anew."""
        rows = min(max(self._console.height - ROWS_TAKEN, ROWS_OF_LATEST.start), ROWS_OF_LATEST.stop)
        with self._unless_gone():
            self._live.update(tables.screenful(status, figures, rows), refresh=True)


def screen_for(console: Console) -> Screen:
    """Return what suits the place that the console writes to."""
    can_redraw = console.file.isatty() and not console.is_dumb_terminal
    return LiveScreen(console) if can_redraw else Screen(console)
