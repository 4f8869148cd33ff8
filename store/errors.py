"""What can go wrong with the database, as the layers above see it.

StoreError
├── StoreUnavailable    locked, read-only, gone, refused, timed out: try again later
│   ├── StoreFull       no room on the disk
│   ├── StoreSilent     the server does not answer
│   ├── StoreUpgrading  the schema is being migrated to this release's
│   ├── StoreDamaged    the file is damaged; it is examined before the next use
│   ├── RowRefused      the values of this row: the database takes others
│   └── SpoolFirst      older sign-ups are still in the spool: import them, then store again
├── KeyTaken            another sign-up has that Idempotency-Key: read which
├── OverLimit           far over a rate limit by the minute, hour or day; not stored
└── StoreMisconfigured  a wrong setting: a person must act, a later try fails as well
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

# The text of the other classes (data, integrity) may quote the values of a row: "Key (email)=(…) exists".
_TEXT_IS_SAFE = (exc.OperationalError, exc.InterfaceError, exc.ProgrammingError)
# SQLite reports a short read as "disk I/O error", and a file that was emptied as one without tables.
_DAMAGED = ("malformed", "not a database", "disk I/O error", "no such table")
# The first is ours (store/engine/postgresql/statement_limits.py), the others are psycopg's while connecting.
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
    """SQLite found the file damaged."""


class RowRefused(StoreUnavailable):
    """The values of one row are refused; other rows are not concerned."""


class SpoolFirst(StoreUnavailable):
    """Earlier sign-ups are still in the spool; this one was not stored, to keep the order."""


class KeyTaken(StoreError):
    """Another sign-up was stored with this Idempotency-Key; this one was not."""


class StoreMisconfigured(StoreError):
    """The database must not be used as it stands; the message names the cause and the cure."""


class OverLimit(StoreError):
    """Rate limits would be far exceeded, so the sign-up was not stored.

    `rules` names the limits; `retry_after` is after how many seconds the counts are lower at the earliest.
    """

    def __init__(self, rules: tuple[str, ...], *, retry_after: int) -> None:
        self.rules = rules
        self.retry_after = retry_after
        super().__init__("far too often")


@contextmanager
def driver_errors_translated() -> Iterator[None]:
    """Raise errors of drivers and files as ours, without SQL parameters: those are personal data.

    Raises:
        StoreUnavailable: or the subclass that fits.
    """
    try:
        yield
    except exc.DBAPIError as error:
        raise _translated(error) from None
    except UnicodeEncodeError:
        # A lone surrogate; the driver's own message would quote the value.
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
    """Return the name of the driver's error, with its first line where that cannot quote a row's values."""
    name = type(error.orig).__name__
    if isinstance(error, _TEXT_IS_SAFE) or name == "DatabaseError":
        lines = str(error.orig).strip().splitlines()
        return f"{name}: {lines[0]}" if lines else name
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return f"{name} ({code})" if code else name
