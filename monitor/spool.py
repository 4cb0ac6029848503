"""The spool: a durable hand-off between the processes that record events and the shipper of their host.

Each process appends to segments of its own, one `write(2)` a record, so that a record is there as soon as it is told,
whoever is killed next. A process holds an `flock` on the segment it writes; the kernel drops it with the process, and
so tells the shipper, in whatever container it runs, that nobody will write there again.

A segment is a row of frames: magic, length and CRC-32 of the payload, then the payload, one record in MessagePack.
"""

import fcntl
import itertools
import logging
import math
import os
import secrets
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from errno import EIO, ENOSPC
from pathlib import Path
from zlib import crc32

import msgspec

from monitor.job import Dropped, Record
from monitor.settings import make_private

logger = logging.getLogger("monitor.spool")

MAGIC = 0x9EF1
HEAD = struct.Struct("<HII")
SUFFIX = ".spool"
SEGMENT_BYTES = 4_000_000
RETRY_AFTER_S = 1.0
WARN_EVERY_S = 60.0

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode
_pack = HEAD.pack


class Spool:
    """Where this process appends its records. One object serves a process and the children it forks.

    A child opens segments of its own: what it inherits is forgotten at the fork.
    """

    def __init__(self, directory: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.directory = directory
        self._segment_bytes = segment_bytes
        self._dropped = 0
        self._warned_at = -WARN_EVERY_S
        self._lock = threading.RLock()
        self._begin()
        # A fork waits for a thread that is turning to a new segment: the child would inherit what it does not know of,
        # and hold the segment locked after its parent's death.
        os.register_at_fork(before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._forget)

    def _begin(self) -> None:
        self.process = f"{time.time_ns() // 1_000_000:x}{secrets.token_hex(3)}"
        self._numbers = itertools.count(1)
        self._fd = self._fd_before = -1
        self._size = math.inf  # of the open segment; infinite where the next record needs a new one
        self._closed_until = 0.0

    def _forget(self) -> None:
        inherited = self._fd_before, self._fd
        self._dropped = 0
        self._begin()
        self._lock.release()
        # Closed without unlocking: the lock belongs to the parent, which still holds the same open file.
        for fd in inherited:
            _close(fd)

    def append(self, record: Record) -> bool:
        """Write one record down. Never raises; False when it could not be kept, which is counted."""
        try:
            payload = _encode(record)
            frame = _pack(MAGIC, len(payload), crc32(payload)) + payload
            if self._size > self._segment_bytes:
                self._turn()
            # No lock: with O_APPEND the system puts each whole write at the end, whichever thread it comes from.
            if os.write(self._fd, frame) != len(frame):
                raise OSError(ENOSPC, "the disk is full")  # noqa: TRY301 (the hot path: no call more)
            self._size += len(frame)
        except Exception as fault:  # noqa: BLE001 (whatever it is, the job comes first)
            self._drop(fault)
            return False
        return True

    def close(self) -> None:
        """Let go of the segments, as the process's end does; a further record would begin a new one."""
        with self._lock:
            written = self._fd_before, self._fd
            self._fd, self._fd_before, self._size = -1, -1, math.inf
        for fd in written:
            _close(fd)

    def _turn(self) -> None:
        """Begin a new segment, and say in it how many records were dropped before."""
        with self._lock:
            if self._size <= self._segment_bytes:
                return  # another thread has just done so
            if time.monotonic() < self._closed_until:
                raise OSError(EIO, "it could not be written a moment ago")
            self._closed_until = time.monotonic() + RETRY_AFTER_S
            opened = open_segment(self.directory, f"{self.process}-{next(self._numbers):06d}")
            # Another thread may be about to write to the segment before: it stays open until the next turn. Closed at
            # once, its descriptor could by then be somebody else's file.
            _close(self._fd_before)
            self._fd_before, self._fd, self._size, self._closed_until = self._fd, opened, 0, 0.0
            self._tell_drops()

    def _tell_drops(self) -> None:
        if not self._dropped:
            return
        payload = _encode(Dropped(time.time(), self._dropped, "the spool could not be written"))
        frame = _pack(MAGIC, len(payload), crc32(payload)) + payload
        if os.write(self._fd, frame) != len(frame):
            raise OSError(ENOSPC, "the disk is full")
        self._dropped = 0

    def _drop(self, fault: Exception) -> None:
        with self._lock:
            self._dropped += 1
            if isinstance(fault, OSError) and self._size < math.inf:
                # A torn frame may end the segment: nothing may follow it there. It stays open, and locked, until
                # there is another, so that the shipper sees that this process lives.
                self._size = math.inf
                self._closed_until = time.monotonic() + RETRY_AFTER_S
        now = time.monotonic()
        if now - self._warned_at >= WARN_EVERY_S:
            self._warned_at = now
            logger.warning("Events are dropped, %d so far: %s: %s", self._dropped, self.directory, fault)


def _close(fd: int) -> None:
    if fd >= 0:
        os.close(fd)


def open_segment(directory: Path, name: str) -> int:
    """Create a segment, locked before anybody can see it; return its file descriptor.

    Raises:
        OSError: where the directory cannot be made, written, or locked in.

    """
    make_private(directory)
    unseen = directory / f"{name}.new"
    fd = os.open(unseen, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unseen.rename(directory / (name + SUFFIX))
    except OSError:
        os.close(fd)
        raise
    return fd


@dataclass(slots=True)
class Reading:
    """What was read of a segment from `start` on: its records with their positions, and where to go on."""

    segment: str
    start: int
    end: int
    records: list[tuple[int, Record, bytes]] = field(default_factory=list)  # position, record, and as it was written
    damaged_bytes: int = 0  # skipped: torn, or with a wrong checksum
    unreadable: int = 0  # whole frames whose record this version does not know

    def pieces(self) -> Iterator["Reading"]:
        """Yield readings of one record each that are together this one; what was passed over is the first's."""
        starts = [self.start, *(position for position, _, _ in self.records[1:])]
        ends = [*starts[1:], self.end]
        damaged_bytes, unreadable = self.damaged_bytes, self.unreadable
        for at, (start, end) in enumerate(zip(starts, ends, strict=True)):
            yield Reading(self.segment, start, end, self.records[at : at + 1], damaged_bytes, unreadable)
            damaged_bytes = unreadable = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of the spool, as the shipper sees it."""

    path: Path

    @property
    def name(self) -> str:
        """Its identity, unique over all hosts and times."""
        return self.path.name.removesuffix(SUFFIX)

    @property
    def process(self) -> str:
        """The process that wrote it; the ids of its runs begin with this."""
        return self.name.partition("-")[0]

    def size(self) -> int:
        """Return its length in bytes; 0 when it is gone."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def is_closed(self) -> bool:
        """Whether nobody will write to it again: its process has turned to the next one, or is gone."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(fd)
        return True

    def read(self, position: int, max_bytes: int) -> Reading:
        """Read the records from a position on, passing over what is damaged."""
        # Asked first: what a process wrote before it went is then surely in what is read next.
        is_closed = self.is_closed()
        with self.path.open("rb") as file:
            file.seek(position)
            data = file.read(max_bytes)
        is_whole = is_closed and len(data) < max_bytes
        return _read_frames(Reading(self.name, position, position), data, is_whole=is_whole)


def segments(directory: Path) -> list[Segment]:
    """Return the segments of a spool, the oldest first; none where there is no spool yet."""
    try:
        paths = [Path(entry.path) for entry in os.scandir(directory) if entry.name.endswith(SUFFIX)]
    except FileNotFoundError:
        return []
    return [Segment(path) for path in sorted(paths)]


def _read_frames(reading: Reading, data: bytes, *, is_whole: bool) -> Reading:
    at = 0
    while at < len(data):
        size = _frame_size(data, at)
        if size:
            _read_record(reading, data, at, size)
            at += size
            continue
        following = _following(data, at, is_whole=is_whole)
        if following is None:
            break  # the frame is still being written, or goes on past what was read
        reading.damaged_bytes += following - at
        at = following
    reading.end = reading.start + at
    return reading


def _following(data: bytes, at: int, *, is_whole: bool) -> int | None:
    """Return where to read on after a damaged frame; None where it may yet become sound."""
    sound = next((found for found in _magics(data, at + 1) if _frame_size(data, found)), None)
    if sound is not None:
        return sound
    if is_whole:
        return len(data)
    return next(_magics(data, at + 1), len(data)) if _is_hopeless(data, at) else None


def _frame_size(data: bytes, at: int) -> int:
    """Return the size of the whole, sound frame at a place, or 0."""
    if at + HEAD.size > len(data):
        return 0
    magic, length, checksum = _unpack(data, at)
    end = at + HEAD.size + length
    if magic != MAGIC or end > len(data) or crc32(data[at + HEAD.size : end]) != checksum:
        return 0
    return HEAD.size + length


def _is_hopeless(data: bytes, at: int) -> bool:
    """Whether no further byte can make a sound frame of what begins here."""
    if at + HEAD.size > len(data):
        return False
    magic, length, _ = _unpack(data, at)
    return magic != MAGIC or at + HEAD.size + length <= len(data)


def _unpack(data: bytes, at: int) -> tuple[int, int, int]:
    magic, length, checksum = HEAD.unpack_from(data, at)
    return int(magic), int(length), int(checksum)


def _magics(data: bytes, start: int) -> Iterator[int]:
    mark = MAGIC.to_bytes(2, "little")
    while (start := data.find(mark, start)) >= 0:
        yield start
        start += 1


def _read_record(reading: Reading, data: bytes, at: int, size: int) -> None:
    payload = data[at + HEAD.size : at + size]
    try:
        reading.records.append((reading.start + at, _decode(payload), payload))
    except msgspec.MsgspecError:
        reading.unreadable += 1
