"""The service's own public address, the allowed origins, and where a browser may be redirected to."""

from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from flask import current_app, request
from werkzeug.exceptions import HTTPException

from services.submission.web_origins import bare_page, origin_of
from web.current import services


class AddressUnknown(HTTPException):
    """The answer needs the service's own address, and PUBLIC_BASE_URL is not set (production only)."""

    code = HTTPStatus.SERVICE_UNAVAILABLE
    description = "This service does not know its own address."


def known_base_url() -> str | None:
    """Return the public address of this service without a final slash; in development the request's root.

    None in production without PUBLIC_BASE_URL: the sender of a request chooses its Host header, so nothing
    that is shown to others, stored or used for a redirect may be made from it.
    """
    configured: str | None = current_app.config["PUBLIC_BASE_URL"]
    if configured or current_app.config["PRODUCTION"]:
        return configured
    return request.root_url.rstrip("/")


def base_url() -> str:
    """Return the public address of this service. Raises AddressUnknown where `known_base_url` is None."""
    url = known_base_url()
    if url is None:
        raise AddressUnknown
    return url


def base_url_elsewhere() -> str | None:
    """Return the public address if this request came to another scheme, host or port; else None.

    Behind a proxy that does not pass on the host or the scheme every request seems to.
    """
    url = known_base_url()
    return url if url is not None and origin_of(url) != origin_of(request.root_url) else None


def allowed_origins(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return ALLOWED_ORIGINS, each written as browsers write an origin."""
    return _normalised(config["ALLOWED_ORIGINS"])


@cache
def _normalised(origins: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(origin for origin in map(origin_of, origins) if origin)


def may_call(origin: str) -> bool:
    """Return whether scripts of that origin may post: ALLOWED_ORIGINS or a form names it."""
    return origin in allowed_origins(current_app.config) or origin in services().forms.origins()


def may_redirect_to(url: str, also: Iterable[str] = ()) -> bool:
    """Return whether a form may redirect there: to ALLOWED_ORIGINS, to one of `also`, or to this service."""
    origin = origin_of(url)
    allowed = {*allowed_origins(current_app.config), *also, origin_of(known_base_url() or "")}
    return origin is not None and origin in allowed


def page_of(referer: str | None, origin: str | None) -> str | None:
    """Return the page that a form was on, as far as the browser's headers tell."""
    return bare_page(referer) or bare_page(origin)
