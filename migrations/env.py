"""How Alembic runs our revisions: on the connection, and in the transaction, that `db.prepare_database` opened."""

from __future__ import annotations

from alembic import context

from models import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
context.run_migrations()
