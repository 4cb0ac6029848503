"""Reads what the kernel's control groups (v1 and v2) say of this container's memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")

# "No limit" of v1 is the largest number of pages it can count; no machine has an exabyte.
NO_LIMIT_BYTES = 2**60


@dataclass(frozen=True, slots=True)
class Container:
    """The memory of the control group that this process is in. None: there is no limit, or the kernel does not say."""

    limit_mb: float | None
    used_mb: float | None
    oom_kills: int | None


@dataclass(frozen=True, slots=True)
class _Version:
    """The names that one version of control groups has for the same."""

    limit: str
    usage: str
    reclaimable: str  # in memory.stat
    events: str


_V1 = _Version("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "memory.oom_control")
_V2 = _Version("memory.max", "memory.current", "inactive_file", "memory.events")


def read_container(root: Path = ROOT, membership: Path = MEMBERSHIP) -> Container:
    """Return the memory of this process's control group.

    A limit further up holds as well, so the tightest counts, with the use that it limits. Kills are those in the
    process's own group. Outside of Linux there is nothing to tell.
    """
    version, groups = _groups(root, membership)
    limit, group = _tightest(groups, version)
    return Container(
        limit_mb=_mb(limit),
        used_mb=_mb(_used(group, version)),
        oom_kills=_fields(groups[0] / version.events).get("oom_kill"),
    )


def _groups(root: Path, membership: Path) -> tuple[_Version, list[Path]]:
    """Return this process's own group and those above it, as far as they can be seen from here."""
    paths = dict(_memberships(membership))
    if "memory" in paths:
        return _V1, list(_upward(root / "memory", paths["memory"]))
    return _V2, list(_upward(root, paths.get("", "/")))


def _memberships(membership: Path) -> Iterator[tuple[str, str]]:
    """Give each controller with the path of its group; v2's one path is the nameless controller's."""
    for line in _text(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path


def _upward(root: Path, path: str) -> Iterator[Path]:
    """Give the group and those above it.

    A container without a namespace for its groups sees the host's path, but its own group mounted as the root.
    """
    group = root / path.lstrip("/")
    if not group.is_dir() or ".." in group.parts:
        group = root
    yield group
    while group != root:
        group = group.parent
        yield group


def _tightest(groups: list[Path], version: _Version) -> tuple[int | None, Path]:
    """Return the lowest limit and whose it is; without any limit, this process's own group."""
    limits = [(limit, group) for group in groups if (limit := _limit(group / version.limit)) is not None]
    return min(limits, key=lambda found: found[0]) if limits else (None, groups[0])


def _limit(path: Path) -> int | None:
    limit = _number(path)
    return limit if limit is not None and limit < NO_LIMIT_BYTES else None


def _used(group: Path, version: _Version) -> int | None:
    """Return what is in use, without the files' pages that the kernel gives up before it kills (as kubelet counts)."""
    usage = _number(group / version.usage)
    if usage is None:
        return None
    return max(0, usage - _fields(group / "memory.stat").get(version.reclaimable, 0))


def _fields(path: Path) -> Mapping[str, int]:
    """Return a file of lines that each are a name and a number."""
    pairs = [line.split() for line in _text(path).splitlines()]
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}  # noqa: PLR2004 (a pair)


def _number(path: Path) -> int | None:
    """Return the number in a file; None where there is no file, or the word "max"."""
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _mb(count: int | None) -> float | None:
    return None if count is None else count / 1e6
