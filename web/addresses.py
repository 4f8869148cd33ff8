"""Which addresses are ours, which are allowed, and which a browser may be sent to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import current_app, request

DEFAULT_PORTS = {"http": 80, "https": 443}


def base_url() -> str:
    """The public address of this service, without a final slash; in development the request's own root."""
    configured: str | None = current_app.config["PUBLIC_BASE_URL"]
    return configured or request.root_url.rstrip("/")


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
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown_port = f":{port}" if port not in (None, DEFAULT_PORTS[parts.scheme]) else ""
    return f"{parts.scheme}://{host}{shown_port}"


def allowed_origins(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The configured origins of other sites, written as browsers write them."""
    origins = (origin_of(origin) for origin in config["ALLOWED_ORIGINS"])
    return tuple(origin for origin in origins if origin)


def may_redirect_to(url: str) -> bool:
    """Whether a form may send its visitor there: to an allowed site or to ours."""
    origin = origin_of(url)
    return origin is not None and origin in {*allowed_origins(current_app.config), origin_of(base_url())}


def page_of(referer: str | None, origin: str | None) -> str | None:
    """The page a form was on, at most 500 characters; query and fragment may hold personal data and go."""
    for url in (referer, origin):
        if url and origin_of(url):
            parts = urlsplit(url)
            return f"{parts.scheme}://{parts.netloc}{parts.path}"[:500]
    return None
