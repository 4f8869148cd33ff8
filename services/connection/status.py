"""How the connection stands, in words: what happened, whether sign-ups are safe, what to press."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from services.errors import TooManyAttempts
from services.problems import Problem
from store.connection.oauth_connection import ConnectionRow, OAuthConnections
from store.throttles import Throttles

SAFE = "Sign-ups are safe: they are stored, and delivered as soon as that is possible."
DELIVERED = "Sign-ups are delivered as they come in."
DAY_MS = 86_400_000
HARD_MARGIN_MS = 120_000
# The vendor lets a refresh token die after 180 unused days.
IDLE_WARNING_DAYS, IDLE_CRITICAL_DAYS = 60, 150
CONNECT_WINDOW_MS, CONNECTS_PER_WINDOW = 900_000, 30


@dataclass(frozen=True)
class ConnectionView:
    """One state for a person; `action` is "connect" when pressing Connect is the cure.

    `idle_days` counts since the connection was last used; `warning` is a sentence once that grows long.
    """

    state: str
    sentence: str
    safe: str
    action: str | None
    connected_at: int | None
    account_id: str | None = None
    account_name: str | None = None
    account_user: str | None = None
    idle_days: int | None = None
    warning: str | None = None

    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the connection; strangers are not told which secret does not fit."""
        found = []
        if self.state != "connected":
            public = self.state not in STATES_OF_SECRETS
            found.append(Problem(f"connection_{self.state}", f"{self.sentence} {self.safe}", public=public))
        if self.warning:
            found.append(Problem("connection_idle", self.warning))
        return tuple(found)


class ConnectionControl(Protocol):
    """What a person may do to the connection from a shell; the app wires it to the keeper."""

    def refresh(self) -> tuple[bool, str]:
        """One refresh now; whether there is a new pair, and the outcome as a sentence."""
        ...

    def disconnect(self) -> None:
        """Forget the tokens, keep the queue."""
        ...

    def decryptable(self) -> bool:
        """Whether ENCRYPTION_KEYS open what is stored; true when nothing is."""
        ...


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
    "foreign_installation": (
        "The stored access belongs to another installation: this is a copy of its database, "
        "or PUBLIC_BASE_URL or the API key has changed. Undo that, or connect again.",
        True,
    ),
}
# Of an application without a secret, in the place of "credentials_rejected".
PUBLIC_CLIENT_REJECTED = (
    "Constant Contact does not accept the API key without a secret. Check CONSTANT_CONTACT_CLIENT_ID, and "
    "set CONSTANT_CONTACT_CLIENT_SECRET unless the application uses the PKCE flow."
)
UNUSABLE = frozenset({"undecryptable", "foreign_installation"})
STATES_OF_SECRETS = UNUSABLE | {"credentials_rejected"}
# Their causes differ, and so do the cures.
WITH_CAUSE = frozenset({"refresh_failing", "needs_reauthorization"})


class ConnectionStatus:
    """Reads the stored connection for people and for the delivery."""

    def __init__(
        self, connections: OAuthConnections, *, clock: Callable[[], int], public_client: bool = False
    ) -> None:
        """`connections` is the store's one connection row; `clock` tells epoch milliseconds.

        `public_client` says that no secret of the application is set.
        """
        self._public_client = public_client
        self._connections = connections
        self._clock = clock

    def read(self) -> ConnectionView:
        """The state in words. Raises store.StoreUnavailable."""
        row = self._connections.read()
        sentence, connect = WORDS[row.state]
        if self._public_client and row.state == "credentials_rejected":
            sentence = PUBLIC_CLIENT_REJECTED
        sentence = _with_cause(sentence, row)
        idle_days = self._idle_days(row)
        return ConnectionView(
            state=row.state,
            sentence=sentence,
            safe=DELIVERED if row.state == "connected" else SAFE,
            action="connect" if connect else None,
            connected_at=row.connected_at,
            account_id=row.account_id,
            account_name=row.account_name,
            account_user=row.account_user,
            idle_days=idle_days,
            warning=_idle_warning(idle_days),
        )

    def usable(self) -> bool:
        """Whether sending makes sense now: a token is valid, or getting a new one is due to be tried.

        In a failing state the access token is used until it ends; only invalid_grant rules out a new one.
        """
        row, now = self._connections.read(), self._clock()
        if row.refresh_sealed is None or row.state in UNUSABLE:
            return False
        if (row.access_expires_at or 0) > now:
            return True
        return row.state != "needs_reauthorization" and (row.next_refresh_at or 0) <= now

    def ready(self) -> bool:
        """Whether a call can go out at once, without waiting for a new token.

        Callers wait for one in the last 120 s of its life, or in the last tenth of a shorter life.
        """
        row, now = self._connections.read(), self._clock()
        if row.access_expires_at is None or row.access_issued_at is None or row.state in UNUSABLE:
            return False
        margin = min(HARD_MARGIN_MS, (row.access_expires_at - row.access_issued_at) // 10)
        return row.access_expires_at - now > margin

    def _idle_days(self, row: ConnectionRow) -> int | None:
        if row.refresh_sealed is None or row.refresh_issued_at is None:
            return None
        last_used = max(row.refresh_issued_at, row.refresh_used_at or 0)
        return max(0, (self._clock() - last_used) // DAY_MS)


class ConnectLimit:
    """How often Connect may be pressed, over all processes: each press stores an attempt."""

    def __init__(self, throttles: Throttles, *, clock: Callable[[], int]) -> None:
        """`clock` tells epoch milliseconds."""
        self._throttles = throttles
        self._clock = clock

    def __call__(self) -> None:
        """Count one press. Raises TooManyAttempts after 30 within a quarter of an hour."""
        now = self._clock()
        if self._throttles.hit("connect", window_ms=CONNECT_WINDOW_MS, now=now) > CONNECTS_PER_WINDOW:
            raise TooManyAttempts(retry_after=(CONNECT_WINDOW_MS - now % CONNECT_WINDOW_MS) // 1000 + 1)


def _with_cause(sentence: str, row: ConnectionRow) -> str:
    """The sentence with the stored cause, which holds no secret and no text of the vendor."""
    told = row.state in WITH_CAUSE and row.last_error
    return f"{sentence} The last error: {row.last_error}" if told else sentence


def _idle_warning(days: int | None) -> str | None:
    if days is None or days < IDLE_WARNING_DAYS:
        return None
    urgency = "Soon" if days >= IDLE_CRITICAL_DAYS else "After 180 days"
    return (
        f"The connection has not been used for {days} days. {urgency} Constant Contact ends an unused one; "
        "is this service still running all the time, or `flask drain` called by a scheduler?"
    )
