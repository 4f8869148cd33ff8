"""How the connection stands, in words: what happened, whether sign-ups are safe, what to press."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from store import Connections

SAFE = "Sign-ups are safe: they are stored, and delivered as soon as that is possible."


@dataclass(frozen=True)
class ConnectionView:
    """One state for a person; `action` is "connect" when pressing Connect is the cure."""

    state: str
    sentence: str
    safe: str
    action: str | None
    connected_at: int | None


# state: (what happened, whether pressing Connect mends it)
WORDS: dict[str, tuple[str, bool]] = {
    "not_configured": ("The API key of your Constant Contact application is not set.", False),
    "disconnected": ("Constant Contact is not connected yet.", True),
    "connected": ("Constant Contact is connected.", False),
    "refresh_failing": (
        "Renewing the access to Constant Contact fails at the moment; it is tried again by itself.",
        False,
    ),
    "needs_reauthorization": ("Constant Contact has ended our access. An admin must connect again.", True),
    "credentials_rejected": (
        "Constant Contact does not accept the API key and secret. "
        "Check CONSTANT_CONTACT_CLIENT_ID and CONSTANT_CONTACT_CLIENT_SECRET.",
        False,
    ),
    "api_rejected": ("Constant Contact refuses a token that it has only just issued.", True),
    "undecryptable": (
        "ENCRYPTION_KEYS cannot open the stored access. Put the earlier key back, or connect again.",
        True,
    ),
    "foreign_installation": ("The stored access belongs to another installation.", True),
}


class ConnectionStatus:
    """Reads the stored connection for people and for the delivery."""

    def __init__(self, connections: Connections, *, clock: Callable[[], int]) -> None:
        """`connections` is the store's one connection row; `clock` tells epoch milliseconds."""
        self._connections = connections
        self._clock = clock

    def read(self) -> ConnectionView:
        """The state in words. Raises store.StoreUnavailable."""
        row = self._connections.read()
        sentence, connect = WORDS[row.state]
        return ConnectionView(
            state=row.state,
            sentence=sentence,
            safe=SAFE if row.state != "connected" else "Sign-ups are delivered as they come in.",
            action="connect" if connect else None,
            connected_at=row.connected_at,
        )

    def usable(self) -> bool:
        """Whether sending makes sense now: a token is valid, or getting a new one is due to be tried.

        In a failing state the access token is used until it ends; only invalid_grant rules out a new one.
        """
        row, now = self._connections.read(), self._clock()
        if row.access_expires_at is None:
            return False
        if row.access_expires_at > now:
            return True
        return row.state != "needs_reauthorization" and (row.next_refresh_at or 0) <= now
