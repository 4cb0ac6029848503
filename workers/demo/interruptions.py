"""How a demo is told to end."""

import signal
from collections.abc import Callable


class Interruptions:
    """Counts Ctrl-C, SIGTERM, and the terminal's closing; from now on, none of them ends the process by itself."""

    def __init__(self) -> None:
        self.count = 0
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, self._count)

    def another(self) -> Callable[[], bool]:
        """Return what tells whether there was another one since now."""
        before = self.count
        return lambda: self.count > before

    def _count(self, *_: object) -> None:
        self.count += 1
