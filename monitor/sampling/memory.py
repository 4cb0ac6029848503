"""Tells from the leases in the store what memory each worker uses, and what its container still has."""

from monitor.lease import WorkerState
from monitor.sample import Measured
from monitor.sampling.workers import fresh_leases, states_of
from monitor.store import Store


def sample_memory(store: Store, at: float) -> Measured:
    """Return what the fresh leases tell of memory; of two processes under one node name, the younger one's."""
    measured = Measured()
    youngest = {lease.name: (lease, state) for lease, state in states_of(fresh_leases(store, at))}
    for name, (_, state) in youngest.items():
        measured.add("MemoryUsage", at, _resident_mb(state), Worker=name)
        measured.add("MemoryLimit", at, state.limit_mb, Worker=name)
        measured.add("MemoryUsed", at, _used_percent(state), Worker=name)
        measured.add("OutOfMemoryKills", at, state.oom_kills, Worker=name)
    return measured


def _resident_mb(state: WorkerState) -> float | None:
    if state.main_mb is None or state.children_mb is None:
        return None
    return state.main_mb + state.children_mb


def _used_percent(state: WorkerState) -> float | None:
    if state.container_mb is None or not state.limit_mb:
        return None
    return 100 * state.container_mb / state.limit_mb
