"""The demo's command line: `python -m workers.demo [--for SECONDS]`."""

import argparse
import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from workers.demo.home import DemoError, Home, claim_home
from workers.demo.interruptions import Interruptions
from workers.demo.programs import Platform

COMMANDS = (
    "celery -A workers monitor jobs",
    "celery -A workers monitor jobs --fate failed",
    "celery -A workers monitor queues",
    "celery -A workers monitor workers",
    "celery -A workers monitor metrics",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one demo, and return its exit status: 0 when all went well, 1 when not, 2 when it could not begin."""
    try:
        for_s = _seconds(arguments)
        home = claim_home(Path("var").absolute())
        platform = Platform(home)
        interruptions = Interruptions()
        _say_where_things_are(home, platform)
    except DemoError as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    # What reads the store takes a second to import: by now there is something to read on the terminal.
    from workers.demo.show import show  # noqa: PLC0415

    return show(platform, interruptions, for_s)


def _seconds(arguments: Sequence[str] | None) -> float:
    parser = argparse.ArgumentParser(
        prog="python -m workers.demo", description="Run the whole platform on this machine."
    )
    parser.add_argument("--for", dest="for_s", metavar="SECONDS", help="how long jobs flow; without it, until Ctrl-C")
    text = parser.parse_args(arguments).for_s
    if text is None:
        return math.inf
    try:
        for_s = float(text)
    except ValueError:
        for_s = math.nan
    if not 0 < for_s < math.inf:
        raise DemoError(f"--for: expected a number of seconds greater than 0, like 20, got {text!r}.")
    return for_s


def _say_where_things_are(home: Home, platform: Platform) -> None:
    settings = platform.settings
    tries = "\n".join(f"  {command}" for command in (f". {_write_exports(home, settings)}", *COMMANDS))
    sys.stdout.write(
        "NetWORX Monitor demo: the whole platform on this machine.\n\n"
        f"  broker  {settings['CELERY_BROKER_URL']}\n"
        f"  store   {settings['MONITOR_STORE_URL']}\n"
        f"  logs    {home.path / 'logs'}\n\n"
        f"To try in another terminal, in this directory:\n\n{tries}\n\n"
    )
    sys.stdout.flush()


def _write_exports(home: Home, settings: Mapping[str, str]) -> Path:
    """Write a file that gives a shell the demo's settings and commands; return its path for a person to type."""
    file = home.path / "env"
    exports = [f"export {name}={shlex.quote(value)}\n" for name, value in settings.items()]
    file.write_text("".join([*exports, f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH\n"]))
    return file.relative_to(Path.cwd())


if __name__ == "__main__":
    sys.exit(main())
