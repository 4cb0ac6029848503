"""What the kernel's control groups say of a container's memory, as their files are laid out in each version."""

from pathlib import Path

import pytest

from monitor.sampling.container import Container, read_container

NO_LIMIT_V1 = "9223372036854771712"  # as Linux 6 writes it


def laid_out(root: Path, files: dict[str, str]) -> Path:
    """Write files below a directory; return it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


def test_version_2_tells_limit_use_and_kills(tmp_path: Path) -> None:
    """A container with a namespace of its own sees its group as the root; pages that can be given up do not count."""
    root = laid_out(
        tmp_path / "cgroup",
        {
            "memory.max": "512000000",
            "memory.current": "300000000",
            "memory.stat": "anon 1\ninactive_file 100000000\nactive_file 7",
            "memory.events": "low 0\nhigh 0\nmax 9\noom 4\noom_kill 3\noom_group_kill 0",
        },
    )
    laid_out(tmp_path, {"membership": "0::/"})

    found = read_container(root, tmp_path / "membership")

    assert found == Container(limit_mb=512.0, used_mb=200.0, oom_kills=3)


def test_version_1_tells_limit_use_and_kills(tmp_path: Path) -> None:
    """Also where the other controllers are of version 2 already."""
    root = laid_out(
        tmp_path / "cgroup",
        {
            "memory/jobs/memory.limit_in_bytes": "512000000",
            "memory/jobs/memory.usage_in_bytes": "300000000",
            "memory/jobs/memory.stat": "inactive_file 5\ntotal_inactive_file 100000000",
            "memory/jobs/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2",
            "memory/memory.limit_in_bytes": NO_LIMIT_V1,
        },
    )
    laid_out(tmp_path, {"membership": "5:cpu,cpuacct:/\n4:memory:/jobs\n0::/"})

    found = read_container(root, tmp_path / "membership")

    assert found == Container(limit_mb=512.0, used_mb=200.0, oom_kills=2)


def test_the_tightest_limit_counts(tmp_path: Path) -> None:
    """A pod's limit holds for its containers; kills are still the own group's."""
    root = laid_out(
        tmp_path / "cgroup",
        {
            "memory.max": "900000000",
            "pod/memory.max": "200000000",
            "pod/memory.current": "150000000",
            "pod/memory.events": "oom_kill 9",
            "pod/one/memory.max": "max",
            "pod/one/memory.current": "50000000",
            "pod/one/memory.events": "oom_kill 1",
        },
    )
    laid_out(tmp_path, {"membership": "0::/pod/one"})

    found = read_container(root, tmp_path / "membership")

    assert found == Container(limit_mb=200.0, used_mb=150.0, oom_kills=1)


@pytest.mark.parametrize("membership", ["4:memory:/docker/0123456789ab", "4:memory:/../../elsewhere"])
def test_a_container_that_sees_the_hosts_path_reads_its_own_root(tmp_path: Path, membership: str) -> None:
    """Version 1 without a namespace: the path is the host's, the mounted group the container's."""
    root = laid_out(tmp_path / "cgroup", {"memory/memory.limit_in_bytes": "100000000"})
    laid_out(tmp_path, {"membership": membership, "elsewhere/memory.limit_in_bytes": "1"})

    found = read_container(root, tmp_path / "membership")

    assert found.limit_mb == 100.0


@pytest.mark.parametrize(
    ("membership", "limit", "usage"),
    [
        ("0::/a", "a/memory.max", "a/memory.current"),
        ("4:memory:/a", "memory/a/memory.limit_in_bytes", "memory/a/memory.usage_in_bytes"),
    ],
    ids=["version 2", "version 1"],
)
def test_no_limit_is_none(tmp_path: Path, membership: str, limit: str, usage: str) -> None:
    """And the use is told all the same."""
    root = laid_out(tmp_path / "cgroup", {limit: "max" if limit.endswith("max") else NO_LIMIT_V1, usage: "5000000"})
    laid_out(tmp_path, {"membership": membership})

    found = read_container(root, tmp_path / "membership")

    assert found == Container(limit_mb=None, used_mb=5.0, oom_kills=None)


def test_without_control_groups_there_is_nothing_to_tell(tmp_path: Path) -> None:
    """As outside of Linux: a gap, and no error."""
    found = read_container(tmp_path / "none", tmp_path / "no-membership")

    assert found == Container(limit_mb=None, used_mb=None, oom_kills=None)
