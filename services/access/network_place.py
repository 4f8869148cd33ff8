"""Where a request comes from, by what one sender can hardly change: for counting sign-ups and guesses.

A visitor has one IPv4 address, but as many IPv6 addresses as fit into a /64, and who rents a server often a
whole /48. So each is counted by its address and by the networks around it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

# Private, loopback, reserved or no address at all: that of a proxy which PROXY_HOPS does not count, or of a
# visitor in the own network. All of these count as one place: each for itself, such a sender has no limit.
NO_PUBLIC_ADDRESS = "no public address"


@dataclass(frozen=True)
class NetworkPlace:
    """The address, its network (a /24, of IPv6 a /64), and of IPv6 the /48 around it.

    What is no public address has `NO_PUBLIC_ADDRESS` for the first two.
    """

    address: str
    network: str
    site: str | None = None

    @property
    def public(self) -> bool:
        """Whether it is an address on the internet."""
        return self.address != NO_PUBLIC_ADDRESS

    @property
    def all(self) -> tuple[str, ...]:
        """Each place once, the narrowest first."""
        return tuple(dict.fromkeys(place for place in (self.address, self.network, self.site) if place))


def is_this_machine(network_address: str | None) -> bool:
    """Whether a request came from the machine that the service runs on."""
    try:
        address = ipaddress.ip_address((network_address or "").strip())
    except ValueError:
        return False
    mapped = address.ipv4_mapped if address.version == 6 else None
    return (mapped or address).is_loopback


_NOWHERE = NetworkPlace(NO_PUBLIC_ADDRESS, NO_PUBLIC_ADDRESS)


@lru_cache(maxsize=1024)
def place_of(network_address: str | None) -> NetworkPlace:
    """The place of an address as a server gives it; never raises."""
    try:
        address = ipaddress.ip_address((network_address or "").strip())
    except ValueError:
        return _NOWHERE
    if address.version == 6 and address.ipv4_mapped:
        # As a server says it that takes IPv4 by an IPv6 socket.
        address = address.ipv4_mapped
    if not address.is_global or address.is_multicast:
        return _NOWHERE
    # Not by ip_network, which takes longer than all other rules of the protection.
    if address.version == 4:
        return NetworkPlace(str(address), f"{str(address).rpartition('.')[0]}.0/24")
    groups = address.exploded
    return NetworkPlace(str(address), f"{groups[:19]}::/64", f"{groups[:14]}::/48")
