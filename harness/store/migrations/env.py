"""Alembic's entry: migrates over the connection, and in the transaction, that it is given."""

from alembic import context
from sqlalchemy import Connection

from harness.store.schema import METADATA

connection = context.config.attributes["connection"]
assert isinstance(connection, Connection)
# Batch: SQLite cannot change a column, so the table is copied.
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True, transactional_ddl=False)
context.run_migrations()
