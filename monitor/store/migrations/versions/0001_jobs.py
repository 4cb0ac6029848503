"""Jobs with their events, runs, the spool's segments, and what was lost."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "monitor_segments",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )
    _create_runs()
    _create_jobs()
    op.create_table(
        "monitor_losses",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("segment", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("records", sa.BigInteger),
        sa.Column("bytes", sa.BigInteger),
        sqlite_autoincrement=True,
    )


def _create_runs() -> None:
    op.create_table(
        "monitor_runs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("job", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("task", "queue", "worker", "version")),
        *(sa.Column(name, sa.Double) for name in ("started_at", "ended_at", "wait_s", "run_s", "cpu_s")),
        sa.Column("grew_bytes", sa.BigInteger),
        *(sa.Column(name, sa.Text) for name in ("fate", "error", "fingerprint", "labels")),
    )
    op.create_index("monitor_runs_ended", "monitor_runs", ["ended_at"])
    _create_partial("monitor_runs_open", "monitor_runs", ["id"], "fate IS NULL")
    goes_on = "fate IN ('replaced', 'requeued', 'retried')"
    _create_partial("monitor_runs_going_on", "monitor_runs", ["job", "fate"], goes_on)


def _create_jobs() -> None:
    op.create_table(
        "monitor_jobs",
        sa.Column("id", sa.Text, primary_key=True),
        *(
            sa.Column(name, sa.Text)
            for name in ("task", "queue", "worker", "fate", "error", "fingerprint", "version", "entry", "root")
        ),
        *(sa.Column(name, sa.Double) for name in ("sent_at", "due_at", "started_at", "ended_at")),
        sa.Column("changed_at", sa.Double, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("open_runs", "forgotten_runs")),
        sa.Column("events", sa.LargeBinary, nullable=False),
    )
    op.create_index("monitor_jobs_changed", "monitor_jobs", ["changed_at"])
    op.create_index("monitor_jobs_fate", "monitor_jobs", ["fate", "changed_at"])
    op.create_index("monitor_jobs_task", "monitor_jobs", ["task", "changed_at"])
    _create_partial("monitor_jobs_root", "monitor_jobs", ["root"], "root IS NOT NULL")
    _create_partial("monitor_jobs_entry", "monitor_jobs", ["entry", "sent_at"], "entry IS NOT NULL")


def _create_partial(name: str, table: str, columns: list[str], rows: str) -> None:
    op.create_index(name, table, columns, postgresql_where=sa.text(rows), sqlite_where=sa.text(rows))
