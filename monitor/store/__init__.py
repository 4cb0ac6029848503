"""The store: what happened to every job, in SQL. SQLite by default, PostgreSQL in production.

`open_store` connects; `writes` is for the shipper, `reads` for everybody else.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.pool import NullPool

from monitor.settings import make_private
from monitor.store.faults import PositionMovedError, RefusedError, StoreError, name_of, told_plainly
from monitor.store.migrate import HEAD, KNOWN, VERSION_TABLE, upgrade

__all__ = ["PositionMovedError", "RefusedError", "Store", "StoreError", "open_store", "upgrade_store"]

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_MS = 30_000


Store = Engine


def open_store(url: str, *, create: bool = False) -> Engine:
    """Return the engine of a store whose schema is this version's.

    An embedded store (SQLite) is made and upgraded here when `create` is true. One on a server is upgraded only by
    `celery -A … monitor store upgrade`, since other hosts share it.

    Raises:
        StoreError: when it cannot be reached or read, when it is missing, older or newer than this version.

    """
    engine = _engine(url)
    try:
        with told_plainly(engine):
            _make_ready(engine, create=create)
    except StoreError:
        engine.dispose()
        raise
    return engine


def _make_ready(engine: Engine, *, create: bool) -> None:
    path = _path(engine)
    if path is not None and create:
        _create(engine)
    elif path is not None and not path.exists():
        raise StoreError(f"There is no store at {path} yet: it is made when the first worker with the monitor starts.")
    version = _version(engine)
    if version != HEAD:
        raise StoreError(_version_fault(engine, version))


def upgrade_store(url: str) -> tuple[str | None, str]:
    """Bring a store's schema to this version's; return its version before and after.

    Raises:
        StoreError: when it cannot be reached, or is newer than this version.

    """
    engine = _engine(url)
    try:
        with told_plainly(engine):
            _make_file(engine)
            before = _version(engine)
            if before is not None and before not in KNOWN:
                raise StoreError(_version_fault(engine, before))
            if before != HEAD:
                upgrade(engine)
    finally:
        engine.dispose()
    return before, HEAD


def _engine(url: str) -> Engine:
    if url.startswith("sqlite"):
        # A connection for each transaction: none is open when a process forks, and threads share none.
        engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": CONNECT_TIMEOUT_S})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_at_once)
        return engine
    options = f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c synchronous_commit=on"
    arguments = {"connect_timeout": CONNECT_TIMEOUT_S, "options": options, "application_name": "networx-monitor"}
    return create_engine(url, pool_size=1, max_overflow=1, pool_pre_ping=True, connect_args=arguments)


def _set_up_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # BEGIN is ours, see below
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_at_once(connection: Any) -> None:
    # The write lock is taken with the transaction: one that began by reading could not take it later (SQLITE_BUSY).
    is_reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")


def _path(engine: Engine) -> Path | None:
    return Path(str(engine.url.database)) if engine.dialect.name == "sqlite" else None


def _create(engine: Engine) -> None:
    _make_file(engine)
    if _version(engine) in KNOWN - {HEAD} | {None}:
        upgrade(engine)


def _make_file(engine: Engine) -> None:
    """Make an embedded store's file, for its owner alone."""
    path = _path(engine)
    if path is not None and not path.exists():
        make_private(path.parent)
        path.touch(mode=0o600)


def _version(engine: Engine) -> str | None:
    with engine.connect().execution_options(reading=True) as connection:
        if not engine.dialect.has_table(connection, VERSION_TABLE):
            return None
        return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 (a constant)


def _version_fault(engine: Engine, version: str | None) -> str:
    name = name_of(engine)
    if version is None:
        return f"{name} holds no store yet: run `celery -A … monitor store upgrade`."
    if version in KNOWN:
        return f"{name} has schema {version}, this version needs {HEAD}: run `celery -A … monitor store upgrade`."
    unknown = f"{name} has schema {version}, which this version does not know (it knows up to {HEAD})"
    return f"{unknown}: upgrade networx-monitor."
