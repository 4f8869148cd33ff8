"""Who sent the request: an admin by the session, the holder of an API key, or anybody."""

from flask import redirect, request, session, url_for
from werkzeug.exceptions import Unauthorized
from werkzeug.wrappers import Response

from services.access.requester import ANONYMOUS, Requester
from web.current import services

SESSION_KEY = "admin"
DASHBOARD = "/admin/"
CONNECT = "/oauth/start"
# Parameter of /oauth/start after `oauth.routes` redirected the browser from another host to PUBLIC_BASE_URL.
MOVED = "moved"
# A fixed set, so that no address from outside becomes a redirect, and no code of a callback gets into one.
RETURN_TO = frozenset({DASHBOARD, CONNECT})
# Headers and query parameters in which other services take their keys.
OTHER_KEY_HEADERS = ("X-Api-Key", "Api-Key", "ApiKey", "X-ApiKey", "X-Auth-Token", "X-Access-Token")
OTHER_KEY_PARAMETERS = frozenset({"apikey", "accesstoken"})


class KeyMisplaced(Unauthorized):
    """A key came, but not as `Authorization: Bearer <key>`."""


def is_admin() -> bool:
    """Return whether the session is an admin's. The store is read only for a session that we signed."""
    return services().admin.is_current(session.get(SESSION_KEY))


def may_see_all() -> bool:
    """Return whether an admin or the holder of an API key sent the request; an unknown key counts as none.

    For health checks: they would take a 401 for a service that is down.
    """
    try:
        return requester() != ANONYMOUS or services().admin.is_seen_current(session.get(SESSION_KEY))
    except Unauthorized:
        return False


def require_admin() -> Response | None:
    """Return None for an admin; for anybody else a redirect to the sign-in page, which leads back.

    htmx would put the sign-in page into the part that it refreshes; it is told to load the page again.
    """
    if is_admin():
        return None
    if request.headers.get("HX-Request") == "true":
        return Response(status=401, headers={"HX-Refresh": "true"})
    back = request.path if request.method == "GET" and request.path in RETURN_TO else None
    moved = "1" if back == CONNECT and MOVED in request.args else None
    return redirect(url_for("admin.sign_in.ask_password", next=back, moved=moved), 303)


def after_sign_in(wanted: str | None) -> str:
    """Return the destination after signing in: `wanted` if it is in RETURN_TO, else the dashboard."""
    return wanted if wanted in RETURN_TO else DASHBOARD


def bearer_token() -> str | None:
    """Return the bearer token, None when the request has none.

    Raises:
        KeyMisplaced: the Authorization header is not `Bearer <token>` (RFC 6750 §2.1), or it is missing and a
            key came where other services take theirs: such a request must not pass as a public form.
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


def requester() -> Requester:
    """Return the holder of the request's API key, ANONYMOUS when it has none.

    Raises:
        Unauthorized: the key is not one of API_KEYS; a mistyped one must not pass as a public form.
    """
    key = bearer_token()
    if key is None:
        return ANONYMOUS
    found = services().api_keys.recognise(key)
    if found is None:
        raise Unauthorized
    return found
