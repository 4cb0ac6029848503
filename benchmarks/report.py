"""How the benchmarks say what they measured: on what, and in tables."""

import os
import platform
import statistics
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

# Wide enough for every table, so that a report in a file is the one on the terminal.
console = Console(width=120)


def say_where(packages: Iterable[str]) -> None:
    """Print the machine, how busy it is, and the versions that matter."""
    machine = f"{_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    console.print(f"{machine}; Python {sys.version.split()[0]}, Linux {platform.release().partition('-')[0]}")
    console.print(", ".join(f"{name} {version(name)}" for name in packages))


def say(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; its first column is text, the others are figures."""
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, justify="right" if table.columns else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def median_and_range(ratios: Sequence[float]) -> tuple[str, str]:
    """Return their median, and from what to what they go."""
    return f"{statistics.median(ratios):.3f}", f"{min(ratios):.2f} – {max(ratios):.2f}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
