"""Runs the migrations on the connection that `monitor.store.migrate` passes."""

from alembic import context

from monitor.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="monitor_version",
    transactional_ddl=True,
)
context.run_migrations()
