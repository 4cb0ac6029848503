"""Jobs, their runs and events, the spool's segments, and what was lost."""

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
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "monitor_events",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("segment", sa.BigInteger, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("monitor_events_job", "monitor_events", ["job"])
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
        *(sa.Column(name, sa.Text) for name in ("task", "queue", "worker")),
        sa.Column("pid", sa.BigInteger),
        sa.Column("version", sa.Text),
        sa.Column("retries", sa.BigInteger, nullable=False),
        sa.Column("acks_late", sa.Boolean, nullable=False),
        *(sa.Column(name, sa.Double) for name in ("sent_at", "received_at", "due_at", "started_at", "ended_at")),
        *(sa.Column(name, sa.Double) for name in ("wait_s", "run_s", "cpu_s")),
        sa.Column("grew_bytes", sa.BigInteger),
        *(
            sa.Column(name, sa.Text)
            for name in ("fate", "reason", "error", "message", "traceback", "fingerprint", "labels")
        ),
    )
    op.create_index("monitor_runs_job", "monitor_runs", ["job"])
    op.create_index("monitor_runs_ended", "monitor_runs", ["ended_at"])
    is_open = sa.text("fate IS NULL")
    op.create_index("monitor_runs_open", "monitor_runs", ["id"], postgresql_where=is_open, sqlite_where=is_open)


def _create_jobs() -> None:
    op.create_table(
        "monitor_jobs",
        sa.Column("id", sa.Text, primary_key=True),
        *(
            sa.Column(name, sa.Text)
            for name in ("task", "queue", "worker", "fate", "reason", "error", "message", "fingerprint")
        ),
        *(
            sa.Column(name, sa.Double)
            for name in ("first_sent_at", "sent_at", "due_at", "expires_at", "started_at", "ended_at")
        ),
        sa.Column("changed_at", sa.Double, nullable=False),
        *(sa.Column(name, sa.Double) for name in ("wait_s", "run_s")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("runs", "open_runs", "retries")),
        *(sa.Column(name, sa.Text) for name in ("root", "parent", "group", "sender", "version", "arguments", "labels")),
    )
    op.create_index("monitor_jobs_changed", "monitor_jobs", ["changed_at"])
    op.create_index("monitor_jobs_fate", "monitor_jobs", ["fate", "changed_at"])
    op.create_index("monitor_jobs_task", "monitor_jobs", ["task", "changed_at"])
    op.create_index("monitor_jobs_root", "monitor_jobs", ["root"])
