"""How the connection stands, in words for people, and whether a delivery may be sent by it."""

from collections.abc import Callable
from dataclasses import dataclass

from services.connection.states import STATES_OF_SECRETS, UNUSABLE, WORDS, sentence_of
from services.connection.token_ages import TokenAges
from services.problems import Level, Problem
from store.connection.oauth_connection import ConnectionRow, OAuthConnections
from store.engine.clock import Clock

SAFE = "Sign-ups are safe: they are stored, and delivered as soon as that is possible."
DELIVERED = "Sign-ups are delivered as they come in."
# The vendor lets a refresh token die after 180 unused days.
IDLE_WARNING_DAYS, IDLE_CRITICAL_DAYS = 60, 150


@dataclass(frozen=True)
class ConnectionView:
    """The connection for a person; `action` is "connect" when pressing Connect is the cure.

    `usable` says whether sending makes sense now.
    """

    state: str
    sentence: str
    safe: str
    action: str | None
    connected_at: int | None
    account_id: str | None
    account_name: str | None
    account_user: str | None
    tokens: TokenAges
    usable: bool

    @property
    def level(self) -> Level:
        """How bad the state is; a failure that passes is a warning as long as the access token lasts."""
        if self.state == "connected":
            return Level.OK
        lasts = self.state == "refresh_failing" and (self.tokens.access_ends_in or 0) > 0
        return Level.WARNING if lasts else Level.PROBLEM

    @property
    def idle_days(self) -> int | None:
        """Whole days since the connection was last used."""
        return self.tokens.idle_days

    @property
    def warning(self) -> str | None:
        """A sentence once the connection has been idle for long."""
        days = self.idle_days
        if days is None or days < IDLE_WARNING_DAYS:
            return None
        urgency = "Soon" if days >= IDLE_CRITICAL_DAYS else "After 180 days"
        return (
            f"The connection has not been used for {days} days. {urgency} Constant Contact ends an unused"
            " one; is this service still running all the time, or `flask drain` called by a scheduler?"
        )

    def problem(self, sentence: str, cure: str | None = None) -> Problem:
        """Return the state as a problem in these words; strangers are not told which secret does not fit."""
        public = self.state not in STATES_OF_SECRETS
        return Problem(f"connection_{self.state}", self.level, sentence, cure, public=public)

    def idle_problems(self) -> tuple[Problem, ...]:
        """Return how near the vendor is to ending an unused connection, once that is near."""
        if self.warning is None:
            return ()
        critical = (self.idle_days or 0) >= IDLE_CRITICAL_DAYS
        return (Problem("connection_idle", Level.PROBLEM if critical else Level.WARNING, self.warning),)

    def problems(self) -> tuple[Problem, ...]:
        """Return what is wrong with the connection, and that sign-ups are safe meanwhile."""
        state = () if self.state == "connected" else (self.problem(f"{self.sentence} {self.safe}"),)
        return state + self.idle_problems()


@dataclass(frozen=True)
class ConnectionStatus:
    """Reads the stored connection.

    `lasts` says whether callers use a token at once or wait for a new one, by when it was issued, when it
    ends and the time now (epoch ms each). `public_client`: the application has no secret.
    """

    connections: OAuthConnections
    lasts: Callable[[int | None, int, int], bool]
    clock: Clock
    public_client: bool = False

    def read(self) -> ConnectionView:
        """Return how the connection stands. Raises store.errors.StoreError."""
        row, now = self.connections.read(), self.clock()
        return ConnectionView(
            state=row.state,
            sentence=sentence_of(row, public_client=self.public_client),
            safe=DELIVERED if row.state == "connected" else SAFE,
            action="connect" if WORDS[row.state][1] else None,
            connected_at=row.connected_at,
            account_id=row.account_id,
            account_name=row.account_name,
            account_user=row.account_user,
            tokens=TokenAges.of(row, now),
            usable=_usable(row, now),
        )

    def usable(self) -> bool:
        """Return whether sending makes sense now: a token is valid, or a refresh is due to be tried."""
        return _usable(self.connections.read(), self.clock())

    def ready(self) -> bool:
        """Return whether a call can go out at once, without waiting for a new token."""
        row, now = self.connections.read(), self.clock()
        if row.access_expires_at is None or row.access_issued_at is None or row.state in UNUSABLE:
            return False
        return self.lasts(row.access_issued_at, row.access_expires_at, now)


def _usable(row: ConnectionRow, now: int) -> bool:
    # In a failing state the access token is used until it ends; only invalid_grant rules out a new one.
    if row.refresh_sealed is None or row.state in UNUSABLE:
        return False
    if (row.access_expires_at or 0) > now:
        return True
    return row.state != "needs_reauthorization" and (row.next_refresh_at or 0) <= now
