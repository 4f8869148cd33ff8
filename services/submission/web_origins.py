"""Origins of web addresses, as browsers compare them."""

import re
from urllib.parse import urlsplit

from services.plain_text import shortened
from services.submission.values.host_names import UnusableName, as_typed, in_ascii

LONGEST_PAGE_BYTES = 500
# A host as browsers send it, names of other scripts as xn--…; a semicolon would end a policy's directive.
HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
# Allowed in host names of scripts such as Persian.
_JOINERS = dict.fromkeys((0x200C, 0x200D))
DEFAULT_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> str | None:
    """Return scheme, host and port of an http(s) address as browsers compare them (RFC 6454 §4), else None.

    A host name of another script is written as browsers send it, xn--…. None also for what browsers and
    urlsplit read differently: backslashes, spaces, control characters, and user names before the host.
    """
    if "\\" in url or not url.translate(_JOINERS).isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
        name = in_ascii(parts.hostname or "")
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or "@" in parts.netloc:
        return None
    if not HOST.fullmatch(name):
        return None
    host = f"[{name}]" if ":" in name else name
    shown_port = f":{port}" if port not in (None, DEFAULT_PORTS[parts.scheme]) else ""
    return f"{parts.scheme}://{host}{shown_port}"


def unusable_name(url: str) -> str | None:
    """Return the host name of an http(s) address if browsers could not look it up, else None."""
    try:
        name = urlsplit(url).hostname or ""
    except ValueError:
        return None
    try:
        in_ascii(name)
    except UnusableName:
        return name
    return None


def shown(origin: str) -> str:
    """Return an origin as people write it, in their script; what is no origin stays as it is."""
    if "xn--" not in origin or origin_of(origin) != origin:
        return origin
    scheme, _, place = origin.partition("://")
    name, colon, port = place.partition(":")
    return f"{scheme}://{as_typed(name)}{colon}{port}"


def to_send(url: str) -> str:
    """Return the address with its origin in ASCII, since a header takes no other scripts.

    What has no origin stays as it is.
    """
    origin = origin_of(url)
    if origin is None or url.isascii():
        return url
    parts = urlsplit(url)
    return f"{origin}{url[len(parts.scheme) + len('://') + len(parts.netloc) :]}"


def bare_page(url: object) -> str | None:
    """Return the address in at most 500 bytes, without query and fragment, which may hold personal data."""
    if not isinstance(url, str) or not origin_of(url):
        return None
    parts = urlsplit(url)
    return shortened(f"{parts.scheme}://{parts.netloc}{parts.path}", LONGEST_PAGE_BYTES)
