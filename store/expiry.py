"""Removing rows whose time is over."""

from sqlalchemy import Connection, Table, delete, select

_AT_MOST = 100  # per call: a visitor does not pay for a long backlog


def prune(connection: Connection, table: Table, now: int) -> None:
    """Delete some rows of `table` with `expires_at <= now` (epoch ms).

    Call it last in a transaction: skipping rows that others hold, it never waits, so it cannot deadlock.
    """
    (key,) = table.primary_key.columns
    expired = select(key).where(table.c.expires_at <= now).limit(_AT_MOST).with_for_update(skip_locked=True)
    connection.execute(delete(table).where(key.in_(expired)))
