"""The tables of the back office."""

from typing import Final

import sqlalchemy as sa

metadata: Final = sa.MetaData()

cases: Final = sa.Table(
    "admin_cases",
    metadata,
    sa.Column("transaction_id", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("decision", sa.String(8), nullable=False),
    sa.Column("risk_score", sa.Float, nullable=False),
    sa.Column("factors", sa.JSON, nullable=False),
    sa.Column("facts", sa.JSON, nullable=False),
    sa.Column("evaluated_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("closed_at", sa.DateTime(timezone=True)),
    sa.Index("admin_cases_open", "queued_at", postgresql_where=sa.text("closed_at IS NULL")),
)

# A review is its own outbox entry: it is pending from the moment that it is stored until fds took it.
reviews: Final = sa.Table(
    "admin_reviews",
    metadata,
    sa.Column("transaction_id", sa.String(64), primary_key=True),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("reviewer", sa.String(64), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("trace_id", sa.String(32)),
    sa.Column("span_id", sa.String(16)),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("delivery", sa.String(16), nullable=False, server_default="pending"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("delivered_at", sa.DateTime(timezone=True)),
    sa.Index("admin_reviews_newest", sa.text("created_at DESC")),
    sa.Index("admin_reviews_pending", "next_attempt_at", postgresql_where=sa.text("delivery = 'pending'")),
)

intake: Final = sa.Table(
    "admin_intake",
    metadata,
    sa.Column("only", sa.Integer, primary_key=True),
    sa.Column("held_until", sa.DateTime(timezone=True), nullable=False),
)
