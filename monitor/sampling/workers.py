"""Tells from the leases in the store how the workers are: how many live, their slots, and their event loops' lag."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from monitor.lease import Lease, Role, WorkerState
from monitor.sample import Measured
from monitor.store import Store
from monitor.store.measured import leases_since

# Leases that are older are not fresh, whatever period their holders meant to keep.
LOOK_BACK_S = 600.0


def sample_workers(store: Store, at: float) -> Measured:
    """Return what the fresh leases tell of their workers.

    Two processes under one node name are counted as two, and noted; the younger one's figures stand for the name.
    """
    measured = Measured()
    fresh = fresh_leases(store, at)
    measured.add("WorkersAlive", at, len(fresh))
    for name, its_own in groupby(fresh, key=lambda lease: lease.name):
        leases = list(its_own)
        measured.note(f"worker:{name}", "node name", _twins(leases))
        for lease, state in states_of(leases[-1:]):
            _add_state(measured, at, lease.name, state)
    return measured


def fresh_leases(store: Store, at: float) -> list[Lease]:
    """Return the fresh leases of workers, by name, the younger process last."""
    leases = leases_since(store, at - LOOK_BACK_S, Role.WORKER)
    return sorted((lease for lease in leases if lease.is_fresh(at)), key=lambda lease: (lease.name, lease.started_at))


def states_of(leases: Iterable[Lease]) -> Iterator[tuple[Lease, WorkerState]]:
    """Give each worker's lease with what it says that the worker sees of itself."""
    for lease in leases:
        if isinstance(lease.state, WorkerState):
            yield lease, lease.state


def _add_state(measured: Measured, at: float, name: str, state: WorkerState) -> None:
    readings = (
        ("WorkerLoopLag", "loop_lag_s", None if state.loop_lag_s is None else state.loop_lag_s * 1e3),
        ("WorkerSlots", "slots", state.slots),
        ("WorkerSlotsBusy", "busy", len(state.busy)),
        ("WorkerReserved", "reserved", state.reserved),
        ("WorkerCpu", "cpu_percent", state.cpu_percent),
    )
    for metric, field, value in readings:
        measured.add(metric, at, None if field in state.unread else value, Worker=name)
    measured.note(f"worker:{name}", "unread", f"it cannot tell {', '.join(state.unread)}" if state.unread else None)


def _twins(leases: list[Lease]) -> str | None:
    if len(leases) == 1:
        return None
    pids = " and ".join(f"{lease.pid} on {lease.host}" for lease in leases)
    return f"{len(leases)} processes go by this name, {pids}: give each a name of its own with --hostname"
