"""Says in words what was measured of the queues."""

from collections.abc import Mapping

from monitor.sample import Measured


def status_line(measured: Measured) -> str:
    """Return one line about all queues: `Queues: optimization 3 waiting / 1 running, file-processing 0 / 0`."""
    waiting, running = _values(measured, "JobQueueDepth"), _values(measured, "JobsRunning")
    if not waiting:
        return "Queues: none"
    first, *others = [(name, _count(count), _count(running.get(name))) for name, count in waiting.items()]
    said = ["{} {} waiting / {} running".format(*first), *("{} {} / {}".format(*other) for other in others)]
    return f"Queues: {', '.join(said)}"


def warnings(measured: Measured, thresholds: Mapping[str, int]) -> list[str]:
    """Return a sentence for each queue in which more jobs wait than its threshold allows."""
    waiting, oldest = _values(measured, "JobQueueDepth"), _values(measured, "OldestJobAge")
    return [
        f"Queue {name} has {count:.0f} jobs waiting, more than {thresholds[name]}{_since(oldest.get(name))}."
        for name, count in waiting.items()
        if name in thresholds and count > thresholds[name]
    ]


def _values(measured: Measured, metric: str) -> dict[str, float]:
    told = [sample for sample in measured.samples if sample.metric == metric]
    return {sample.dimensions[0][1]: sample.value for sample in told if isinstance(sample.value, float)}


def _count(value: float | None) -> str:
    return "?" if value is None else f"{value:.0f}"


def _since(oldest_s: float | None) -> str:
    return f"; the oldest has waited {oldest_s:.0f} s" if oldest_s else ""
