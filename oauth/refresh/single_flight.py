"""Single flight: of all threads and processes that want a new token, one sends and the others wait."""

import threading
from collections.abc import Callable

from oauth.context import OAuthContext
from oauth.errors import NeedsReauthorization, NotConnected, RefreshUnavailable
from oauth.ownership import Ownership
from oauth.refresh.refreshing import Refresher
from oauth.refresh.schedule import FORCED_REFRESH_MS, SLOW_RETRY_MS, lasts
from oauth.storage import StoredConnection

_SOON_MS = 2_000
PATIENCE_SECONDS = 12.0
_POLL_SECONDS = 0.25
_REJECTED = "Constant Contact refuses a fresh access token. Check that the application is active."


class SingleFlight:
    """Decides which thread of which process refreshes, and when.

    Args:
        context: What the parts of this package share.
        refresher: Sends and stores.
        ownership: Opens the refresh token.
        forget: Called before a token is sent, as the one in memory is about to be replaced.
        patience: Seconds a caller waits for a refresh that another thread or process makes.
    """

    def __init__(
        self,
        context: OAuthContext,
        refresher: Refresher,
        ownership: Ownership,
        *,
        forget: Callable[[], None],
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._storage, self._clock, self._wait = context.storage, context.clock, context.wait
        self._refresher = refresher
        self._ownership = ownership
        self._forget = forget
        self._patience = patience
        self._lock = threading.Lock()

    def begin_process(self) -> None:
        """Replace the lock, which a thread of the parent may hold at a fork."""
        self._lock = threading.Lock()

    def store_unsaved(self) -> StoredConnection:
        """Store a token pair left in memory or in the rescue file, if possible; return the row."""
        with self._lock:
            self._refresher.save_unsaved()
            row = self._storage.read()
            return self._storage.read() if self._refresher.import_rescue(row) else row

    def paused(self, row: StoredConnection) -> bool:
        """Tell whether a refresh now is too early, or useless."""
        now = self._clock()
        # A time further off than the longest pause was written before the clock was set back: ignore it.
        waiting = row.next_refresh_at is not None and now < row.next_refresh_at <= now + 2 * SLOW_RETRY_MS
        return waiting or row.state == "needs_reauthorization"

    def renew(
        self,
        satisfied: Callable[[StoredConnection], str | None],
        *,
        rejected: str | None = None,
        patient: bool = True,
    ) -> str:
        """Return a token that satisfies: one thread refreshes, the others wait for the row to change.

        Args:
            satisfied: Returns the access token of a row where it is good enough, else None.
            rejected: The token that the API refused; its refresh is a forced one.
            patient: Whether to keep the pauses between tries.

        Raises:
            OAuthError: There is none.
        """
        if not self._lock.acquire(timeout=self._patience):
            raise self.under_way(None)
        try:
            if not self._refresher.save_unsaved():
                return self._from_memory(rejected)
            return self._renew_alone(satisfied, rejected, patient=patient)
        finally:
            self._lock.release()

    def _renew_alone(
        self, satisfied: Callable[[StoredConnection], str | None], rejected: str | None, *, patient: bool
    ) -> str:
        forced, sent = rejected is not None, False
        lease_until: int | None = None
        for _ in range(int(self._patience / _POLL_SECONDS)):
            row = self._storage.read()
            token = satisfied(row)
            if token is not None:
                return token
            if self._refresher.import_rescue(row):
                continue
            refresh_token = self._refreshable(row, forced=forced, patient=patient)
            if sent and row.lease_owner is None:
                # One refresh per call: its result does not satisfy, and a second one would not either.
                break
            if not sent and self._refresher.take_lease(row, forced=forced):
                if self._storage.read().failures != row.failures:
                    # Another process's refresh failed after the row was read here: its state and pause count.
                    self._refresher.release_lease()
                    continue
                sent = True
                self._forget()
                self._refresher.refresh(row, refresh_token)
                if self._refresher.unsaved is not None:
                    return self._from_memory(rejected)
                continue
            lease_until = row.lease_until
            self._wait(_POLL_SECONDS)
        raise self.under_way(lease_until)

    def _refreshable(self, row: StoredConnection, *, forced: bool, patient: bool) -> str:
        """Return the refresh token to send; raise where the row says that sending is useless or too early."""
        if row.refresh_sealed is None:
            raise NotConnected
        if row.state == "needs_reauthorization":
            raise NeedsReauthorization(row.last_error)
        self._ownership.check_installation(row)
        if patient and self.paused(row):
            if row.state == "credentials_rejected":
                raise self._refresher.credentials_rejected(row.next_refresh_at)
            raise RefreshUnavailable(
                "Refreshing the connection failed and is tried again soon.", retry_at=row.next_refresh_at
            )
        # A live lease may be of a forced refresh, whose token all callers wait for.
        if forced and (row.lease_until or 0) <= self._clock():
            self._check_forced(row)
        return self._ownership.unseal(row, row.refresh_sealed)

    def _check_forced(self, row: StoredConnection) -> None:
        now = self._clock()
        if row.state == "api_rejected":
            # The API refused a new token like the one before, so the token is not the fault: the next call
            # sends the same one again, and an answer that accepts it ends this state.
            raise RefreshUnavailable(_REJECTED, state="api_rejected")
        if row.forced_at is None or abs(now - row.forced_at) >= FORCED_REFRESH_MS:
            return
        raise RefreshUnavailable(
            _REJECTED,
            state="refresh_failing" if row.failures else "api_rejected",
            retry_at=now + FORCED_REFRESH_MS - abs(now - row.forced_at),
        )

    def _from_memory(self, rejected: str | None) -> str:
        unsaved = self._refresher.unsaved
        pair = None if unsaved is None else unsaved.pair
        if pair and pair.access != rejected and lasts(pair.issued_at, pair.expires_at, self._clock()):
            return pair.access
        raise self.under_way(None)

    def under_way(self, retry_at: int | None) -> RefreshUnavailable:
        """Return the error that asks to try again at ``retry_at`` (epoch ms), in 2 s at the earliest."""
        soon = self._clock() + _SOON_MS
        return RefreshUnavailable("A new access token is on its way.", retry_at=max(soon, retry_at or 0))
