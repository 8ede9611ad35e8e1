"""How Alembic runs our revisions: on the connection, and in the transaction, that `db.prepare_database` opened."""

from __future__ import annotations

from alembic import context

from models import Base

# Without batches: on SQLite these drop a table to make it anew, and every row goes that refers to one of its own.
context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
