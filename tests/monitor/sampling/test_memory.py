"""What memory the workers use, as their leases in the store tell."""

from sqlalchemy import Engine

from monitor.sampling.memory import sample_memory
from monitor.store.measured import renew_lease
from tests.monitor.sampling.given import AT, lease_of
from tests.monitor.sampling.test_workers import values


def test_memory_is_told_by_worker_against_its_containers_limit(store: Engine) -> None:
    """Main process and descendants together, in MB."""
    renew_lease(store, lease_of(main_mb=100.0, children_mb=300.5, limit_mb=512.0, container_mb=384.0, oom_kills=2))

    measured = sample_memory(store, AT)

    assert values(measured) == {
        ("MemoryUsage", "one@here"): 400.5,
        ("MemoryLimit", "one@here"): 512,
        ("MemoryUsed", "one@here"): 75,
        ("OutOfMemoryKills", "one@here"): 2,
    }


def test_without_a_limit_nothing_is_told_against_it(store: Engine) -> None:
    """Nor kills where the kernel counts none."""
    renew_lease(store, lease_of(limit_mb=None, oom_kills=None))

    measured = sample_memory(store, AT)

    assert values(measured) == {("MemoryUsage", "one@here"): 150}


def test_memory_that_could_not_be_read_is_a_gap(store: Engine) -> None:
    """The main process alone is not the worker."""
    renew_lease(store, lease_of("half@here", children_mb=None, oom_kills=None))
    renew_lease(store, lease_of("silent@here", renewed_at=AT - 60))
    renew_lease(store, lease_of("new@here", state=None))

    measured = sample_memory(store, AT)

    assert measured.samples == []
