"""Keeps a worker alive when Redis restarts while the worker holds messages it has not acknowledged.

In kombu 5.7 a channel whose connection is gone fails with AttributeError where every caller expects a lost connection:
when unacknowledged messages are restored, and when a job that is done is acknowledged. Neither catches it, and the
worker exits. With the guard the error is a ConnectionError, which both catch; the messages return to their queue when
their visibility timeout is over.
"""

import warnings
from functools import wraps
from types import SimpleNamespace
from typing import Any

import kombu
from kombu.transport import redis

# kombu has no public place for the repair, and no types.
Channel: Any = redis.Channel


def guard() -> None:
    """Mend the channel of kombu's Redis transport, once; where kombu no longer has the fault, say so instead."""
    connparams = Channel._connparams  # noqa: SLF001
    if hasattr(connparams, "__wrapped__"):
        return
    if not is_needed():
        warnings.warn(
            f"kombu {kombu.__version__} no longer needs workers/kombu_guard.py: remove it.", FutureWarning, stacklevel=2
        )
        return

    @wraps(connparams)
    def guarded(channel: Any, asynchronous: bool = False) -> Any:  # noqa: FBT001, FBT002 - the signature is kombu's
        if getattr(channel.connection, "client", None) is None:
            raise ConnectionError("the channel's connection is closed")
        return connparams(channel, asynchronous=asynchronous)

    Channel._connparams = guarded  # noqa: SLF001


def is_needed() -> bool:
    """Tell whether this kombu fails in the way described above."""
    closed = Channel.__new__(Channel)
    closed.connection = SimpleNamespace(client=None)
    try:
        closed._connparams()  # noqa: SLF001
    except AttributeError:
        return True
    except Exception:  # noqa: BLE001 - any other error means that kombu has changed
        return False
    return False
