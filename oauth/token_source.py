"""Hand out valid access tokens and keep the connection alive.

A connection with rotating refresh tokens survives by order: lease and generation are checked before a
refresh token is sent, and the new pair is stored before anything else happens (oauth/refresh/refreshing.py).
"""

import os
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakSet

import structlog

from oauth.context import OAuthContext
from oauth.errors import OAuthError
from oauth.ownership import Ownership
from oauth.refresh.refreshing import Refresher
from oauth.refresh.rescue_file import RescueFile
from oauth.refresh.schedule import (
    HARD_MARGIN_MS,
    KEEP_ALIVE_MS,
    LEASE_MS,
    SLOW_RETRY_MS,
    lasts,
    soft_at,
    soft_margin,
)
from oauth.refresh.single_flight import PATIENCE_SECONDS, SingleFlight
from oauth.storage import StoredConnection

__all__ = ["HARD_MARGIN_MS", "LEASE_MS", "SLOW_RETRY_MS", "TokenSource"]

_MEMORY_MS = 1_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Opened:
    """A stored access token, decrypted; ``soft_at`` is when its background refresh is due (epoch ms)."""

    sealed: str = field(repr=False)
    access: str = field(repr=False)
    read_at: int
    soft_at: int


class TokenSource:
    """Hands out access tokens in one process; safe for any number of threads.

    The row is read at most once a second, so a disconnect or a new pair of another process counts after at
    most 1 s; a write of this process and ``forget`` count at once. A token is decrypted only when the stored
    one changed. The event ``refresh_due`` is set when a token is handed out whose background refresh is due.

    Args:
        context: What the parts of this package share.
        rescue: Keeps a token pair that the storage refuses.
        patience: Seconds a caller waits for a refresh that another thread or process makes.
    """

    def __init__(
        self,
        context: OAuthContext,
        *,
        rescue: RescueFile | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._storage, self._clock = context.storage, context.clock
        self._ownership = Ownership(context)
        self._refresher = Refresher(context, tell=self._ownership.tell, rescue=rescue)
        self._flight = SingleFlight(
            context, self._refresher, self._ownership, forget=self.forget, patience=patience
        )
        self._opened: _Opened | None = None
        self._state = ""
        self._soft_margin_ms = 0
        self.begin_process()
        _all.add(self)

    def begin_process(self) -> None:
        """Replace what a fork must not share: locks that a thread of the parent held, and its jitter."""
        self._flight.begin_process()
        self.refresh_due = threading.Event()
        self._jitter = secrets.randbelow(1000) / 1000

    def current(self) -> str:
        """Return an access token that is valid for at least min(120 s, a tenth of its lifetime).

        In the last 2 h of its life, or the last quarter of a shorter life, it is handed out and
        ``refresh_due`` set. Later callers wait up to 12 s for a refresh under way. A new pair is stored
        before its token is handed out; only when the storage refuses it for 5 s does the access token serve
        from memory, because the old pair is spent, and each further question tries to store the pair first.

        Raises:
            OAuthError: There is no valid token; the subclass says why, and ``retry_at`` when to ask again.
            Exception: Whatever the storage raises when it cannot be read.
        """
        opened = self._opened
        if opened is not None:
            now = self._clock()
            # A clock that was set back reads the row again.
            if 0 <= now - opened.read_at < _MEMORY_MS and now < opened.soft_at:
                return opened.access
        if self._refresher.unsaved is None:
            row = self._storage.read()
            token = self._fresh(row)
            if token is not None:
                if self._due(row) and not self._flight.paused(row):
                    self.refresh_due.set()
                return token
        return self._flight.renew(self._fresh)

    def after_rejection(self, rejected: str) -> str:
        """Return an access token other than ``rejected``, which the API answered with 401.

        That is a newer stored token if there is one, else the result of one forced refresh; all processes
        together make one in 5 minutes at most.

        Raises:
            OAuthError: As ``current``; with state ``api_rejected`` when a forced refresh did not help.
        """
        self.forget()

        def another(row: StoredConnection) -> str | None:
            token = self._fresh(row)
            return None if token == rejected else token

        return self._flight.renew(another, rejected=rejected)

    def rejected_again(self) -> None:
        """Note that the API refused a token that had just replaced a refused one."""
        self.forget()
        row = self._storage.read()
        self._ownership.note(
            row, "api_rejected", "Constant Contact refuses a token that it has only just issued."
        )

    def accepted(self) -> None:
        """Note that the API accepted a token; costs nothing unless it had refused one."""
        if self._state == "api_rejected":
            self._ownership.recover(self._storage.read(), ("api_rejected",))
            self.forget()

    def forget(self) -> None:
        """Drop the decrypted token; the next call of ``current`` reads the row again."""
        self._opened = None

    def refresh_now(self) -> None:
        """Refresh now, whatever the margins and pauses, because a person asks.

        Raises:
            OAuthError: There is no new pair; a refresh token that is refused for good is not sent again.
        """
        self._flight.renew(self._newer_than(self._storage.read().generation), patient=False)
        if self._refresher.unsaved is not None:
            raise self._flight.under_way(None)

    def tend(self) -> None:
        """Do what is due in the background.

        Import the rescue file, seal the tokens anew with the newest key, and refresh before any caller must
        wait for it, or after 7 days without use. Never raises: a failure is logged, and the next call tries
        again.
        """
        try:
            self._tend()
        except OAuthError as failure:
            log.info("token_care_paused", reason=type(failure).__name__)
        except Exception as error:  # noqa: BLE001 - the thread must outlive whatever the storage raises
            log.error("token_care_failed", error=type(error).__name__)  # noqa: TRY400 - a traceback shows too much

    def seconds_between(self) -> float:
        """Return the seconds between calls of ``tend``: a quarter of the soft margin of the last token."""
        return self._soft_margin_ms / 4000 if self._soft_margin_ms else 600.0

    def _tend(self) -> None:
        row = self._flight.store_unsaved()
        if row.refresh_sealed is None:
            return
        self._ownership.admit(row)
        self._ownership.reseal(row)
        if self._due(row):
            self._flight.renew(self._newer_than(row.generation))

    def _due(self, row: StoredConnection) -> bool:
        now = self._clock()
        used = max(row.refresh_issued_at or 0, row.refresh_used_at or 0)
        idle = used > 0 and now - used > KEEP_ALIVE_MS
        return idle or now >= soft_at(row.access_issued_at, row.access_expires_at or 0, self._jitter)

    def _newer_than(self, generation: int) -> Callable[[StoredConnection], str | None]:
        return lambda row: None if row.generation == generation else self._fresh(row)

    def _fresh(self, row: StoredConnection) -> str | None:
        self._state = row.state
        if row.access_sealed is None or row.access_expires_at is None:
            return None
        if not lasts(row.access_issued_at, row.access_expires_at, self._clock()):
            return None
        self._ownership.check_installation(row)
        return self._open(row, row.access_sealed, row.access_expires_at)

    def _open(self, row: StoredConnection, access_sealed: str, expires_at: int) -> str:
        opened = self._opened
        # Not compared by generation: a restored backup counts the same generations again, for other tokens.
        if opened is not None and opened.sealed == access_sealed:
            access = opened.access
        else:
            access = self._ownership.unseal(row, access_sealed)
        self._soft_margin_ms = soft_margin(row.access_issued_at, expires_at)
        due_at = soft_at(row.access_issued_at, expires_at, self._jitter)
        self._opened = _Opened(access_sealed, access, self._clock(), due_at)
        return access


_all: WeakSet[TokenSource] = WeakSet()


def _begin_process() -> None:
    for source in list(_all):
        source.begin_process()


# A lock that a thread of the parent held at the fork would never be released in the child.
os.register_at_fork(after_in_child=_begin_process)
