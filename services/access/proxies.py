"""Whether a forwarded address of a visitor is believed, and what requests show about the proxies in front.

A proxy writes the address that called it at the end of X-Forwarded-For; PROXY_HOPS says how many proxies do.
With a wrong number all visitors seem to have one address, or each can make up his own. Both can be seen in
the requests.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from services.access.network_place import parsed, place_of
from services.problems import Level, Problem

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# This machine, and the networks of RFC 1918, 3927, 4193, 4291 and 6598.
INTERNAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "100.64.0.0/10",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
FORWARDED_HEADERS = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
    "HTTP_FORWARDED",
)

# What a request can show. All but IN_ORDER are codes of problems.
IN_ORDER = "in_order"
UNCOUNTED = "proxy_not_counted"
TOO_MANY_HOPS = "proxy_hops_too_many"
PRIVATE_VISITOR = "visitors_without_address"
PAST_THE_PROXY = "port_reached_past_proxy"
SENTENCES = {
    UNCOUNTED: "A proxy in front ({detail}) forwards requests, but PROXY_HOPS is {hops}: all visitors seem to"
    " be one, and share one visitor's limits. Set PROXY_HOPS to the number of proxies, usually 1.",
    TOO_MANY_HOPS: "PROXY_HOPS is {hops}, but requests came by fewer proxies ({detail}): visitors can choose"
    " the address that they are counted by. Set PROXY_HOPS={detail}.",
    PRIVATE_VISITOR: "Every visitor so far came from an address that is not public ({detail}): all share one"
    " visitor's limits. More proxies stand in front than PROXY_HOPS={hops} counts, or one does not add to"
    " X-Forwarded-For. Correct the number or the proxy.",
    PAST_THE_PROXY: "The port was reached past the proxy, from {detail}; what was forwarded from there is not"
    " believed. Set BIND=127.0.0.1 or close the port to others. If that is a proxy of yours, name it in"
    " PROXY_ADDRESSES.",
}


@lru_cache(maxsize=1024)
def is_internal(address: str) -> bool:
    """Return whether an address is this machine's or a private network's; true for what is no address."""
    known = parsed(address)
    return known is None or _is_in(known, INTERNAL)


class ProxyRules:
    """How many proxies stand in front, where they call from, and the host name that visitors ask for."""

    def __init__(self, *, hops: int, addresses: Iterable[str], public_host: str | None) -> None:
        """`addresses` are networks that proxies call from, besides the internal ones.

        `public_host` is the host name of PUBLIC_BASE_URL, None where there is none.
        """
        self.hops = hops
        self._networks = tuple(ipaddress.ip_network(network) for network in addresses)
        internal = public_host == "localhost" or (parsed(public_host) and is_internal(public_host or ""))
        self._public_host = None if internal else public_host

    def believes(self, peer: str) -> bool:
        """Return whether the headers of `peer`, who opened the connection, are believed.

        `peer` is empty for a Unix socket.
        """
        return self.hops > 0 and self._may_be_proxy(peer)

    def look(self, environ: Mapping[str, object]) -> "ProxyObservation | None":
        """Return what a request shows about the proxies, None where it shows nothing.

        It is asked before anything forwarded is believed. A health probe from within shows nothing. Cheap
        enough to be called for every request.
        """
        peer = str(environ.get("REMOTE_ADDR", ""))
        if not self._may_be_proxy(peer):
            # Where no proxy is expected, a visitor speaks to the service itself.
            past = ProxyObservation(PAST_THE_PROXY, place_of(peer).network)
            return past if self.hops else ProxyObservation(IN_ORDER)
        if not self.hops and any(environ.get(header) for header in FORWARDED_HEADERS):
            return ProxyObservation(UNCOUNTED, peer or "on this machine")
        header = str(environ.get("HTTP_X_FORWARDED_FOR") or "")
        written = [part.strip() for part in header.split(",") if part.strip()]
        if 0 < len(written) < self.hops:
            return ProxyObservation(TOO_MANY_HOPS, str(len(written)))
        visitor = written[-self.hops] if self.hops and written else peer
        if not is_internal(visitor):
            return ProxyObservation(IN_ORDER)
        return ProxyObservation(PRIVATE_VISITOR, visitor) if self._asks_for_public_host(environ) else None

    def _may_be_proxy(self, peer: str) -> bool:
        return is_internal(peer) or _is_in(ipaddress.ip_address(peer), self._networks)

    def _asks_for_public_host(self, environ: Mapping[str, object]) -> bool:
        """Return whether the request names the public host, as those of a probe from within do not."""
        asked = (environ.get("HTTP_HOST"), environ.get("HTTP_X_FORWARDED_HOST"))
        return self._public_host in {str(host or "").partition(":")[0].lower() for host in asked}

    def problem(self, kind: str, detail: str) -> Problem:
        """Return what was seen, with its cure; not public, since it tells of a weakness."""
        sentence = SENTENCES[kind].format(hops=self.hops, detail=detail)
        return Problem(kind, Level.WARNING, sentence, public=False)


@dataclass(frozen=True)
class ProxyObservation:
    """What one request showed, and by which address or number."""

    kind: str
    detail: str = ""


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
