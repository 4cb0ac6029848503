"""How the workers are, as their leases in the store tell."""

from sqlalchemy import Engine

from monitor.sample import Measured
from monitor.sampling.workers import sample_workers
from monitor.store.measured import renew_lease
from tests.monitor.sampling.given import AT, busy, lease_of


def values(measured: Measured) -> dict[tuple[str, ...], object]:
    """Return each sample's value by its metric and its dimensions' values."""
    return {(sample.metric, *dict(sample.dimensions).values()): sample.value for sample in measured.samples}


def test_each_fresh_lease_tells_of_its_worker(store: Engine) -> None:
    """Two on one host are two."""
    renew_lease(store, lease_of("one@here", busy=busy(3), reserved=5, loop_lag_s=0.25))
    renew_lease(store, lease_of("two@here", slots=2, cpu_percent=None))

    measured = sample_workers(store, AT)

    assert values(measured) == {
        ("WorkersAlive",): 2,
        ("WorkerLoopLag", "one@here"): 250,
        ("WorkerSlots", "one@here"): 4,
        ("WorkerSlotsBusy", "one@here"): 3,
        ("WorkerReserved", "one@here"): 5,
        ("WorkerCpu", "one@here"): 12.5,
        ("WorkerLoopLag", "two@here"): 0,
        ("WorkerSlots", "two@here"): 2,
        ("WorkerSlotsBusy", "two@here"): 0,
        ("WorkerReserved", "two@here"): 0,
    }
    assert {sample.at for sample in measured.samples} == {AT}


def test_nobody_speaks_for_the_dead(store: Engine) -> None:
    """Neither those that left nor those that fell silent keep their last value; that nobody lives is a number."""
    renew_lease(store, lease_of("left@here", goodbye_at=AT - 2))
    renew_lease(store, lease_of("silent@here", renewed_at=AT - 15.1))

    measured = sample_workers(store, AT)

    assert values(measured) == {("WorkersAlive",): 0}


def test_what_a_worker_could_not_read_is_a_gap_and_a_note(store: Engine) -> None:
    """No zero stands for it."""
    renew_lease(store, lease_of(unread=["busy", "slots"], slots=0))

    measured = sample_workers(store, AT)

    assert not {"WorkerSlots", "WorkerSlotsBusy"} & {sample.metric for sample in measured.samples}
    assert ("worker:one@here", "unread", "it cannot tell busy, slots") in [
        (note.subject, note.name, note.text) for note in measured.notes
    ]


def test_a_worker_that_reads_all_has_nothing_noted(store: Engine) -> None:
    """What was noted before is taken back."""
    renew_lease(store, lease_of())

    measured = sample_workers(store, AT)

    assert {(note.name, note.text) for note in measured.notes} == {("unread", None), ("node name", None)}


def test_two_processes_under_one_node_name_are_two_and_noted(store: Engine) -> None:
    """The figures are the younger one's; the first life of a node that was started anew does not count."""
    renew_lease(store, lease_of(process="p0", renewed_at=AT - 60, started_at=AT - 500))
    renew_lease(store, lease_of(process="p1", slots=1, pid=11, started_at=AT - 50))
    renew_lease(store, lease_of(process="p2", slots=2, pid=12, started_at=AT - 40))

    measured = sample_workers(store, AT)

    assert values(measured)["WorkersAlive",] == 2
    assert values(measured)["WorkerSlots", "one@here"] == 2
    assert [note.text for note in measured.notes if note.name == "node name"] == [
        "2 processes go by this name, 11 on here and 12 on here: give each a name of its own with --hostname"
    ]
