"""Sends as a web application under gunicorn does: the parent sends a job, forks children that send, and lives on.

`python -m tests.chaos.preforking CHILDREN`: each process prints one line of JSON about itself and its first job.
"""

import json
import os
import signal
import sys
import threading

from tests.chaos.app import app
from tests.chaos.faults import open_segments


def main(children: int) -> None:
    """Send from here, and from as many forked children."""
    _send()
    for _ in range(children):
        if os.fork() == 0:
            _send()
            break
    signal.pause()


def _send() -> None:
    job = app.send_task("tests.chaos.app.short").id
    about = {"pid": os.getpid(), "job": job, "segments": open_segments(), "shippers": _shippers()}
    # One write, so that the lines of several processes do not mix.
    os.write(sys.stdout.fileno(), f"{json.dumps(about)}\n".encode())


def _shippers() -> int:
    """How many threads of the shipper run in this process."""
    return sum(thread.name == "monitor-shipper" for thread in threading.enumerate())


if __name__ == "__main__":
    main(int(sys.argv[1]))
