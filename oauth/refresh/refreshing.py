"""One refresh: sent under the lease, repeated once when the answer is lost, the new pair stored at once."""

import os
import secrets
import time
from collections.abc import Callable

import structlog

from oauth.authorization_server import TOTAL_SECONDS
from oauth.context import OAuthContext
from oauth.errors import (
    Ambiguous,
    CredentialsRejected,
    InvalidClient,
    InvalidGrant,
    NeedsReauthorization,
    RefreshUnavailable,
    Refused,
    TokenCallFailed,
)
from oauth.refresh.rescue_file import RescueFile, Unsaved
from oauth.refresh.schedule import IDLE_END_MS, LEASE_MS, SLOW_RETRY_MS, backoff
from oauth.storage import StoredConnection
from oauth.tokens import TokenPair

LOST = "The answer to a refresh was lost, and Constant Contact no longer accepts the token sent with it."
IDLE = "The connection was not used for 180 days."
# No answer was lost, so this installation has not spent the refresh token.
REFUSED = (
    "Constant Contact no longer accepts the stored token, and no answer to us was lost: another service "
    "probably uses the same application or the same refresh token. Give this one an application of its own."
)
# Sending and storing together stay below the 30 s that a stop waits for, and below the 30 s for which the
# vendor accepts a superseded refresh token (Okta's default).
_SENDING_SECONDS = 19.0
_SHORTEST_REPLAY_SECONDS = 2.0
_REPLAY_PAUSE_SECONDS = 1.0
_RECENT_MS = 30_000
_SAVE_PAUSES = (0.0, 0.25, 0.75, 1.5, 2.5)
# No further try begins after this time: a storage that hangs takes seconds for each one.
_LAST_PAUSE_AFTER_SECONDS = 3.0

log = structlog.get_logger(__name__)


