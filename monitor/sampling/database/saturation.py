"""Says when a database has more connections than is good for it, and whose they are."""

from collections import defaultdict
from collections.abc import Iterable

from monitor.sample import Distribution, Measured, Sample
from monitor.texts import Threshold

MAX_NAMED = 5


def warnings(measured: Measured, warn_at: Threshold) -> list[str]:
    """Return a sentence for each database that has more connections than the threshold, with whose most of them are."""
    metric = "DatabaseConnectionsUsed" if warn_at.is_percent else "DatabaseConnections"
    connections, limits = (
        _by_database(measured, "DatabaseConnections"),
        _by_database(measured, "DatabaseConnectionLimit"),
    )
    applications = _applications(measured.samples)
    return [
        _sentence(name, connections.get(name), limits.get(name), warn_at, applications[name])
        for name, value in _by_database(measured, metric).items()
        if value > warn_at.value
    ]


def _sentence(
    name: str, count: float | None, limit: float | None, warn_at: Threshold, applications: list[tuple[float, str]]
) -> str:
    if count is None or limit is None:
        return f"Database {name}: all connections are taken, more than {warn_at}."
    used = f"Database {name}: {count:g} of {limit:g} connections are in use, more than {warn_at}"
    most = sorted(applications, key=lambda told: (-told[0], told[1]))[:MAX_NAMED]
    named = ", ".join(f"{application} {has:g}" for has, application in most)
    return f"{used}; most by {named}." if named else f"{used}."


def _by_database(measured: Measured, metric: str) -> dict[str, float]:
    told = (sample for sample in measured.samples if sample.metric == metric)
    return {sample.dimensions[0][1]: _number(sample) for sample in told}


def _applications(samples: Iterable[Sample]) -> defaultdict[str, list[tuple[float, str]]]:
    found: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    for sample in samples:
        if sample.metric == "DatabaseConnectionsByApplication":
            (_, database), (_, application) = sample.dimensions
            found[database].append((_number(sample), application))
    return found


def _number(sample: Sample) -> float:
    assert not isinstance(sample.value, Distribution)  # noqa: S101 (no connection count is one)
    return sample.value
