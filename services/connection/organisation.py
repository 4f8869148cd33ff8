"""The organisation whose account is connected, by name, for the pages of visitors and admins."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from store.connection.oauth_connection import OAuthConnections
from store.errors import StoreError

KEEP_SECONDS = 5.0


@dataclass
class Organisation:
    """Knows the name as it was told when Constant Contact was connected; asks nobody outside.

    A form's page shows the name to each visitor, so it is kept for five seconds. `monotonic` tells seconds.
    """

    connections: OAuthConnections
    monotonic: Callable[[], float] = time.monotonic
    _name: str | None = field(default=None, init=False)
    _read_at: float | None = field(default=None, init=False)

    def name(self) -> str | None:
        """Return the name, None while no account is connected or it has none.

        Never fails: while the store is away, the name last read stands.
        """
        now = self.monotonic()
        if self._read_at is None or now - self._read_at >= KEEP_SECONDS:
            self._read_at = now
            try:
                row = self.connections.read()
            except StoreError:
                return self._name
            # An account without a name has its id in this place, which tells a visitor nothing.
            self._name = row.account_name if row.account_name != row.account_id else None
        return self._name
