"""Measures a MySQL or MariaDB server: latency and connections, by the driver that its URL names."""

import time
from contextlib import closing
from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import NoSuchModuleError

from monitor.sample import Measured

TIMEOUT_S = 5

_TIMEOUTS = {"connect_timeout": TIMEOUT_S, "read_timeout": TIMEOUT_S, "write_timeout": TIMEOUT_S}
_TIMEOUTS_OF_DRIVER = {"mysqlconnector": {"connection_timeout": TIMEOUT_S}}


def measure_mysql(url: URL, name: str, at: float) -> Measured:
    """Return latency, connections and their limit; its own connection is not counted.

    Raises:
        ValueError: when the driver is not installed, or is one for asyncio.
        Exception: what the driver raises when the server refuses, or does not answer.

    """
    measured = Measured()
    began = time.perf_counter()
    with closing(_connect(url)) as connection, closing(connection.cursor()) as cursor:
        measured.add("DatabaseConnectTime", at, (time.perf_counter() - began) * 1e3, Database=name)
        cursor.execute("SET SESSION TRANSACTION READ ONLY")
        began = time.perf_counter()
        _row(cursor, "SELECT 1")
        measured.add("DatabaseLatency", at, (time.perf_counter() - began) * 1e3, Database=name)
        connected = int(_row(cursor, "SHOW GLOBAL STATUS LIKE 'Threads_connected'")[1]) - 1
        limit = int(_row(cursor, "SELECT @@max_connections")[0])
    measured.add("DatabaseConnections", at, connected, Database=name)
    measured.add("DatabaseConnectionLimit", at, limit, Database=name)
    measured.add("DatabaseConnectionsUsed", at, connected / limit * 100, Database=name)
    return measured


def _connect(url: URL) -> Any:
    try:
        dialect: Any = url.get_dialect()
        driver = dialect.import_dbapi()
    except NoSuchModuleError:
        raise ValueError(f"expected a driver like mysql+pymysql://, got {url.drivername}://") from None
    except ImportError as fault:
        sentence = f"expected the driver {fault.name} of {url.drivername}:// to be installed, and it is not"
        raise ValueError(f"{sentence}; with PyMySQL the URL begins with mysql+pymysql://") from None
    if dialect.is_async:
        raise ValueError(f"expected a driver without asyncio, like mysql+pymysql://, got {url.drivername}://")
    positional, named = dialect(dbapi=driver).create_connect_args(url)
    return driver.connect(*positional, **{**named, **_TIMEOUTS_OF_DRIVER.get(url.get_driver_name(), _TIMEOUTS)})


def _row(cursor: Any, statement: str) -> tuple[Any, ...]:
    cursor.execute(statement)
    row: tuple[Any, ...] = cursor.fetchone()
    return row
