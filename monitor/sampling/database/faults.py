"""Why a database cannot be measured, in a sentence each, without a password."""

import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from sqlalchemy import URL

SLOTS_TAKEN = "too many clients|remaining connection slots|Too many connections"

# What libpq, PostgreSQL, the drivers of MySQL and MariaDB, and SQLite say; the first that is found decides.
_SENTENCES = {
    "no password supplied|using password: NO": "the server wants a password of user {user}, and the URL has none",
    "password authentication failed": "the server refuses the password of user {user}",
    "Access denied for user .* to database": "user {user} may not use database {database}",
    "Access denied for user": "the server refuses the password of user {user}, or the user",
    'role ".*" does not exist': "the server knows no user {user}",
    'database ".*" does not exist|Unknown database': "the server has no database {database}",
    "permission denied for database": "user {user} may not connect to database {database}, which takes a GRANT CONNECT",
    r"no pg_hba\.conf entry": "the server lets nobody in from here as {user} to {database} (pg_hba.conf)",
    "too many connections for role": "user {user} has as many connections as this user may have",
    "too many connections for database": "database {database} has as many connections as it may have",
    SLOTS_TAKEN: "all connections of the server are taken: it refuses any further one",
    "resolve host|translate host|server host|Name or service|name resolution": "no host is known as {host}",
    "Connection refused|Errno 111": "the connection is refused: nobody listens at {where}",
    "No route to host|Network is unreachable": "there is no way to {where}",
    "timeout expired|timed out": "no answer from {where} in time",
    "starting up": "the server is starting up",
    "shutting down|terminating connection": "the server is shutting down, or ended the connection",
    "closed the connection|Lost connection": "the server at {where} closed the connection",
    r"\.s\.PGSQL\.": "there is no server behind a socket in {host}",
    "unable to open database file": "there is no readable file {database}",
    "file is not a database": "{database} is not an SQLite database",
    "database is locked": "the file {database} has been locked by another program for too long",
}


def explain(fault: Exception, url: URL) -> str:
    """Return why the database does not answer; what is not known is told in the fault's own words."""
    said = " ".join(str(fault).split())
    known = (sentence for pattern, sentence in _SENTENCES.items() if re.search(pattern, said))
    sentence = next(known, None)
    if sentence:
        return sentence.format_map(_parts(url))
    return _without_secrets(said if isinstance(fault, ValueError) else f"{type(fault).__name__}: {said}", url)


def are_slots_taken(fault: Exception) -> bool:
    """Tell whether the server refused because it has as many connections as it may."""
    return bool(re.search(SLOTS_TAKEN, str(fault)))


def _parts(url: URL) -> dict[str, str]:
    host = url.host or str(url.query.get("host") or "localhost")
    where = f"{host}:{url.port}" if url.port else host
    return {"user": url.username or "(none)", "database": url.database or "(none)", "host": host, "where": where}


def _without_secrets(text: str, url: URL) -> str:
    for secret in _secrets(url):
        text = text.replace(secret, "***")
    return text


def _secrets(url: URL) -> Iterator[str]:
    given = [url.password, *(value for name, value in url.query.items() if "pass" in name.lower())]
    for password in filter(None, given):
        yield from {str(password), quote(str(password), safe=""), quote_plus(str(password))}
