"""Whether the stored row is ours to use, and the states that say that it is not."""

import structlog

from oauth.context import OAuthContext
from oauth.errors import ForeignInstallation, Undecryptable
from oauth.storage import StoredConnection

_UNUSABLE = ("undecryptable", "foreign_installation")
# Only a person mends these, and what they say is worth more than what a wrong setting says.
_KEPT_STATES = ("disconnected", "not_configured", "needs_reauthorization")

log = structlog.get_logger(__name__)


class Ownership:
    """Opens tokens for their own installation only; what it notes leaves tokens, pauses and lease alone."""

    def __init__(self, context: OAuthContext) -> None:
        self._storage, self._cipher = context.storage, context.cipher
        self._fingerprint = context.fingerprint
        self._audit = context.audit

    def admit(self, row: StoredConnection) -> None:
        """Leaves undecryptable and foreign_installation once the settings fit.

        Raises:
            ForeignInstallation: The row was made elsewhere; noted.
            Undecryptable: No key opens it; noted.
        """
        self.check_installation(row)
        for sealed in (row.access_sealed, row.refresh_sealed):
            if sealed is not None:
                self.unseal(row, sealed)
        self.recover(row, _UNUSABLE)

    def check_installation(self, row: StoredConnection) -> None:
        """Raises ForeignInstallation, and notes it, when the row was made for another installation."""
        if self._fingerprint and row.fingerprint and row.fingerprint != self._fingerprint:
            foreign = ForeignInstallation()
            self.note(row, "foreign_installation", str(foreign))
            raise foreign

    def unseal(self, row: StoredConnection, sealed: str) -> str:
        """What was sealed; raises Undecryptable, and notes it."""
        try:
            return self._cipher.unseal(sealed)
        except Undecryptable as failure:
            self.note(row, "undecryptable", str(failure))
            raise

    def reseal(self, row: StoredConnection) -> None:
        """Seals with the newest key what an older one sealed, so that the older one may be removed."""
        sealed = (row.access_sealed, row.refresh_sealed)
        if not any(each is not None and self._cipher.is_stale(each) for each in sealed):
            return
        access, refresh = (None if each is None else self._cipher.reseal(each) for each in sealed)
        self._storage.reseal(generation=row.generation, access_sealed=access, refresh_sealed=refresh)

    def note(self, row: StoredConnection, state: str, error: str) -> None:
        """Enters ``state``, unless the row says so already or says something graver."""
        if row.state in (state, *_KEPT_STATES):
            return
        try:
            noted = self._storage.note_state(generation=row.generation, state=state, error=error)
        except Exception as failure:  # noqa: BLE001 - the cause itself is what the caller must hear
            log.error("state_not_noted", state=state, error=type(failure).__name__)  # noqa: TRY400 - a traceback shows too much
            return
        if noted:
            log.warning("connection_state_changed", state=state)
            self.tell(state, error)

    def recover(self, row: StoredConnection, states: tuple[str, ...]) -> None:
        """Leaves one of ``states`` for what the row's failures say."""
        if row.state not in states:
            return
        state = "refresh_failing" if row.failures else "connected"
        if self._storage.note_state(generation=row.generation, state=state, error=None):
            self.tell("recovered", None)

    def tell(self, kind: str, detail: str | None) -> None:
        """Reports an event; its listener's failure is only logged."""
        try:
            self._audit(kind, detail)
        except Exception as error:  # noqa: BLE001 - an audit that fails must not cost a token
            log.error("event_not_recorded", kind=kind, error=type(error).__name__)  # noqa: TRY400 - a traceback shows too much
