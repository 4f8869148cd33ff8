"""What can go wrong with the database, as the layers above see it.

StoreError
├── StoreUnavailable    locked, full, read-only, gone, refused, timed out: try again later
├── KeyTaken            another sign-up has that Idempotency-Key: read which
└── StoreMisconfigured  a wrong setting or a damaged file: waiting mends nothing, a person must act
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

# The text of the other classes (data, integrity) may quote the values of a row: "Key (email)=(…) exists".
_TEXT_IS_SAFE = (exc.OperationalError, exc.InterfaceError, exc.ProgrammingError)
_DAMAGED = ("malformed", "not a database")


class StoreError(Exception):
    """Root of everything this package raises on purpose."""


class StoreUnavailable(StoreError):
    """The database cannot be used right now; the same call may succeed later."""


class KeyTaken(StoreError):
    """Another sign-up was stored with this Idempotency-Key; this one was not."""


class StoreMisconfigured(StoreError):
    """The database must not be used as it stands; the message names the cause and the cure."""


@contextmanager
def driver_errors_translated() -> Iterator[None]:
    """Turn driver errors and file errors into ours, without SQL parameters: they are personal data.

    Raises:
        StoreUnavailable: for every failure that time may mend.
        StoreMisconfigured: when SQLite reports a damaged file.
    """
    try:
        yield
    except exc.DBAPIError as error:
        message = _describe(error)
        if any(sign in message for sign in _DAMAGED):
            raise StoreMisconfigured(
                f"{message}. Stop the app, move the database file and its -wal and -journal files aside"
                " together, and restore a backup."
            ) from None
        raise StoreUnavailable(message) from None
    except exc.TimeoutError:
        raise StoreUnavailable("every database connection of this process is busy") from None
    except OSError as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error.strerror} ({error.filename})") from None


def _describe(error: exc.DBAPIError) -> str:
    """Name the driver's error; its first line is added only where it cannot hold a row's values."""
    name = type(error.orig).__name__
    if isinstance(error, _TEXT_IS_SAFE) or name == "DatabaseError":
        lines = str(error.orig).strip().splitlines()
        return f"{name}: {lines[0]}" if lines else name
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return f"{name} ({code})" if code else name
