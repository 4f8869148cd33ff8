"""Creating, examining or migrating a database in a thread of its own, so that callers can stop waiting.

A migration waits for its locks as long as a dump by another program runs. In that time sign-ups go to the
spool.
"""

import threading
import time
from collections.abc import Callable

from store.errors import StoreError, StoreUnavailable, StoreUpgrading


class Opening:
    """One attempt to open the database, shared by all threads that wait for it."""

    def __init__(
        self, work: Callable[[Callable[[], None]], None], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin at once. `work` opens the database, and calls its argument when it begins to migrate."""
        self._work = work
        self._monotonic = monotonic
        self._began = monotonic()
        self._upgrading = False
        self._error: BaseException | None = None
        self._done = threading.Event()
        threading.Thread(target=self._run, name="database-opening", daemon=True).start()

    @property
    def over(self) -> bool:
        """Whether the attempt has ended, with success or not."""
        return self._done.is_set()

    def wait(self, seconds: float) -> None:
        """Return when the database can be used; wait until `seconds` after the beginning.

        Raises:
            StoreUpgrading: the schema is still being migrated.
            StoreUnavailable: the database is not open yet, for another reason.
            StoreError: the database could not be opened.
        """
        if not self._done.wait(max(0.0, self._began + seconds - self._monotonic())):
            if self._upgrading:
                raise StoreUpgrading("the database is being upgraded to this release")
            raise StoreUnavailable("the database is still being opened")
        if isinstance(self._error, StoreError):
            # A new exception for each thread: one that is raised twice collects the tracebacks of both.
            raise type(self._error)(*self._error.args) from None
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._work(self._upgrade_begins)
        except BaseException as error:  # noqa: BLE001 - raised again by those who wait
            self._error = error
        finally:
            self._done.set()

    def _upgrade_begins(self) -> None:
        self._upgrading = True
