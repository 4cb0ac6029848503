"""What the leases of the workers that are alive tell of queues: who consumes them, and who holds jobs of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitor.lease import Lease, WorkerState


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers that are alive. Where no worker ever told of itself, nothing is known of any."""

    are_known: bool
    consumers: Counter[str]  # by queue
    held: Counter[str]  # jobs that are due later, by queue
    running: Mapping[str, int]  # jobs that run, by queue

    @property
    def queues(self) -> set[str]:
        """All queues that are consumed."""
        return set(self.consumers)

    def consumers_of(self, queue: str) -> int | None:
        """Return how many workers consume the queue."""
        return self.consumers[queue] if self.are_known else None

    def held_of(self, queue: str) -> int | None:
        """Return how many jobs of the queue they hold until their due time."""
        return self.held[queue] if self.are_known else None

    def running_of(self, queue: str) -> int | None:
        """Return how many jobs of the queue they run."""
        return self.running.get(queue, 0) if self.are_known else None


def workers_of(leases: Iterable[Lease], at: float, running: Mapping[str, int]) -> Workers:
    """Return what the fresh ones among these leases tell; those of workers that are gone tell nothing any more."""
    told = [lease for lease in leases if isinstance(lease.state, WorkerState)]
    workers = Workers(bool(told), Counter(), Counter(), running)
    for lease in told:
        if lease.is_fresh(at) and isinstance(lease.state, WorkerState):
            # A field whose reading failed holds nothing, and so adds nothing here.
            workers.consumers.update(set(lease.state.queues))
            workers.held.update(lease.state.held)
    return workers
