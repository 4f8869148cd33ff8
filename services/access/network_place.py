"""The address of a request and the networks around it, by which sign-ups and password guesses are counted.

A visitor has one IPv4 address, but as many IPv6 addresses as fit into a /64, and who rents a server often has
a whole /48. So a request is counted by its address and by the networks around it.
"""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

# Stands for every address that is private, loopback, reserved or none at all: that of a proxy which
# PROXY_HOPS does not count, or of a visitor in the own network. They all share one limit: a sender who has
# many such addresses would otherwise have no limit at all.
NO_PUBLIC_ADDRESS = "no public address"


@dataclass(frozen=True)
class NetworkPlace:
    """An address, its network (a /24, of IPv6 a /64), and as `site` the /48 around an IPv6 address.

    Address and network are `NO_PUBLIC_ADDRESS` for all that is no address on the internet.
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
        """Address and networks, the narrowest first, none twice."""
        return tuple(dict.fromkeys(place for place in (self.address, self.network, self.site) if place))


def parsed(network_address: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a server names, None for what is none.

    An IPv4 address that came by an IPv6 socket is named as ::ffff:192.0.2.1, and returned as IPv4.
    """
    try:
        address = ipaddress.ip_address((network_address or "").strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if address.version == 6 else None
    return mapped or address


def is_this_machine(network_address: str | None) -> bool:
    """Return whether a request came from the machine that the service runs on."""
    address = parsed(network_address)
    return address is not None and address.is_loopback


_NOWHERE = NetworkPlace(NO_PUBLIC_ADDRESS, NO_PUBLIC_ADDRESS)


@lru_cache(maxsize=1024)
def place_of(network_address: str | None) -> NetworkPlace:
    """Return the address that a server names, with the networks around it; never raises."""
    address = parsed(network_address)
    if address is None or not address.is_global or address.is_multicast:
        return _NOWHERE
    # ipaddress.ip_network would take longer than all other rules of the protection together.
    if address.version == 4:
        return NetworkPlace(str(address), f"{str(address).rpartition('.')[0]}.0/24")
    groups = address.exploded
    return NetworkPlace(str(address), f"{groups[:19]}::/64", f"{groups[:14]}::/48")
