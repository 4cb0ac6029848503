"""The memory and the processor time of this process's family, against what its members know of themselves."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.sampling.processes import Family

# Takes 60 MB, says so, computes for half a second of processor time when it is told to, and says how much that was.
CHILD = """
import time
block = b"x" * 60_000_000
print("ready", flush=True)
input()
began = time.process_time()
while time.process_time() - began < 0.5:
    pass
print(time.process_time() - began, flush=True)
input()
"""


@contextmanager
def child() -> Iterator[subprocess.Popen[str]]:
    """A child that has taken its memory."""
    command = [sys.executable, "-c", CHILD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def compute(process: subprocess.Popen[str]) -> float:
    """Let the child compute; return the seconds of processor time that it took by its own account."""
    assert process.stdin
    assert process.stdout
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def resident_mb(pid: int | str) -> float:
    """Return what the kernel says in another file."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024 / 1e6


@pytest.mark.parametrize("is_known", [True, False], ids=["a pool's", "found"])
def test_the_memory_of_a_child_is_told(is_known: bool) -> None:  # noqa: FBT001 (the parameter)
    """Whether the pool tells its pid, or a search finds it."""
    before_mb = Family().measure().children_mb or 0  # the tests' servers are children too
    with child() as process:
        usage = Family().measure([process.pid] if is_known else [])
        expected_mb = resident_mb(process.pid)

    assert expected_mb > 60
    assert usage.children_mb == pytest.approx(before_mb + expected_mb, abs=5)
    assert usage.main_mb == pytest.approx(resident_mb("self"), rel=0.05)


def test_the_processor_time_of_a_child_is_told() -> None:
    """In percent of one core since the last measuring; before there was one, nothing is."""
    family = Family()
    with child() as process:
        first = family.measure([process.pid])
        family._measured_at = (family._measured_at or 0) - 10  # as if it had been ten seconds ago
        used_s = compute(process)
        second = family.measure([process.pid])

    assert first.cpu_percent is None
    assert second.cpu_percent is not None
    # What this process used is in it too; the kernel counts in hundredths of a second.
    assert 100 * (used_s - 0.02) / 11.5 < second.cpu_percent < 100 * (used_s + 0.5) / 10


def test_a_child_that_has_ended_counts_no_more() -> None:
    """Nor is it an error that a pid is nobody's any more."""
    family = Family()
    before_mb = family.measure().children_mb
    with child() as process:
        family.measure([process.pid])

    usage = family.measure([process.pid])

    assert usage.children_mb == pytest.approx(before_mb, abs=5)
    assert usage.main_mb
