"""What the monitor costs the jobs: in process, hook by hook, and end to end beside its peers.

    python -m benchmarks.overhead [--rounds 6] [--jobs 2000] [--variants monitor --variants events] [--quick]

In process: a job is run, received and sent by Celery's own functions, with no receiver connected to their signals,
with empty ones, and with the monitor's, in turns; CPU time of the thread.

End to end: in each round every variant, in a new random order, gets a new prefork worker with two children, some jobs
to warm up, and then as many jobs as the others, sent beforehand by a process with the same instrumentation. Ratios are
those of single rounds to the bare worker's of the same round, so that what else the machine does weighs on all alike; a
second bare worker shows how far two that are the same come apart.
"""

import statistics
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from benchmarks import hooks, prefork
from benchmarks.report import console, median_and_range, say, say_where

PACKAGES = ("celery", "kombu", "opentelemetry-instrumentation-celery", "sentry-sdk")
PEERS = prefork.VARIANTS[1:]


@click.command(help=__doc__.partition("\n\n")[0])
@click.option("--rounds", type=click.IntRange(min=1), default=6, show_default=True, help="Rounds end to end.")
@click.option("--jobs", type=click.IntRange(min=1), default=2_000, show_default=True, help="Jobs in each of them.")
@click.option("--variants", multiple=True, type=click.Choice(PEERS), default=PEERS, help="Beside the bare worker.")
@click.option("--quick", is_flag=True, help="Two rounds of 500 jobs: whether it works, not what it costs.")
def main(rounds: int, jobs: int, variants: tuple[str, ...], quick: bool) -> None:  # noqa: FBT001
    """Measure, and print two tables."""
    rounds, jobs = (2, 500) if quick else (rounds, jobs)
    say_where(PACKAGES)
    with tempfile.TemporaryDirectory(prefix="monitor-overhead-") as directory:
        _say_hooks(hooks.measure(Path(directory)))
        say_round = partial(_say_round, rounds)
        found = prefork.measure(Path(directory), (prefork.BARE, *variants), rounds, jobs, after_round=say_round)
        _say_workers(found, rounds, jobs)


def _say_round(rounds: int, number: int) -> None:
    console.print(f"round {number} of {rounds}", style="dim")


def _say_hooks(measured: dict[str, hooks.Spent]) -> None:
    rows = [
        (f"{what} it, {who}", *_figures(us, spent["no receiver"]))
        for what, spent in measured.items()
        for who, us in spent.items()
    ]
    title = f"In process: CPU µs of a job, {hooks.ROUNDS} rounds of {hooks.JOBS} jobs, medians"
    say(title, ("", "in all", "added", "added, by the fastest rounds"), rows)


def _figures(us: Sequence[float], bare: Sequence[float]) -> tuple[str, ...]:
    added = statistics.median(one - other for one, other in zip(us, bare, strict=True))
    return tuple(f"{figure:.1f}" for figure in (statistics.median(us), added, min(us) - min(bare)))


def _say_workers(found: dict[str, list[prefork.Round]], rounds: int, jobs: int) -> None:
    headings = ("", "CPU µs", "loop", "threads", "children", "CPU ratio", "from – to", "jobs/s", "ratio", "from – to")
    rows = [(variant, *_row(its, found[prefork.BARE])) for variant, its in found.items()]
    say(f"End to end, prefork -c 2: {rounds} rounds of {jobs} jobs that do nothing, medians", headings, rows)


def _row(its: Sequence[prefork.Round], bare: Sequence[prefork.Round]) -> tuple[str, ...]:
    spent = [(one.cpu_us, one.loop_us, one.threads_us, one.children_us) for one in its]
    cpu = [one.cpu_us / other.cpu_us for one, other in zip(its, bare, strict=True)]
    speed = [one.jobs_per_s / other.jobs_per_s for one, other in zip(its, bare, strict=True)]
    return (
        *(f"{statistics.median(part):.0f}" for part in zip(*spent, strict=True)),
        *median_and_range(cpu),
        f"{statistics.median(one.jobs_per_s for one in its):.0f}",
        *median_and_range(speed),
    )


if __name__ == "__main__":
    main()
