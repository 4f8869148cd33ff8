"""How often the admin's password may be tried, by one address, by its networks, and by all together."""

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
# However many addresses take part, that is 9,600 tries a day: too few to guess a password that the settings
# accept.
MOST_OF_ALL = 100
ALL = "sign-in:all"


@dataclass(frozen=True)
class GuessLimits:
    """Counts password tries over all processes. One-time links and sessions are not counted."""

    throttles: Throttles
    clock: Clock

    def count(self, network_address: str) -> None:
        """Count one try. Called before the password is compared, so that parallel tries are counted too.

        Raises:
            TooManyAttempts: There were more tries than a window of 15 minutes allows.
        """
        now = self.clock()
        limits = [*zip(_keys(network_address), MOST_FROM, strict=False), (ALL, MOST_OF_ALL)]
        # The narrowest first, so that a try refused by its address does not count against its networks.
        for key, most in limits:
            if self.throttles.hit(key, window_ms=WINDOW_MS, now=now) > most:
                log.warning("admin_sign_in_throttled", all_together=key == ALL)
                raise TooManyAttempts(retry_after=(WINDOW_MS - now % WINDOW_MS) // 1000 + 1)

    def forget(self, network_address: str) -> None:
        """Reset the count of an address that the right password came from."""
        self.throttles.clear(_keys(network_address)[0])


def _keys(network_address: str) -> list[str]:
    return [f"sign-in:{place}" for place in place_of(network_address).all]
