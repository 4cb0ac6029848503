"""`celery -A … monitor …`: what the store knows, on the command line."""

import time
from typing import Any

import click

from monitor.cli import empty, listing, measures, options, portrait, records, words
from monitor.cli.calling import Refusal, as_json, console_of, help_if_alone, opened_store, refusing
from monitor.job import Fate
from monitor.settings import Settings
from monitor.store import Store, measured, reads, upgrade_store, writes
from monitor.store.faults import name_of

MOST_CANDIDATES = 10

OF_RUNS = ", ".join(fate for fate in Fate if not fate.ends_the_job)
FATES = f"One of {', '.join(options.STATES)}; {OF_RUNS} mean the jobs with such a run."


@click.group(invoke_without_command=True)
@click.pass_context
def monitor(ctx: click.Context) -> None:
    r"""Tell what became of every job, and how queues, workers and schedules are.

    Each job is recorded by the processes that send and run it, from its sending to its fate; what jobs depend on is
    measured every few seconds. All is kept in the store, and these commands read the store alone: they need neither
    the broker nor a worker.

    \b
      celery -A app monitor jobs --fate failed --since 1h
      celery -A app monitor job 92cac785
      celery -A app monitor queues
      celery -A app monitor metrics 'JobQueue*' --json
    """
    help_if_alone(ctx)


@monitor.command()
@click.option("--fate", metavar="FATE", multiple=True, help=f"{FATES} May be given several times.")
@click.option("--task", metavar="NAME", help="The task's whole name.")
@click.option("--queue", metavar="NAME", help="The queue's name.")
@click.option("--worker", metavar="NAME", help="The node name of the worker that had it last.")
@click.option("--since", metavar="TIME", help="Something happened to it since: 15m, 2h, 3d, or a time in ISO 8601.")
@click.option("--limit", metavar="N", default="50", show_default=True, help="At most so many, the latest first.")
@as_json
@click.pass_obj
def jobs(obj: Any, /, *, as_json: bool, limit: str, **filters: Any) -> None:
    """List jobs, those with the latest event first.

    The monitor's own jobs are listed only where a task, a queue or a worker is named.
    """
    now = time.time()
    asked = options.question(now, limit=limit, **filters)
    console = console_of(obj)
    with opened_store() as store:
        found = reads.jobs_matching(store, asked.wanted, asked.limit)
        if as_json:
            records.echo(map(records.of_job, found))
        elif found:
            ids = reads.short_ids(store, [job.id for job in found]) if console.is_terminal else {}
            listing.show(console, found, ids, now)
            console.print("\n", listing.sum_up(len(found), reads.count_by_state(store, asked.wanted)), sep="")
        else:
            console.print(*empty.explain(store, asked, now), sep="\n")


@monitor.command()
@click.argument("id_", metavar="ID")
@as_json
@click.pass_obj
def job(obj: Any, /, id_: str, *, as_json: bool) -> None:
    """Tell one job's whole life: waits, runs, back-offs, fate, error, arguments, family, events.

    ID is a job's id, or the beginning of one if no other begins so.
    """
    with opened_store() as store:
        story = _story(store, id_)
    if as_json:
        records.echo([records.of_story(story)])
    else:
        portrait.show(console_of(obj), story, time.time())


for command in (
    measures.queues_command,
    measures.workers_command,
    measures.schedules_command,
    measures.metrics_command,
):
    monitor.add_command(command)


@monitor.group(invoke_without_command=True)
@click.pass_context
def store(ctx: click.Context) -> None:
    """Look after the store."""
    help_if_alone(ctx)


@store.command()
def upgrade() -> None:
    """Make the store, or bring its schema to this version's; does nothing where that is done."""
    with refusing() as settings:
        before, after = upgrade_store(settings.store_url)
    with opened_store() as store:
        since = "already" if before == after else f"now; before it had {before or 'none'}"
        click.echo(f"{name_of(store)} has schema {after} {since}.")


@store.command()
@click.option(
    "--older-than-days", metavar="N", help="The age of what is deleted.  [default: MONITOR_RETENTION_DAYS, 90]"
)
def prune(older_than_days: str | None) -> None:
    """Delete the jobs whose fate is older than N days, in short transactions.

    Jobs without a fate are kept, however old: nobody has explained them yet. Samples, leases and notes go by an age of
    their own: MONITOR_SAMPLES_DAYS.
    """
    faults = options.Faults()
    given = None if older_than_days is None else faults.of("--older-than-days", options.days, older_than_days, 0)
    faults.say()
    with opened_store() as store:
        settings = Settings.from_env()
        days = given or settings.retention_days
        pruned = writes.prune(store, days)
        measured.prune_measured(store, settings.samples_days)
        click.echo(f"Deleted {words.count(pruned, 'job')} older than {words.count(days, 'day')} from {name_of(store)}.")


def _story(store: Store, id_: str) -> reads.Story:
    """Return the life of the job with that id, or else of the one whose id begins so."""
    story = reads.story(store, id_)
    ids = [] if story else reads.ids_beginning(store, id_, MOST_CANDIDATES + 1)
    if len(ids) == 1:
        story = reads.story(store, ids[0])
    if story:
        return story
    if not ids:
        raise Refusal(f"No job in {name_of(store)} has an id that begins with {id_!r}: see `monitor jobs`.")
    named = ", ".join(map(words.safe, ids[:MOST_CANDIDATES])) + (", …" if len(ids) > MOST_CANDIDATES else "")
    raise Refusal(f"Several ids begin with {id_!r}, expected the beginning of one: {named}.")
