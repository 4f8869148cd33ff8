"""Origins of web addresses, as browsers compare them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from services.plain_text import shortened

LONGEST_PAGE_BYTES = 500
# A host as browsers send it, names of other scripts as xn--…; a semicolon would end a policy's directive.
HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
DEFAULT_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> str | None:
    """Scheme, host and port of an http(s) address as browsers compare them (RFC 6454 §4), else None.

    None as well for what browsers and urlsplit read differently: backslashes, spaces, control characters, and
    user names before the host.
    """
    if "\\" in url or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or "@" in parts.netloc:
        return None
    if not parts.hostname or not HOST.fullmatch(parts.hostname):
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown_port = f":{port}" if port not in (None, DEFAULT_PORTS[parts.scheme]) else ""
    return f"{parts.scheme}://{host}{shown_port}"


def bare_page(url: object) -> str | None:
    """The page at that address, at most 500 bytes: query and fragment may hold personal data and go."""
    if not isinstance(url, str) or not origin_of(url):
        return None
    parts = urlsplit(url)
    return shortened(f"{parts.scheme}://{parts.netloc}{parts.path}", LONGEST_PAGE_BYTES)
