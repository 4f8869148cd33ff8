"""What the `flask connection` commands do to the connection."""

from collections.abc import Callable

from oauth.connecting.connector import Connector
from oauth.context import OAuthContext
from oauth.errors import OAuthError, Undecryptable
from oauth.token_source import TokenSource


class ConnectionControl:
    """Refreshes and disconnects for a person, with every outcome as a sentence.

    Args:
        context: What the parts of this package share.
        source: Refreshes.
        connector: Disconnects.
        on_refreshed: Called after a refresh that succeeded.
    """

    def __init__(
        self,
        context: OAuthContext,
        source: TokenSource,
        connector: Connector,
        *,
        on_refreshed: Callable[[], None],
    ) -> None:
        self._storage, self._cipher = context.storage, context.cipher
        self._source = source
        self._connector = connector
        self._on_refreshed = on_refreshed

    def refresh(self) -> tuple[bool, str]:
        """Refresh now; return whether there is a new pair, and the outcome as a sentence."""
        try:
            self._source.refresh_now()
        except OAuthError as failure:
            return False, str(failure)
        self._on_refreshed()
        return True, "The connection is refreshed."

    def disconnect(self) -> None:
        """Erase the tokens; sign-ups that wait stay."""
        self._connector.disconnect(actor="command line")

    def decryptable(self) -> bool:
        """Tell whether ENCRYPTION_KEYS open the stored tokens; true when none are stored."""
        row = self._storage.read()
        try:
            for sealed in (row.access_sealed, row.refresh_sealed):
                if sealed is not None:
                    self._cipher.unseal(sealed)
        except Undecryptable:
            return False
        return True
