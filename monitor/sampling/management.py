"""Asks RabbitMQ's management API, where one is configured: it tells what AMQP does not."""

import base64
import urllib.error
import urllib.request
from typing import TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from monitor.sampling.channels import PATIENCE_S, BrokerError

# 1,000 queues are 400 KB; an answer that is longer than this is not what was asked for.
MOST_BYTES = 64_000_000

Answer = TypeVar("Answer")


def ask(url: str, path: str, kind: type[Answer]) -> Answer:
    """Return what the API at `url` (http://user:password@host:15672) answers, as that kind.

    Raises:
        BrokerError: when it cannot be reached, refuses, or answers something else.

    """
    place, account = _split(url)
    request = urllib.request.Request(f"{place}/api/{path}")  # noqa: S310 (its scheme was checked)
    request.add_header("Authorization", f"Basic {base64.b64encode(account.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:  # noqa: S310 (likewise)
            return msgspec.json.decode(response.read(MOST_BYTES), type=kind)
    except (OSError, ValueError) as fault:  # URLError is an OSError; what msgspec raises is a ValueError
        raise BrokerError(f"RabbitMQ's management API at {place} does not answer: {_words(fault)}") from None


def _split(url: str) -> tuple[str, str]:
    """Return the URL without its account, and the account; the URL itself is never repeated, for it has a password."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BrokerError("expected a URL of RabbitMQ's management API like http://user:password@host:15672")
    host = parts.netloc.rpartition("@")[2]
    account = f"{unquote(parts.username or 'guest')}:{unquote(parts.password or 'guest')}"
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", "")), account


def _words(fault: Exception) -> str:
    if isinstance(fault, urllib.error.HTTPError):
        return f"HTTP {fault.code} {fault.reason}"
    return str(getattr(fault, "reason", fault))
