"""The app with one promise taken back, so that a test of that promise can show that it would notice.

Served by gunicorn as `tests.durability.careless:sqlite_normal()` and so on; the product has no such setting.
"""

from __future__ import annotations

from typing import Any

from flask import Flask
from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import Pool

from app import create_app


def sqlite_normal() -> Flask:
    """SQLite with synchronous=NORMAL: a commit in the write-ahead log is not synced."""

    @event.listens_for(Pool, "checkout")
    def weaken(connection: Any, *_: object) -> None:
        connection.execute("PRAGMA synchronous = NORMAL")

    return create_app()


def postgresql_asynchronous() -> Flask:
    """PostgreSQL with synchronous_commit=off: the answer comes before the write-ahead log is written."""

    # Just before the commit, which the setting is about: at its start the app refuses such a server.
    @event.listens_for(Engine, "commit")
    def weaken(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")

    return create_app()
