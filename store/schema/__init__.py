"""Every table, for SQLite and PostgreSQL alike; times are epoch milliseconds, documents are JSON in TEXT.

The metadata is complete once this package is imported.
"""

from store.schema import access, connection, forms, mail, opt_outs, outbox, signups

__all__ = ["access", "connection", "forms", "mail", "opt_outs", "outbox", "signups"]
