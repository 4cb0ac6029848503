"""The spool: what is appended is read, whatever happens in between."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import spool as spool_module
from monitor.job import Dropped, Record
from monitor.spool import MAGIC, Segment, Spool, segments
from tests.monitor.events import ended, sent, started

ALL = 1_000_000


def test_what_is_appended_is_read_in_order(tmp_path: Path) -> None:
    """Records come back equal, in their order."""
    spool = Spool(tmp_path / "spool")
    records: list[Record] = [sent(), started(), ended()]

    kept = [spool.append(record) for record in records]

    (segment,) = segments(spool.directory)
    assert kept == [True] * 3
    assert [record for _, record, _ in segment.read(0, ALL).records] == records


def test_reading_goes_on_where_it_ended(tmp_path: Path) -> None:
    """A position is a place between two records."""
    spool = Spool(tmp_path)
    spool.append(sent())
    (segment,) = segments(tmp_path)
    first = segment.read(0, ALL)

    spool.append(ended())

    second = segment.read(first.end, ALL)
    assert [record for _, record, _ in second.records] == [ended()]
    assert second.end == segment.size()


def test_a_segment_is_open_while_its_process_lives_and_closed_after_a_kill(tmp_path: Path) -> None:
    """The kernel tells of a process's death, by its lock."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        Spool(tmp_path).append(sent())
        os.write(told, b"x")
        signal.pause()
    os.read(ready, 1)
    (segment,) = segments(tmp_path)
    was_closed = segment.is_closed()

    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    assert (was_closed, segment.is_closed()) == (False, True)
    assert [record for _, record, _ in segment.read(0, ALL).records] == [sent()]


def test_a_forked_child_writes_a_segment_of_its_own(tmp_path: Path) -> None:
    """Nothing crosses a fork, and the child's end does not look like its parent's."""
    spool = Spool(tmp_path)
    spool.append(sent("parent"))

    pid = os.fork()
    if pid == 0:
        spool.append(sent("child"))
        os._exit(0)
    os.waitpid(pid, 0)

    by_job = {segment.read(0, ALL).records[0][1].job: segment for segment in segments(tmp_path)}  # type: ignore[union-attr]
    assert by_job["parent"].process != by_job["child"].process
    assert (by_job["parent"].is_closed(), by_job["child"].is_closed()) == (False, True)


def test_a_full_segment_is_followed_by_the_next(tmp_path: Path) -> None:
    """The last but one stays open for late threads; those before are the shipper's to delete."""
    spool = Spool(tmp_path, segment_bytes=300)

    for _ in range(8):
        spool.append(sent())

    found = segments(tmp_path)
    assert sum(len(segment.read(0, ALL).records) for segment in found) == 8
    assert {segment.process for segment in found} == {spool.process}
    assert [segment.is_closed() for segment in found] == [True] * (len(found) - 2) + [False] * 2


def test_a_spool_that_cannot_be_written_drops_and_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Appending never raises; once it works again the count comes first."""
    monkeypatch.setattr(spool_module, "RETRY_AFTER_S", 0.0)
    in_the_way = tmp_path / "spool"
    in_the_way.write_text("a file, not a directory")
    spool = Spool(in_the_way)
    kept = [spool.append(sent()) for _ in range(3)]

    in_the_way.unlink()
    spool.append(ended())

    (segment,) = segments(in_the_way)
    (_, dropped, _), (_, record, _) = segment.read(0, ALL).records
    assert kept == [False] * 3
    assert isinstance(dropped, Dropped)
    assert (dropped.records, record) == (3, ended())


def test_segments_are_their_owner_s_alone(tmp_path: Path) -> None:
    """They hold arguments of jobs."""
    Spool(tmp_path / "spool").append(sent())

    (segment,) = segments(tmp_path / "spool")
    assert segment.path.stat().st_mode & 0o777 == 0o600


@given(cut=st.integers(min_value=0, max_value=10_000))
def test_a_torn_tail_waits_while_its_process_lives(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """A record that is being written is not damaged: it is read when it is whole."""
    directory = tmp_path_factory.mktemp("spool")
    spool = Spool(directory)
    spool.append(sent("whole"))
    (segment,) = segments(directory)
    whole = segment.size()
    spool.append(sent("torn"))
    os.truncate(segment.path, whole + cut % (segment.size() - whole))

    reading = segment.read(0, ALL)

    assert ([record for _, record, _ in reading.records], reading.end) == ([sent("whole")], whole)
    assert reading.damaged_bytes == 0


@given(place=st.integers(min_value=0), flip=st.integers(min_value=1, max_value=255))
def test_one_flipped_byte_costs_at_most_one_record(
    place: int, flip: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Reading finds the next sound record, and counts what it passed over."""
    directory = tmp_path_factory.mktemp("spool")
    data, jobs = _closed_segment(directory)
    data[place % len(data)] ^= flip
    (segment,) = segments(directory)
    segment.path.write_bytes(data)

    reading = segment.read(0, ALL)

    read = [record.job for _, record, _ in reading.records]  # type: ignore[union-attr]
    lost = [job for job in jobs if job not in read]
    assert len(lost) == 1
    assert reading.end == len(data)
    assert reading.damaged_bytes > 0


@given(garbage=st.binary(max_size=300))
def test_garbage_between_records_is_passed_over(garbage: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever lies between two records, both are read."""
    directory = tmp_path_factory.mktemp("spool")
    data, _ = _closed_segment(directory)
    (segment,) = segments(directory)
    segment.path.write_bytes(bytes(data) + garbage + bytes(data))

    reading = segment.read(0, ALL)

    assert len(reading.records) == 6
    assert reading.damaged_bytes == len(garbage)


def test_a_corrupt_length_does_not_hold_up_a_living_segment(tmp_path: Path) -> None:
    """A length beyond the end looks like a record being written, but for the sound record behind it."""
    spool = Spool(tmp_path)
    spool.append(sent("damaged"))
    spool.append(sent("sound"))
    (segment,) = segments(tmp_path)
    with segment.path.open("r+b") as file:
        file.seek(2)
        file.write((10**9).to_bytes(4, "little"))

    reading = segment.read(0, ALL)

    assert [record.job for _, record, _ in reading.records] == ["sound"]  # type: ignore[union-attr]


def test_a_record_of_another_version_is_counted_and_passed_over(tmp_path: Path) -> None:
    """A whole frame that says something unknown does not stop the shipper."""
    path = tmp_path / "p-000001.spool"
    payload = b"\x92\xa3new\x01"
    path.write_bytes(spool_module.HEAD.pack(MAGIC, len(payload), crc32(payload)) + payload)

    reading = Segment(path).read(0, ALL)

    assert (reading.records, reading.unreadable, reading.damaged_bytes) == ([], 1, 0)


def test_a_spool_that_is_not_there_has_no_segments(tmp_path: Path) -> None:
    """The shipper may start before the first job."""
    assert segments(tmp_path / "nowhere") == []


def _closed_segment(directory: Path) -> tuple[bytearray, list[str]]:
    """Write three records and let go of the segment."""
    spool = Spool(directory)
    jobs = ["a", "b", "c"]
    for job in jobs:
        spool.append(sent(job))
    spool.close()
    (segment,) = segments(directory)
    return bytearray(segment.path.read_bytes()), jobs
