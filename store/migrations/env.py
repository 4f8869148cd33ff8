"""Alembic's entry: migrates the connection it is handed, inside that connection's open transaction."""

from alembic import context

from store.schema.columns import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True
)
context.run_migrations()
