"""Measures an SQLite database: how long its file takes to answer."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL

from monitor.sample import Measured

BUSY_TIMEOUT_S = 5


def measure_sqlite(url: URL, name: str, at: float) -> Measured:
    """Return the latency of the first page of the file, which `SELECT 1` would not read.

    Raises:
        sqlite3.Error: when the file is missing, locked or no database. It is never made.

    """
    measured = Measured()
    path = Path(str(url.database)).absolute()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)) as connection:
        began = time.perf_counter()
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        measured.add("DatabaseLatency", at, (time.perf_counter() - began) * 1e3, Database=name)
    return measured
