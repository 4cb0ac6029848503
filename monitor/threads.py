"""Threads that work beside the jobs."""

import threading
from collections.abc import Callable


def start_thread(target: Callable[[], None], name: str) -> None:
    """Start a daemon thread, a real one also where gevent has patched threading.

    A greenlet would stop every job of the worker while it waits for the store.
    """
    try:
        from gevent.monkey import get_original, is_module_patched  # noqa: PLC0415 (only where gevent is in use)
    except ImportError:
        threading.Thread(target=target, name=name, daemon=True).start()
        return
    if is_module_patched("threading"):
        get_original("_thread", "start_new_thread")(target, ())
    else:
        threading.Thread(target=target, name=name, daemon=True).start()
