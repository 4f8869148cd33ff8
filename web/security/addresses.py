"""Which addresses are ours, which are allowed, and which a browser may be sent to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from flask import current_app, request
from werkzeug.exceptions import HTTPException

from services.submission.web_origins import bare_page, origin_of
from web.current import services


class AddressUnknown(HTTPException):
    """The page would name our address, which in production only PUBLIC_BASE_URL may say."""

    code = HTTPStatus.SERVICE_UNAVAILABLE
    description = "This service does not know its own address."


def known_base_url() -> str | None:
    """The public address of this service, without a final slash; in development the request's own root.

    None in production without PUBLIC_BASE_URL: whoever sends a request chooses its Host header, so nothing
    that others are shown, that is kept or that decides where to go may be made from it.
    """
    configured: str | None = current_app.config["PUBLIC_BASE_URL"]
    if configured or current_app.config["PRODUCTION"]:
        return configured
    return request.root_url.rstrip("/")


def base_url() -> str:
    """The same for what cannot do without. Raises AddressUnknown."""
    known = known_base_url()
    if known is None:
        raise AddressUnknown
    return known


def base_url_elsewhere() -> str | None:
    """Our public address where this request was sent to another one, by scheme, host or port; else None.

    A proxy that does not pass on the host or the scheme makes every request look so.
    """
    known = known_base_url()
    return known if known is not None and origin_of(known) != origin_of(request.root_url) else None


def allowed_origins(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The configured origins of other sites, written as browsers write them."""
    return _as_browsers_write(config["ALLOWED_ORIGINS"])


@cache
def _as_browsers_write(origins: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(origin for origin in map(origin_of, origins) if origin)


def may_call(origin: str) -> bool:
    """Whether scripts of that origin may post: the settings allow it, or a form does."""
    return origin in allowed_origins(current_app.config) or origin in services().forms.origins()


def may_redirect_to(url: str, also: Iterable[str] = ()) -> bool:
    """Whether a form may send its visitor there: to an allowed site, to one of `also`, or to ours."""
    origin = origin_of(url)
    allowed = {*allowed_origins(current_app.config), *also, origin_of(known_base_url() or "")}
    return origin is not None and origin in allowed


def page_of(referer: str | None, origin: str | None) -> str | None:
    """The page a form was on, as far as the browser tells."""
    return bare_page(referer) or bare_page(origin)
