"""Removing rows whose time is over."""

from sqlalchemy import Connection, Table, delete, select

_AT_MOST = 100  # per call: a visitor does not pay for a long backlog


def prune(connection: Connection, table: Table, until: int, *, column: str = "expires_at") -> None:
    """Delete some rows of `table` whose `column` is at most `until` (epoch ms).

    Call it last in a transaction: skipping rows that others hold, it never waits, so it cannot deadlock.
    """
    (key,) = table.primary_key.columns
    expired = select(key).where(table.c[column] <= until).limit(_AT_MOST).with_for_update(skip_locked=True)
    connection.execute(delete(table).where(key.in_(expired)))