class Refresher:
    """Sends one refresh and stores the new pair. Its callers hold the process lock.

    Args:
        context: What the parts of this package share.
        tell: Records an event: kind and detail.
        rescue: Keeps a token pair that the storage refuses.
        owner: Name in the lease, which must differ between processes; the process id is added.
        lease_ms: How long a lease lasts; below the 30 s for which a superseded token is honoured.
        monotonic: Seconds; the time since the first send is a duration, whatever the clock does.
    """

    def __init__(
        self,
        context: OAuthContext,
        *,
        tell: Callable[[str, str | None], None],
        rescue: RescueFile | None = None,
        owner: str | None = None,
        lease_ms: int = LEASE_MS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage, self._server, self._cipher = context.storage, context.server, context.cipher
        self._clock, self._wait = context.clock, context.wait
        self._tell = tell
        self._rescue = rescue
        self._owner = owner or secrets.token_hex(8)
        self._lease_ms = lease_ms
        self._monotonic = monotonic
        self.unsaved: Unsaved | None = None

    def take_lease(self, row: StoredConnection, *, forced: bool) -> bool:
        """Take the lease; tell whether this process may send. It proves that the storage can be written."""
        now = self._clock()
        return self._storage.take_lease(
            owner=self._lease_owner(),
            generation=row.generation,
            now=now,
            until=now + self._lease_ms,
            forced=forced,
        )

    def release_lease(self) -> None:
        """Give the lease back; nothing was sent."""
        self._storage.release_lease(owner=self._lease_owner())

    def refresh(self, row: StoredConnection, refresh_token: str) -> None:
        """Send ``refresh_token`` of ``row``, as read before the lease was taken, and store the new pair.

        Returns also when another process has a newer pair or is about to get one: the row then has it.

        Raises:
            OAuthError: There is no new pair.
        """
        began = self._monotonic()
        lost = row.outcome_unknown or row.attempt_started_at is not None
        try:
            pair = self._server.refresh(refresh_token, self._clock())
        except Ambiguous as failure:
            self._replay(row, refresh_token, failure, began)
        except TokenCallFailed as failure:
            self._failed(row, failure, lost=lost)
        else:
            self._save(row, pair)

    def _replay(self, row: StoredConnection, refresh_token: str, failure: Ambiguous, began: float) -> None:
        """Retry once: the vendor still accepts the refresh token for 30 s, and no process has a newer one."""
        self._wait(_REPLAY_PAUSE_SECONDS)
        if row.outcome_unknown or not self._still_ours(row):
            self._failed(row, failure, lost=True)
            return
        left = _SENDING_SECONDS - (self._monotonic() - began)
        if left < _SHORTEST_REPLAY_SECONDS:
            self._failed(row, failure, lost=True)
            return
        try:
            pair = self._server.refresh(refresh_token, self._clock(), seconds=min(left, TOTAL_SECONDS))
        except TokenCallFailed as again:
            self._failed(row, again, lost=True)
        else:
            self._save(row, pair)

    def _still_ours(self, row: StoredConnection) -> bool:
        now = self._clock()
        renewed = self._storage.renew_lease(owner=self._lease_owner(), now=now, until=now + self._lease_ms)
        return renewed and self._storage.read().generation == row.generation

    def _failed(self, row: StoredConnection, failure: TokenCallFailed, *, lost: bool) -> None:
        if isinstance(failure, InvalidGrant) and self._taken_over(row):
            return
        state, retry_at, error = self._classify(row, failure, lost=lost)
        noted = self._storage.record_failure(
            generation=row.generation,
            state=state,
            error=error,
            next_refresh_at=retry_at,
            outcome_unknown=lost,
            owner=self._lease_owner(),
        )
        if not noted:
            # Another process stored a newer pair or took the lease meanwhile: its outcome counts.
            return
        log.warning("token_refresh_failed", state=state, reason=type(failure).__name__, retry_at=retry_at)
        if state != row.state:
            self._tell("refresh_failed" if state == "refresh_failing" else state, error)
        if isinstance(failure, InvalidGrant):
            raise NeedsReauthorization(error)
        if isinstance(failure, InvalidClient):
            raise self.credentials_rejected(retry_at)
        raise RefreshUnavailable(error, retry_at=retry_at)

    def credentials_rejected(self, retry_at: int | None) -> CredentialsRejected:
        """Return the error for an application whose id or secret the vendor refuses."""
        return CredentialsRejected(public=self._server.public, retry_at=retry_at)

    def _taken_over(self, row: StoredConnection) -> bool:
        """Tell whether another process has, or is getting, a newer pair: our lease had run out meanwhile."""
        latest = self._storage.read()
        if latest.generation != row.generation:
            return True
        another = latest.lease_owner is not None and latest.lease_owner != self._lease_owner()
        return another and abs(self._clock() - (latest.attempt_started_at or 0)) < _RECENT_MS

    def _classify(
        self, row: StoredConnection, failure: TokenCallFailed, *, lost: bool
    ) -> tuple[str, int | None, str]:
        """Return the new state, when to try again (epoch ms), and why; only invalid_grant is final."""
        now = self._clock()
        if isinstance(failure, InvalidGrant):
            used = max(row.refresh_issued_at or now, row.refresh_used_at or 0)
            idle = now - used > IDLE_END_MS
            return "needs_reauthorization", None, LOST if lost else IDLE if idle else REFUSED
        if isinstance(failure, InvalidClient):
            return "credentials_rejected", now + SLOW_RETRY_MS, str(failure)
        if isinstance(failure, Refused):
            return "refresh_failing", now + SLOW_RETRY_MS, str(failure)
        return "refresh_failing", now + backoff(row.failures), str(failure)

    def _save(self, row: StoredConnection, pair: TokenPair) -> None:
        unsaved = Unsaved(row.generation, row.epoch, pair)
        began = self._monotonic()
        for pause in _SAVE_PAUSES:
            if self._monotonic() - began > _LAST_PAUSE_AFTER_SECONDS:
                break
            if pause:
                self._wait(pause)
            if self._stored(unsaved):
                self._tell("refreshed" if row.failures == 0 else "recovered", None)
                return
        # The old refresh token is spent, so this pair is the only one: keep it in memory and store it before
        # any other refresh. Its access token may be used meanwhile, its refresh token only once it is stored.
        self.unsaved = unsaved
        self._write_rescue(unsaved)

    def save_unsaved(self) -> bool:
        """Store the pair that is kept in memory; return whether none is left there."""
        unsaved = self.unsaved
        if unsaved is None:
            return True
        if not self._stored(unsaved):
            return False
        self.unsaved = None
        self._drop_rescue(unsaved)
        return True

    def import_rescue(self, row: StoredConnection) -> bool:
        """Store the pair of the rescue file where it follows ``row``; any other pair there is out of date.

        Returns:
            True when the row has changed.
        """
        if self._rescue is None or self.unsaved is not None:
            return False
        try:
            found = self._rescue.read()
        except OSError as error:
            log.error("rescue_file_unreadable", error=type(error).__name__)  # noqa: TRY400 - a traceback shows too much
            return False
        if found is None:
            return False
        follows = (found.generation, found.epoch) == (row.generation, row.epoch)
        if follows and not self._stored(found):
            return False
        self._drop_rescue(found)
        if follows:
            self._tell("rescue_imported", None)
        return follows

    def _stored(self, unsaved: Unsaved) -> bool:
        """Tell whether the storage answered; where it has a newer generation, this pair is superseded."""
        pair = unsaved.pair
        try:
            stored = self._storage.store_refreshed(
                generation=unsaved.generation,
                access_sealed=self._cipher.seal(pair.access),
                refresh_sealed=None if pair.refresh is None else self._cipher.seal(pair.refresh),
                access_issued_at=pair.issued_at,
                access_expires_at=pair.expires_at,
                scope=pair.scope,
                now=self._clock(),
            )
        except Exception as error:  # noqa: BLE001 - whatever the storage raises, the pair must survive it
            log.error("token_pair_not_stored", error=type(error).__name__)  # noqa: TRY400 - a traceback shows too much
            return False
        log.info("token_pair_stored" if stored else "token_pair_superseded", generation=unsaved.generation)
        return True

    def _write_rescue(self, unsaved: Unsaved) -> None:
        if self._rescue is None:
            return
        try:
            self._rescue.write(unsaved)
        except OSError as error:
            log.critical("rescue_file_not_written", error=type(error).__name__)
            return
        self._tell("rescue_written", None)

    def _drop_rescue(self, stored: Unsaved) -> None:
        if self._rescue is None:
            return
        try:
            # Another process may have put a later pair there.
            if self._rescue.read() == stored:
                self._rescue.remove()
        except OSError as error:
            log.error("rescue_file_not_removed", error=type(error).__name__)  # noqa: TRY400 - a traceback shows too much

    def _lease_owner(self) -> str:
        # A token source made before a fork exists in every worker, and a lease never excludes its own owner.
        return f"{self._owner}-{os.getpid()}"
