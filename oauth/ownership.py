"""Whether the stored connection belongs to this installation and its keys open it; the states that say no."""

import structlog

from oauth.context import OAuthContext
from oauth.errors import ForeignInstallation, Undecryptable
from oauth.storage import StoredConnection

_UNUSABLE = ("undecryptable", "foreign_installation")
# Only a person ends these states; a wrong setting must not replace what they say.
_KEPT_STATES = ("disconnected", "not_configured", "needs_reauthorization")

log = structlog.get_logger(__name__)


class Ownership:
    """Opens the tokens of this installation only. A state that it notes changes no token, pause or lease."""

    def __init__(self, context: OAuthContext) -> None:
        self._storage, self._cipher = context.storage, context.cipher
        self._fingerprint = context.fingerprint
        self._audit = context.audit

    def admit(self, row: StoredConnection) -> None:
        """Clear undecryptable and foreign_installation once the row can be used again.

        Raises:
            ForeignInstallation: Another installation stored the row; the state is noted.
            Undecryptable: No key opens the tokens; the state is noted.
        """
        self.check_installation(row)
        for sealed in (row.access_sealed, row.refresh_sealed):
            if sealed is not None:
                self.unseal(row, sealed)
        self.recover(row, _UNUSABLE)

    def check_installation(self, row: StoredConnection) -> None:
        """Raise ForeignInstallation, and note that state, when another installation stored the row."""
        if self._fingerprint and row.fingerprint and row.fingerprint != self._fingerprint:
            foreign = ForeignInstallation()
            self.note(row, "foreign_installation", str(foreign))
            raise foreign

    def unseal(self, row: StoredConnection, sealed: str) -> str:
        """Return the text that was sealed; where no key opens it, raise Undecryptable and note that state."""
        try:
            return self._cipher.unseal(sealed)
        except Undecryptable as failure:
            self.note(row, "undecryptable", str(failure))
            raise

    def reseal(self, row: StoredConnection) -> None:
        """Seal with the newest key what an older key sealed, so that the older key can be removed."""
        sealed = (row.access_sealed, row.refresh_sealed)
        if not any(each is not None and self._cipher.is_stale(each) for each in sealed):
            return
        access, refresh = (None if each is None else self._cipher.reseal(each) for each in sealed)
        self._storage.reseal(generation=row.generation, access_sealed=access, refresh_sealed=refresh)

    def note(self, row: StoredConnection, state: str, error: str) -> None:
        """Note ``state``, unless the row has it already or a state that only a person ends."""
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
        """Where the row is in one of ``states``, note connected, or refresh_failing after failures."""
        if row.state not in states:
            return
        state = "refresh_failing" if row.failures else "connected"
        if self._storage.note_state(generation=row.generation, state=state, error=None):
            self.tell("recovered", None)

    def tell(self, kind: str, detail: str | None) -> None:
        """Record an event in the audit; a failure to do so is only logged."""
        try:
            self._audit(kind, detail)
        except Exception as error:  # noqa: BLE001 - an audit that fails must not cost a token
            log.error("event_not_recorded", kind=kind, error=type(error).__name__)  # noqa: TRY400 - a traceback shows too much
