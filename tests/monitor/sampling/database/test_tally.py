"""A process tells what its pool did, and how long that took, each half minute at most, and loses nothing."""

from monitor.sample import Distribution, Measured
from monitor.sampling.database.tally import FOLD_AT, Tally


def values(measured: Measured | None) -> dict[str, float | Distribution]:
    """The values by metric."""
    assert measured
    return {sample.metric: sample.value for sample in measured.samples}


def test_it_is_told_each_half_minute_at_most() -> None:
    """The first time at once, since a process may live for one job only; then each 30 s."""
    tally = Tally("orders")
    told = []
    for second in range(100):
        tally.count(0.001, 1, 0)
        told.append(tally.take(5, now=second, at=1_000.0 + second))

    assert [second for second, measured in enumerate(told) if measured] == [0, 30, 60, 90]


def test_the_most_at_once_is_told_and_then_forgotten() -> None:
    """What a gauge would miss between two looks is not missed."""
    tally = Tally("orders")
    for in_use, overflow in ((1, 0), (7, 2), (2, 0)):
        tally.count(0.001, in_use, overflow)

    first = values(tally.take(5, now=0, at=1.0))
    tally.count(0.001, 1, 0)
    second = values(tally.take(5, now=30, at=31.0))

    assert (first["PoolSize"], first["PoolCheckedOut"], first["PoolOverflow"]) == (5, 7, 2)
    assert (second["PoolCheckedOut"], second["PoolOverflow"]) == (1, 0)


def test_no_checkout_is_lost_in_many() -> None:
    """However many times there are, their distribution holds them all, in milliseconds."""
    tally = Tally("orders")
    for _ in range(FOLD_AT * 3 + 7):
        tally.count(0.5, 1, 0)

    took = values(tally.take(5, now=0, at=1.0))["PoolCheckoutTime"]

    assert isinstance(took, Distribution)
    assert took.count == FOLD_AT * 3 + 7
    assert abs(took.percentile(50) - 500) < 500 * 0.025


def test_a_pool_without_a_size_tells_its_times_alone() -> None:
    """What such a pool does not know is a gap."""
    tally = Tally("orders")
    tally.count(0.001, None, None)

    assert values(tally.take(None, now=0, at=1.0)).keys() == {"PoolCheckoutTime"}


def test_nothing_to_tell_is_no_zero() -> None:
    """Without a checkout there is no time, and no number in use."""
    assert values(Tally("orders").take(5, now=0, at=1.0)) == {"PoolSize": 5}
