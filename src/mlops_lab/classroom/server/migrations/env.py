"""What Alembic runs: migrations on the connection that it was given, in that connection's own transaction."""

from alembic import context

from mlops_lab.classroom.server.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
