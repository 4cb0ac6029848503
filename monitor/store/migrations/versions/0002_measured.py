"""Samples in their series, notes, and leases."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables of what is measured."""
    op.create_table(
        "monitor_series",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("metric", sa.Text, nullable=False),
        sa.Column("dimensions", sa.Text, nullable=False),
        sa.UniqueConstraint("metric", "dimensions", name="monitor_series_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "monitor_samples",
        sa.Column("series", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, primary_key=True),
        sa.Column("value", sa.Double),
        sa.Column("distribution", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_index("monitor_samples_at", "monitor_samples", ["at"])
    op.create_table(
        "monitor_notes",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_table(
        "monitor_leases",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("role", "name", "process")),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("started_at", "renewed_at", "period_s")),
        sa.Column("goodbye_at", sa.Double),
        sa.Column("state", sa.Text),
    )
    op.create_index("monitor_leases_renewed", "monitor_leases", ["renewed_at"])
