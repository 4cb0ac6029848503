"""What the text of a setting means. Each function raises a ValueError that says what was expected and what came."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Threshold:
    """How many of something are worth a warning when there are more: a number, or percent of the limit."""

    value: float
    is_percent: bool

    def __str__(self) -> str:
        return f"{self.value:g} %" if self.is_percent else f"{self.value:g}"


def store_url(text: str) -> str:
    """Return a store's URL, checked."""
    scheme = text.partition(":")[0]
    if scheme == "sqlite" and text.startswith("sqlite:////"):
        return text
    if scheme == "sqlite" and text.startswith("sqlite:///"):
        return f"sqlite:///{Path(text.removeprefix('sqlite:///')).absolute()}"
    if scheme in {"postgresql", "postgres", "postgresql+psycopg"} and text.startswith(f"{scheme}://"):
        return "postgresql+psycopg" + text.removeprefix(scheme)
    # The text may hold a password: only its scheme is repeated.
    came = f"one that begins with {scheme + ':'!r}" if ":" in text else "a text without a scheme"
    raise ValueError(
        f"expected a URL like sqlite:////var/lib/monitor/store.db or postgresql://user@host/name, got {came}"
    )


def positive_int(text: str) -> int:
    """Return a whole number of at least 1."""
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise ValueError(f"expected a whole number of at least 1, got {text!r}")


def switch(text: str) -> bool:
    """Return True for on, False for off."""
    if text.lower() in {"on", "off"}:
        return text.lower() == "on"
    raise ValueError(f"expected on or off, got {text!r}")


def names(text: str) -> frozenset[str]:
    """Return the lower-case names of a comma-separated list."""
    return frozenset(name.strip().lower() for name in text.split(",") if name.strip())


def names_in_order(text: str) -> tuple[str, ...]:
    """Return the names of a comma-separated list, each once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def threshold(text: str) -> Threshold:
    """Return a number like 15, or a percentage like 75%."""
    number, percent, rest = text.partition("%")
    number = number.strip()
    if number.isascii() and number.isdigit() and not rest and 0 < int(number) <= (100 if percent else 10**6):
        return Threshold(float(number), is_percent=bool(percent))
    raise ValueError(f"expected a number like 15, or a percentage like 75%, got {text!r}")


def counts_by_name(text: str) -> dict[str, int]:
    """Return numbers by name, from a text like `optimization=10,file-processing=20`."""
    counts = {}
    faults = []
    for entry in filter(None, map(str.strip, text.split(","))):
        name, _, number = map(str.strip, entry.partition("="))
        if name and number.isascii() and number.isdigit() and name not in counts:
            counts[name] = int(number)
        else:
            faults.append(entry)
    if faults:
        raise ValueError(f"expected each name once, like optimization=10, got {', '.join(map(repr, faults))}")
    return counts


def http_url(text: str) -> str:
    """Return the URL of an HTTP API."""
    if re.fullmatch(r"https?://\S+", text):
        return text
    raise ValueError("expected a URL like http://user:password@host:15672, got something else")
