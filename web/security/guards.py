"""Who is asking: an admin's session, an API key, or anybody."""

from __future__ import annotations

from flask import redirect, request, session, url_for
from werkzeug.exceptions import Unauthorized
from werkzeug.wrappers import Response

from services.access.requester import ANONYMOUS, Requester
from web.current import services

SESSION_KEY = "admin"
DASHBOARD = "/admin/"
CONNECT = "/oauth/start"
# As `oauth.routes` marks an address that another host of ours led to.
MOVED = "moved"
# A fixed set: no address from outside can become a redirect, and no code of a callback lands in one.
RETURN_TO = frozenset({DASHBOARD, CONNECT})
# Where other services take their keys.
OTHER_KEY_HEADERS = ("X-Api-Key", "Api-Key", "ApiKey", "X-ApiKey", "X-Auth-Token", "X-Access-Token")
OTHER_KEY_PARAMETERS = frozenset({"apikey", "accesstoken"})


class KeyMisplaced(Unauthorized):
    """A key is presented, but not as `Authorization: Bearer <key>`."""


def is_admin() -> bool:
    """Whether the session is signed in; the store is asked only about one that this service signed."""
    return services().admin.is_current(session.get(SESSION_KEY))


def may_see_all() -> bool:
    """Whether an admin or the holder of an API key asks; a key that is not ours counts as none.

    For what a probe asks: a refusal there would pass for a service that is down.
    """
    try:
        return asker() != ANONYMOUS or services().admin.is_seen_current(session.get(SESSION_KEY))
    except Unauthorized:
        return False


def require_admin() -> Response | None:
    """None for an admin; for anybody else the way to the sign-in page and back."""
    if is_admin():
        return None
    back = request.path if request.method == "GET" and request.path in RETURN_TO else None
    moved = "1" if back == CONNECT and MOVED in request.args else None
    return redirect(url_for("admin.sign_in.ask_password", next=back, moved=moved), 303)


def after_sign_in(wanted: str | None) -> str:
    """Where to go after signing in: `wanted` when it is one of our two destinations, else the dashboard."""
    return wanted if wanted in RETURN_TO else DASHBOARD


def bearer_token() -> str | None:
    """The token presented, None when there is none at all.

    Raises:
        KeyMisplaced: the Authorization header is not `Bearer <token>` (RFC 6750 §2.1), or there is none and a
            key stands where other services take theirs: it must not pass as a public form.
    """
    header = request.headers.get("Authorization")
    if header is None:
        if _key_elsewhere():
            raise KeyMisplaced
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise KeyMisplaced
    return token.strip()


def _key_elsewhere() -> bool:
    parameters = (name.lower().replace("_", "").replace("-", "") for name in request.args)
    return any(request.headers.get(name) for name in OTHER_KEY_HEADERS) or any(
        name in OTHER_KEY_PARAMETERS for name in parameters
    )


def asker() -> Requester:
    """The holder of the API key presented, ANONYMOUS when none is.

    Raises:
        Unauthorized: a key is presented and it is not ours; a typing error must not pass as a public form.
    """
    key = bearer_token()
    if key is None:
        return ANONYMOUS
    found = services().api_keys.recognise(key)
    if found is None:
        raise Unauthorized
    return found
