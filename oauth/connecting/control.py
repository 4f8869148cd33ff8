"""What a person may do to the connection from a shell."""

from collections.abc import Callable

from oauth.connecting.connector import Connector
from oauth.encryption import TokenCipher
from oauth.errors import OAuthError, Undecryptable
from oauth.storage import ConnectionStorage
from oauth.token_source import TokenSource


class ConnectionControl:
    """Refresh, disconnect and look, with every outcome in plain words.

    Args:
        keeper: Refreshes.
        connector: Disconnects.
        vault: Where the row is.
        sealer: Opens what the row holds.
        on_refreshed: Called after a refresh that succeeded.
    """

    def __init__(
        self,
        keeper: TokenSource,
        connector: Connector,
        vault: ConnectionStorage,
        sealer: TokenCipher,
        *,
        on_refreshed: Callable[[], None],
    ) -> None:
        self._keeper = keeper
        self._connector = connector
        self._vault = vault
        self._sealer = sealer
        self._on_refreshed = on_refreshed

    def refresh(self) -> tuple[bool, str]:
        """One refresh now; whether there is a new pair, and the outcome as a sentence."""
        try:
            self._keeper.refresh_now()
        except OAuthError as failure:
            return False, str(failure)
        self._on_refreshed()
        return True, "The connection is refreshed."

    def disconnect(self) -> None:
        """Forget the tokens, keep the queue."""
        self._connector.disconnect(actor="command line")

    def decryptable(self) -> bool:
        """Whether the keys open what is stored; true when nothing is."""
        row = self._vault.read()
        try:
            for sealed in (row.access_sealed, row.refresh_sealed):
                if sealed is not None:
                    self._sealer.unseal(sealed)
        except Undecryptable:
            return False
        return True
