"""A segment of the spool is damaged on the disk, anywhere: all that is sound is read, and the damage is counted."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitor.job import Dropped, Observed
from monitor.spool import Reading, Segment, Spool, segments
from tests.chaos.account import Account
from tests.chaos.fleet import Fleet
from tests.monitor.events import sent

ALL = 10_000_000


@settings(deadline=None)
@given(data=st.data())
def test_damage_costs_the_damaged_records_alone(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Bytes are overwritten or cut out anywhere: reading does not raise, finds what is sound, counts the rest."""
    segment, ends = _closed_segment(tmp_path_factory.mktemp("spool"))
    content = segment.path.read_bytes()
    start = data.draw(st.integers(0, len(content) - 1), label="start")
    end = data.draw(st.integers(start + 1, len(content)), label="end")
    instead = data.draw(st.binary(max_size=end - start), label="instead")
    assume(instead != content[start:end])

    segment.path.write_bytes(content[:start] + instead + content[end:])
    reading = segment.read(0, ALL)

    sound = [
        f"job-{number}"
        for number, (begins, its_end) in enumerate(pairwise([0, *ends]))
        if its_end <= start or end <= begins
    ]
    assert [job for job in _jobs(reading) if job in sound] == sound
    assert len(reading.records) <= len(ends)
    assert reading.damaged_bytes or reading.unreadable or {start, end} <= {0, *ends}


def test_what_is_damaged_is_counted_in_the_store(tmp_path: Path) -> None:
    """All other jobs are in it."""
    store_url = f"sqlite:///{tmp_path}/store.db"
    fleet = Fleet(tmp_path, "", store_url)
    segment, ends = _closed_segment(fleet.spool_dir)
    content = bytearray(segment.path.read_bytes())
    content[ends[0] + 20] ^= 0xFF

    segment.path.write_bytes(content)
    fleet.ship_the_rest()

    account = Account.of(store_url)
    assert account.jobs.keys() == {f"job-{number}" for number in range(len(ends)) if number != 1}
    assert account.losses == {"damaged in the spool": (0, ends[1] - ends[0])}


def _closed_segment(spool_dir: Path) -> tuple[Segment, list[int]]:
    """Write the segment of a process that is gone; return where each of its records ends."""
    spool = Spool(spool_dir)
    ends = []
    for number in range(8):
        spool.append(sent(f"job-{number}", arguments="x" * (number * 40)))
        (segment,) = segments(spool_dir)
        ends.append(segment.size())
    spool.close()
    return segment, ends


def _jobs(reading: Reading) -> list[str]:
    return [record.job for _, record, _ in reading.records if not isinstance(record, Observed | Dropped)]
