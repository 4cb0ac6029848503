"""What can be wrong with the store, in words of our own: nobody else needs to know SQLAlchemy's."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, SQLAlchemyError


class StoreError(Exception):
    """The store cannot be used; the message says why and what to do, in one sentence, without a password."""


class RefusedError(Exception):
    """The store cannot take what was to be written, however often it is tried."""


class PositionMovedError(Exception):
    """The store holds more or less of a segment than its reader thought: it must ask for the positions again."""


@contextmanager
def told_plainly(engine: Engine) -> Iterator[None]:
    """Raise what SQLAlchemy and the drivers raise as a `StoreError`."""
    try:
        yield
    except (SQLAlchemyError, OSError) as fault:
        raise StoreError(f"The store {name_of(engine)} cannot be used: {words_of(fault)}.") from fault


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a transaction for reading.

    Raises:
        StoreError: when the store cannot answer.

    """
    with told_plainly(engine), engine.connect().execution_options(reading=True) as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a transaction for writing.

    Raises:
        StoreError: when the store is down, full, read-only, or otherwise not fit; trying again may help.
        RefusedError: when it is what was to be written that is at fault.

    """
    try:
        with told_plainly(engine), engine.begin() as connection:
            yield connection
    except StoreError as fault:
        if isinstance(fault.__cause__, (DataError, IntegrityError)):
            raise RefusedError(words_of(fault.__cause__)) from fault.__cause__
        raise
    except (PositionMovedError, MemoryError):
        raise
    except Exception as fault:
        # A number too large for the driver, an event that makes no sense: not the store's doing.
        raise RefusedError(f"{type(fault).__name__}: {fault}") from fault


def name_of(engine: Engine) -> str:
    """Return the store's URL without its password."""
    return engine.url.render_as_string(hide_password=True)


def words_of(fault: Exception) -> str:
    """Return what a fault says, on one line."""
    cause = fault.orig if isinstance(fault, DatabaseError) else fault
    return " ".join(str(cause).split()).rstrip(".?")
