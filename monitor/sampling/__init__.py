"""Measures the parts that jobs depend on: one file for each thing measured.

A sampler is a function that returns what it `Measured`. `measure` runs it for one tick and writes that to the store.
"""

import logging
import time
from collections.abc import Callable

from monitor.sample import Measured
from monitor.store import Store
from monitor.store.measured import save_measured

logger = logging.getLogger("monitor.sampling")

Sampler = Callable[[float], Measured]  # takes the tick's time in Unix seconds


def measure(store: Store, name: str, sampler: Sampler, period_s: float, now: float) -> Measured:
    """Take one measurement, and write it to the store under the time of its tick.

    However many beats and workers take it, one measurement a tick is kept: the tick's time is a whole multiple of the
    period. A sampler that raises leaves a gap and a count; what it raised is noted, and raised again.

    Raises:
        StoreError: when the store cannot take it: the gap stays.

    """
    at = now - now % period_s
    began = time.perf_counter()
    try:
        measured = sampler(at)
    except Exception as fault:
        failed = Measured()
        failed.add("SamplerFailures", at, 1, Sampler=name)
        failed.note(f"sampler:{name}", "failure", f"{type(fault).__name__}: {fault}")
        save_measured(store, failed, now)
        raise
    measured.add("SamplerFailures", at, 0, Sampler=name)
    measured.add("SamplerDuration", at, (time.perf_counter() - began) * 1e3, Sampler=name)
    measured.note(f"sampler:{name}", "failure", None)
    save_measured(store, measured, now)
    return measured
