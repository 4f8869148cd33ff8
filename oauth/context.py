"""What the parts of this package share: storage, token endpoint, cipher, clock, audit."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from oauth.authorization_server import AuthorizationServer
from oauth.encryption import TokenCipher
from oauth.storage import ConnectionStorage

# Tells epoch milliseconds.
Clock = Callable[[], int]


class Audit(Protocol):
    """Writes down what happens to the connection: kind, detail without any secret, and who acted."""

    def __call__(self, kind: str, detail: str | None, actor: str | None = None, /) -> None:
        """Record one event. An audit that fails must not raise."""
        ...


def no_audit(kind: str, detail: str | None, actor: str | None = None) -> None:
    """Write nothing down."""


@dataclass(frozen=True)
class OAuthContext:
    """What the parts of this package share; whoever wires them makes one.

    Args:
        storage: Where the connection row lives.
        server: Exchanges codes and refreshes tokens.
        cipher: Seals and opens tokens.
        clock: Tells epoch milliseconds.
        fingerprint: Names this installation; a row of another one is left alone. Empty: not compared.
        audit: Records each outcome.
        wait: Waits the given seconds.
    """

    storage: ConnectionStorage
    server: AuthorizationServer
    cipher: TokenCipher
    clock: Clock
    fingerprint: str = ""
    audit: Audit = no_audit
    wait: Callable[[float], object] = field(default_factory=lambda: threading.Event().wait)
