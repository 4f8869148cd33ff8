"""What can go wrong with the database, as the layers above see it.

StoreError
├── StoreUnavailable    locked, read-only, gone, refused, timed out: try again later
│   ├── StoreFull       no room on the disk
│   ├── StoreSilent     the server does not answer
│   ├── StoreUpgrading  the schema is being migrated to this release's
│   ├── StoreDamaged    the file is not what was written; it is examined before the next use
│   ├── RowRefused      this row only: the database takes others
│   └── SpoolFirst      older ones are still in the spool: import them, then store again
├── KeyTaken            another sign-up has that Idempotency-Key: read which
├── OverLimit           one of a flood, far over what is believed in a minute, hour or day; not stored
└── StoreMisconfigured  a wrong setting: waiting mends nothing, a person must act
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

# The text of the other classes (data, integrity) may quote the values of a row: "Key (email)=(…) exists".
_TEXT_IS_SAFE = (exc.OperationalError, exc.InterfaceError, exc.ProgrammingError)
# A short read says "disk I/O error", and a file that was emptied has no table any more.
_DAMAGED = ("malformed", "not a database", "disk I/O error", "no such table")
# Our own words, in `store.limits`, and those of psycopg for a server that takes a connection in silence.
_SILENT = ("has not answered", "connection timeout expired", "ConnectionTimeout")
_FULL = ("disk is full", "No space left")
_OF_THE_ROW = (exc.IntegrityError, exc.DataError)


class StoreError(Exception):
    """Root of everything this package raises on purpose."""


class StoreUnavailable(StoreError):
    """The database cannot be used right now; the same call may succeed later."""


class StoreFull(StoreUnavailable):
    """There is no room on the disk."""


class StoreSilent(StoreUnavailable):
    """A server took the connection or the statement, and has not answered in time."""


class StoreUpgrading(StoreUnavailable):
    """The schema is being migrated, or waits for its locks."""


class StoreDamaged(StoreUnavailable):
    """SQLite met something in the file that nobody wrote."""


class RowRefused(StoreUnavailable):
    """The values of one row are refused; other rows are not concerned."""


class SpoolFirst(StoreUnavailable):
    """Sign-ups that came earlier are still in the spool; this one was not stored before them."""


class KeyTaken(StoreError):
    """Another sign-up was stored with this Idempotency-Key; this one was not."""


class StoreMisconfigured(StoreError):
    """The database must not be used as it stands; the message names the cause and the cure."""


class OverLimit(StoreError):
    """Some limits would be exceeded; `rules` names them, `retry_after` is in seconds."""

    def __init__(self, rules: tuple[str, ...], *, retry_after: int) -> None:
        """`retry_after` is when the count is lower at the earliest."""
        self.rules = rules
        self.retry_after = retry_after
        super().__init__("far too often")


@contextmanager
def driver_errors_translated() -> Iterator[None]:
    """Turn driver errors and file errors into ours, without SQL parameters: they are personal data.

    Raises:
        StoreUnavailable: or the subclass that says more.
    """
    try:
        yield
    except exc.DBAPIError as error:
        raise _translated(error) from None
    except UnicodeEncodeError:
        # Of a half character, in the words of the driver: its text would hold the value.
        raise RowRefused("a text cannot be written as UTF-8") from None
    except exc.TimeoutError:
        raise StoreUnavailable("every database connection of this process is busy") from None
    except OSError as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error.strerror} ({error.filename})") from None


def _translated(error: exc.DBAPIError) -> StoreUnavailable:
    message = _describe(error)
    if any(sign in message for sign in _SILENT):
        return StoreSilent(message)
    if any(sign in message for sign in _FULL):
        return StoreFull(message)
    if any(sign in message for sign in _DAMAGED):
        return StoreDamaged(message)
    return RowRefused(message) if isinstance(error, _OF_THE_ROW) else StoreUnavailable(message)


def _describe(error: exc.DBAPIError) -> str:
    """Name the driver's error; its first line is added only where it cannot hold a row's values."""
    name = type(error.orig).__name__
    if isinstance(error, _TEXT_IS_SAFE) or name == "DatabaseError":
        lines = str(error.orig).strip().splitlines()
        return f"{name}: {lines[0]}" if lines else name
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return f"{name} ({code})" if code else name
