"""Reads which databases are to be measured: `orders=postgresql://user@host/name,reports=mysql://…`."""

import re

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

BACKENDS = ("postgresql", "mysql", "mariadb", "sqlite")

_EXPECTED = "name=URL, like orders=postgresql://user@host/database"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_SCHEME = re.compile(r"([A-Za-z0-9_]+)(?:\+[A-Za-z0-9_]+)?:")


def parse_databases(text: str) -> dict[str, str]:
    """Return the URLs by name, in their order; a comma within a URL is written %2C.

    Raises:
        ValueError: naming every fault at once, and never a password.

    """
    databases: dict[str, str] = {}
    faults = []
    for number, entry in enumerate((entry.strip() for entry in text.split(",")), start=1):
        if not entry:
            continue
        name, _, written = (part.strip() for part in entry.partition("="))
        fault = _fault(name, written, is_taken=name in databases)
        if fault:
            faults.append(f"entry {number}: {fault}")
        else:
            databases[name] = written
    if faults:
        raise ValueError("; ".join(faults))
    return databases


def url_of(written: str) -> URL:
    """Return a database's URL.

    Raises:
        ValueError: when it cannot be read, or names a kind of database that is not measured.

    """
    scheme = _SCHEME.match(written)
    if not scheme:
        raise ValueError(f"expected a URL that begins with {_backends()}, got a text without a scheme")
    if scheme[1] == "postgres":
        written = "postgresql" + written.removeprefix("postgres")
    elif scheme[1] not in BACKENDS:
        raise ValueError(f"expected a URL that begins with {_backends()}, got {scheme[0]!r}")
    url = _read(written)
    if url is None:
        hint = "a @, :, /, % or comma in a password is written %40, %3A, %2F, %25 or %2C"
        raise ValueError(f"expected a URL like {scheme[1]}://user@host/database; {hint}")
    if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
        raise ValueError("expected an SQLite database in a file, like sqlite:////var/lib/app/app.db, got one in memory")
    return url


def _read(written: str) -> URL | None:
    """Return the URL; None where it cannot be read, since an error of the parser's may hold a piece of the password."""
    try:
        url = make_url(written)
    except (ArgumentError, ValueError):
        return None
    # Of `user:p@ss@host`, «ss@host» is taken for the host: it would be named as one that is not known.
    is_torn = "@" in f"{url.host}{'' if url.get_backend_name() == 'sqlite' else url.database}"
    return None if is_torn else url


def _fault(name: str, written: str, *, is_taken: bool) -> str | None:
    # The entry may be a piece of a password with a comma in it: only what is surely a name is repeated.
    if not _SCHEME.match(written) or not _NAME.fullmatch(name):
        return f"expected {_EXPECTED} (a name has letters, digits, and . _ -), got something else"
    if is_taken:
        return f"expected different names, got {name} twice"
    try:
        url_of(written)
    except ValueError as fault:
        return f"{name}: {fault}"
    return None


def _backends() -> str:
    *most, last = (f"{name}://" for name in BACKENDS)
    return f"{', '.join(most)} or {last}"
