"""The store's schema over time, by Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

# The store may share its database with an application that uses Alembic too.
VERSION_TABLE = "monitor_version"

_LOCK = 7_235_021  # any number, the same for all: only one process upgrades a server's store at a time


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


_script = ScriptDirectory.from_config(_config())
HEAD = str(_script.get_current_head())
KNOWN = frozenset(revision.revision for revision in _script.walk_revisions())


def upgrade(engine: Engine) -> None:
    """Bring the schema to HEAD, in one transaction."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        command.upgrade(_config(connection), "head")
