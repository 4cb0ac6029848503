"""`monitor queues`, `workers`, `schedules` and `metrics`: what was measured, read from the store alone."""

import time
from difflib import get_close_matches
from typing import Any

import click
from rich.console import Console

from monitor.cli import leases, metrics, options, queues, records, schedules, words, workers
from monitor.cli.calling import Refusal, as_json, console_of, opened_store
from monitor.cli.series import by_subject
from monitor.lease import Role
from monitor.sample import Measured, Note
from monitor.sampling.queues import forget_queue
from monitor.store import Store
from monitor.store.measured import clock, current_leases, forget_leases, notes_about, save_measured

as_sparkline = click.option(
    "--sparkline/--no-sparkline",
    default=None,
    help="Draw how it went.  [default: in a terminal]",
)


@click.group("queues", invoke_without_command=True)
@as_json
@as_sparkline
@click.pass_context
def queues_command(ctx: click.Context, /, *, as_json: bool, sparkline: bool | None) -> None:
    """Tell how each queue moves, the worst first.

    A queue once seen stays listed until it is forgotten on purpose.
    """
    options.of_view(ctx.invoked_subcommand, as_json=as_json, sparkline=sparkline)
    if ctx.invoked_subcommand:
        return
    console = console_of(ctx.obj)
    with opened_store() as store:
        now = clock(store)
        view = queues.look(store, now)
    if as_json:
        records.echo(map(queues.of_queue, view.queues))
    else:
        queues.show(console, view, now, with_trends=_draws(console, sparkline))


@queues_command.command("forget")
@click.argument("name", metavar="NAME")
def forget_queue_command(name: str) -> None:
    """Forget a queue that is gone on purpose."""
    with opened_store() as store:
        if not forget_queue(store, name, clock(store)):
            known = {noted.subject.removeprefix("queue:") for noted in notes_about(store, "queue:")}
            raise _unknown("queue", name, known)
    click.echo(
        f"Forgot the queue {words.safe(name)}. It is listed again if it is still on the broker, configured or consumed."
    )


@click.group("workers", invoke_without_command=True)
@as_json
@as_sparkline
@click.pass_context
def workers_command(ctx: click.Context, /, *, as_json: bool, sparkline: bool | None) -> None:
    """Tell which workers live, who is silent, and what each runs; and beat below them."""
    options.of_view(ctx.invoked_subcommand, as_json=as_json, sparkline=sparkline)
    if ctx.invoked_subcommand:
        return
    console = console_of(ctx.obj)
    with opened_store() as store:
        now = clock(store)
        view = workers.look(store, now)
    if as_json:
        records.echo(workers.of_view(view, now))
    else:
        workers.show(console, view, now, with_trends=_draws(console, sparkline))


@workers_command.command("forget")
@click.argument("name", metavar="NAME")
def forget_worker_command(name: str) -> None:
    """Forget a worker or a beat that is gone on purpose, by its whole node name."""
    with opened_store() as store:
        now = clock(store)
        known = current_leases(store)
        its_own = [lease for lease in known if lease.name == name]
        if not its_own:
            raise _unknown("worker or beat", name, {lease.name for lease in known})
        if any(leases.is_alive(lease, now) for lease in its_own):
            raise Refusal(f"{words.safe(name)} is alive, and would be listed again within seconds: stop it first.")
        _forget_holder(store, name, now)
    click.echo(f"Forgot {words.safe(name)}.")


@click.command("schedules")
@as_json
@as_sparkline
@click.pass_obj
def schedules_command(obj: Any, /, *, as_json: bool, sparkline: bool | None) -> None:
    """Tell whether each entry of beat's schedule was sent in time, those that were not first."""
    options.of_view(as_json=as_json, sparkline=sparkline)
    console = console_of(obj)
    with opened_store() as store:
        now = clock(store)
        view = schedules.look(store, now)
    if as_json:
        records.echo(map(schedules.of_entry, view.entries))
    else:
        schedules.show(console, view, now, with_trends=_draws(console, sparkline))


@click.command("metrics")
@click.argument("pattern", metavar="[PATTERN]", default="*")
@click.option("--since", metavar="TIME", default="1h", show_default=True, help="15m, 2h, 3d, or a time in ISO 8601.")
@as_json
@as_sparkline
@click.pass_obj
def metrics_command(obj: Any, /, pattern: str, *, since: str, as_json: bool, sparkline: bool | None) -> None:
    """Tell the latest value of each series that was measured since then, with its age.

    PATTERN chooses metrics by name, as a shell does files: 'JobQueue*'.
    """
    asked, span_s = options.of_metrics(time.time(), pattern, since, as_json=as_json, sparkline=sparkline)
    console = console_of(obj)
    with opened_store() as store:
        now = clock(store)
        view = metrics.look(store, now, span_s, asked)
    if as_json:
        records.echo(map(metrics.of_series, view.series))
    else:
        metrics.show(console, view, now, with_trends=_draws(console, sparkline))


def _draws(console: Console, sparkline: bool | None) -> bool:  # noqa: FBT001 (as click gives it)
    """Whether sparklines are wanted: where nothing was said, in a terminal."""
    return console.is_terminal if sparkline is None else sparkline


def _forget_holder(store: Store, name: str, now: float) -> None:
    """Forget the leases of a name, and what is noted about it."""
    for role in Role:
        forget_leases(store, role, name)
    said = by_subject(notes_about(store, "worker:"), "worker").get(name, {})
    save_measured(store, Measured(notes=[Note(f"worker:{name}", note, None) for note in said]), now)


def _unknown(kind: str, name: str, known: set[str]) -> Refusal:
    close = get_close_matches(name, known, n=1)
    hint = f"; the closest is {close[0]!r}" if close else ""
    return Refusal(f"This store knows no {kind} {name!r}{hint}.")
