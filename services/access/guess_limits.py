"""How often the admin's password may be tried: by an address, its networks, and by all together."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from services.access.network_place import place_of
from services.errors import TooManyAttempts
from store.engine.clock import Clock
from store.throttles import Throttles

log = structlog.get_logger(__name__)

WINDOW_MS = 15 * 60_000
# The address, its network (a /24, of IPv6 a /64), and of IPv6 the /48.
MOST_FROM = (10, 30, 60)
# However many addresses take part: 9,600 a day, of which a password that was accepted at the start sees few.
MOST_OF_ALL = 100
ALL = "sign-in:all"


@dataclass(frozen=True)
class GuessLimits:
    """Counts tries over all processes. One-time links and sessions are not tries and pass by this."""

    throttles: Throttles
    clock: Clock

    def count(self, network_address: str) -> None:
        """Count one try, before the password is compared: parallel tries are then counted as well.

        Raises:
            TooManyAttempts: more than the window of a quarter of an hour allows.
        """
        now = self.clock()
        limits = [*zip(_keys(network_address), MOST_FROM, strict=False), (ALL, MOST_OF_ALL)]
        # The narrowest first: what one address is refused does not count for others.
        for key, most in limits:
            if self.throttles.hit(key, window_ms=WINDOW_MS, now=now) > most:
                log.warning("admin_sign_in_throttled", all_together=key == ALL)
                raise TooManyAttempts(retry_after=(WINDOW_MS - now % WINDOW_MS) // 1000 + 1)

    def forget(self, network_address: str) -> None:
        """The right password came from there: its address begins anew."""
        self.throttles.clear(_keys(network_address)[0])


def _keys(network_address: str) -> list[str]:
    return [f"sign-in:{place}" for place in place_of(network_address).all]
