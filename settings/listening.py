"""BIND, where the server listens, in gunicorn's notation: a host, host:port, unix:path or fd://number."""

import ipaddress
import re

PLACE = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]*)(?::(\d{1,5}))?")
HIGHEST_PORT = 65_535


def checked(bind: str) -> str:
    """Return the place as gunicorn takes it, with an IPv6 address in brackets.

    Raises:
        ValueError: `bind` is in none of the four notations.
    """
    if bind.startswith(("unix:", "fd://")):
        return bind
    if bind.count(":") > 1 and not bind.startswith("["):
        bind = f"[{bind}]"
    place = PLACE.fullmatch(bind)
    if place is None or not 0 < int(place[2] or 1) <= HIGHEST_PORT:
        raise ValueError("not a place to listen, such as 127.0.0.1, 0.0.0.0:8000 or unix:/run/signup.sock")
    if place[1].startswith("["):
        ipaddress.IPv6Address(place[1][1:-1])
    return bind


def with_port(bind: str, port: int) -> str:
    """Return the place with `port`, unless it names a port or is no TCP address."""
    place = PLACE.fullmatch(bind)
    return f"{bind}:{port}" if place and place[2] is None else bind


def port_of(bind: str) -> int | None:
    """Return the port that the place names, None without one."""
    place = PLACE.fullmatch(bind)
    return int(place[2]) if place and place[2] else None
