"""What every command needs: the store, opened; a console; options that several have; refusals in one sentence."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console

from monitor.settings import Settings
from monitor.store import Store, StoreError, open_store

as_json = click.option("--json", "as_json", is_flag=True, help="Print one array of objects, and nothing else.")


class Refusal(click.ClickException):
    """What was asked cannot be done, for a reason told in one sentence."""

    exit_code = 2


@contextmanager
def opened_store() -> Iterator[Store]:
    """Give the store of the settings."""
    with refusing() as settings:
        store = open_store(settings.store_url)
        try:
            yield store
        finally:
            store.dispose()


@contextmanager
def refusing() -> Iterator[Settings]:
    """Give the settings, and say what is wrong with the store without a traceback."""
    try:
        yield Settings.from_env()
    except StoreError as fault:
        raise Refusal(str(fault)) from fault


def console_of(obj: Any) -> Console:
    """Return the console for standard output; where that is no terminal, no line is wrapped."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a locale without our glyphs gets question marks
    console = Console(highlight=False, markup=False, emoji=False, no_color=obj.no_color or None)
    console.soft_wrap = not console.is_terminal
    return console


def help_if_alone(ctx: click.Context) -> None:
    """Print a group's help where none of its commands is called."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
