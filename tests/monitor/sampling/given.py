"""Leases as workers write them, with all that a test does not care for filled in."""

from typing import Any

import msgspec

from monitor.lease import BusySlot, Lease, Role, WorkerState

AT = 1_800_000_000.0

STATE = WorkerState(
    pool="prefork",
    slots=4,
    busy=[],
    reserved=0,
    held={},
    queues=["celery"],
    can_consume=True,
    loop_lag_s=0.0,
    brpop_age_s=0.5,
    main_mb=100.0,
    children_mb=50.0,
    limit_mb=None,
    container_mb=180.0,
    oom_kills=0,
    cpu_percent=12.5,
    clock_ahead_of_broker_s=0.0,
    clock_ahead_of_store_s=0.0,
    code_version="v7",
    celery="5.7.0",
    python="3.11.7",
)


def lease_of(name: str = "one@here", process: str = "p1", **changes: Any) -> Lease:
    """Return a worker's lease, renewed 2 s ago; changes are of the lease, else of its state."""
    of_lease = {field: changes.pop(field) for field in list(changes) if field in Lease.__struct_fields__}
    lease = Lease(
        role=Role.WORKER,
        name=name,
        process=process,
        host="here",
        pid=7,
        started_at=AT - 100,
        renewed_at=AT - 2,
        period_s=5.0,
        state=msgspec.structs.replace(STATE, **changes),
    )
    return msgspec.structs.replace(lease, **of_lease)


def busy(count: int) -> list[BusySlot]:
    """Return so many slots that run a job."""
    return [BusySlot(f"job-{number}", "some.task", AT - 10, 100 + number) for number in range(count)]
