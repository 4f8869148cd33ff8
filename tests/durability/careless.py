"""The app with its syncs weakened, to show that the scenarios would notice a loss.

gunicorn serves it as `tests.durability.careless:sqlite_normal()` and so on; the product has no such setting.
"""

from typing import Any

from flask import Flask
from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import Pool

from app import create_app


def sqlite_normal() -> Flask:
    """Return the app with synchronous=NORMAL in SQLite: a commit in the write-ahead log is not synced."""

    @event.listens_for(Pool, "checkout")
    def weaken(connection: Any, *_: object) -> None:
        connection.execute("PRAGMA synchronous = NORMAL")

    return create_app()


def postgresql_asynchronous() -> Flask:
    """Return the app with synchronous_commit=off in PostgreSQL: a commit does not wait for its sync."""

    # Set just before the commit: a server that has it set is refused when the app opens the database.
    @event.listens_for(Engine, "commit")
    def weaken(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")

    return create_app()
