"""Creating, examining or migrating a database, in a thread of its own: nobody waits for it without an end.

A migration waits for its locks as long as somebody else's dump runs. In that time sign-ups go to the spool.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from store.errors import StoreError, StoreUnavailable, StoreUpgrading


class Opening:
    """One attempt, shared by all who wait for it. `work` is given what it calls when it begins to migrate."""

    def __init__(
        self, work: Callable[[Callable[[], None]], None], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Begins at once."""
        self._work = work
        self._monotonic = monotonic
        self._began = monotonic()
        self._upgrading = False
        self._error: BaseException | None = None
        self._done = threading.Event()
        threading.Thread(target=self._run, name="database-opening", daemon=True).start()

    @property
    def over(self) -> bool:
        """Whether it has come to an end, good or bad."""
        return self._done.is_set()

    def wait(self, seconds: float) -> None:
        """Return when the database can be used; wait until `seconds` after the beginning.

        Raises:
            StoreUpgrading: it is still being migrated.
            StoreUnavailable: it is not open yet, for another reason.
            StoreError: it could not be opened.
        """
        if not self._done.wait(max(0.0, self._began + seconds - self._monotonic())):
            if self._upgrading:
                raise StoreUpgrading("the database is being upgraded to this release")
            raise StoreUnavailable("the database is still being opened")
        if isinstance(self._error, StoreError):
            # A new one for each who waits: an exception keeps the traceback of whoever raises it.
            raise type(self._error)(*self._error.args) from None
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._work(self._upgrade_begins)
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits
            self._error = error
        finally:
            self._done.set()

    def _upgrade_begins(self) -> None:
        self._upgrading = True
