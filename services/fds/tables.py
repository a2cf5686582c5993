"""The tables of fds."""

import sqlalchemy as sa

metadata = sa.MetaData()
evaluations = sa.Table(
    "fds_evaluations",
    metadata,
    sa.Column("transaction_id", sa.String(64), primary_key=True),
    sa.Column("evaluation_id", sa.String(36), nullable=False),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("decision", sa.String(8), nullable=False),
    sa.Column("risk_score", sa.Float, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("answer", sa.JSON, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("label", sa.String(10)),
    sa.Column("labelled_at", sa.DateTime(timezone=True)),
    sa.Index("fds_evaluations_newest", sa.text("created_at DESC")),
    sa.Index("fds_evaluations_decision_newest", "decision", sa.text("created_at DESC")),
    sa.Index(
        "fds_evaluations_labelled",
        sa.text("labelled_at DESC"),
        postgresql_where=sa.text("label IS NOT NULL"),
    ),
)
indicators = sa.Table(
    "fds_threat_indicators",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("value", sa.String(255), primary_key=True),
    sa.Column("severity", sa.String(8), nullable=False),
)
