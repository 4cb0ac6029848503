"""Many rows at once, the fastest way that each database has."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError

Row = Sequence[Any]  # values of all the table's columns, in order; the first one is its id


def about(connection: Connection, query: str, ids: list[str]) -> Iterable[Any]:
    """Return the rows of a query that ends before many ids, which are passed as one parameter."""
    if connection.dialect.name == "postgresql":
        return connection.exec_driver_sql(f"{query} = ANY(%s)", (ids,))
    among = "IN (SELECT value FROM json_each(?))"
    return connection.exec_driver_sql(f"{query} {among}", (json.dumps(ids),))


def replace(connection: Connection, table: Table, rows: Sequence[Row], *, has_old: bool) -> None:
    """Insert rows in place of those with the same id; `has_old` says that there may be such."""
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.exec_driver_sql(_insertion(table), [tuple(row) for row in rows])
        return
    if has_old:
        connection.exec_driver_sql(f"DELETE FROM {table.name} WHERE id = ANY(%s)", ([row[0] for row in rows],))  # noqa: S608 (our own names)
    _copy(connection, table, rows)


def _insertion(table: Table) -> str:
    # In place: REPLACE would delete the old row, and write each of its index entries anew.
    marks = ", ".join("?" * len(table.c))
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in list(table.c.keys())[1:])
    return f"INSERT INTO {table.name} VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET {changes}"  # noqa: S608 (our own names)


def _copy(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """COPY rows through the driver, which SQLAlchemy has no word for; its errors are raised as SQLAlchemy's."""
    # Binary, a row takes the driver less than half of its time as text (psycopg 3.3); it must be told the types then.
    statement = f"COPY {table.name} FROM STDIN (FORMAT BINARY)"
    types = [column.type.compile(connection.dialect).lower() for column in table.c]
    cursor = connection.connection.driver_connection.cursor()  # type: ignore[union-attr]
    try:
        with cursor.copy(statement) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as fault:
        raise DBAPIError.instance(statement, None, fault, psycopg.Error, dialect=connection.dialect) from fault
