"""What a person may do to the connection, and how often."""

from dataclasses import dataclass
from typing import Protocol

from services.errors import TooManyAttempts
from store.engine.clock import Clock
from store.throttles import Throttles

WINDOW_MS, CONNECTS_PER_WINDOW = 900_000, 30


class ConnectionControl(Protocol):
    """What a person may do to the connection from a shell; wiring gives the one of `oauth`."""

    def refresh(self) -> tuple[bool, str]:
        """Refresh once now; return whether there is a new pair of tokens, and the outcome as a sentence."""
        ...

    def disconnect(self) -> None:
        """Forget the tokens, keep the queue."""
        ...

    def decryptable(self) -> bool:
        """Return whether ENCRYPTION_KEYS open what is stored; true when nothing is."""
        ...


@dataclass(frozen=True)
class ConnectLimit:
    """How often Connect may be pressed, over all processes: each press stores an authorization request."""

    throttles: Throttles
    clock: Clock

    def __call__(self) -> None:
        """Count one press. Raises TooManyAttempts after 30 within a quarter of an hour."""
        now = self.clock()
        if self.throttles.hit("connect", window_ms=WINDOW_MS, now=now) > CONNECTS_PER_WINDOW:
            raise TooManyAttempts(retry_after=(WINDOW_MS - now % WINDOW_MS) // 1000 + 1)
