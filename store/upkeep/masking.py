"""Mask network addresses: the network stays recognizable, the household does not."""

import ipaddress

KEPT_BITS = {4: 24, 6: 48}


def masked(address: str | None) -> str | None:
    """Return the /24 of an IPv4 address and the /48 of an IPv6 one; None for what is neither."""
    if address is None or "/" in address:
        return address
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return None
    # An IPv4 address mapped into IPv6, as dual-stack sockets show it: the /48 of all of them is the same.
    known = getattr(known, "ipv4_mapped", None) or known
    return str(ipaddress.ip_network(f"{known}/{KEPT_BITS[known.version]}", strict=False))
