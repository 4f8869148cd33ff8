"""The three pages of connecting: start, callback, disconnect."""

import secrets
from collections.abc import Callable
from http import HTTPStatus

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
)
from werkzeug.wrappers import Response as BaseResponse

from oauth.connecting.connector import ATTEMPT_MS, Connector
from oauth.errors import (
    AccountUnavailable,
    AccountUnusable,
    AttemptUnknown,
    ConnectingFailed,
    ConsentRefused,
    CredentialsRejected,
    OAuthError,
    ScopesMissing,
    WrongAccount,
)

_LONGEST_PARAMETER = 2048
# In the address of a start that another host has led to ours: it happens once, whatever a proxy hides.
_MOVED = "moved"
_CALLBACK_PARAMETERS = ("state", "code", "error")


class _Malformed(ConnectingFailed):
    """The callback's address is not one that the vendor makes."""


_AGAIN = "Go back to the overview and press Connect."
_CURES: dict[type[OAuthError], tuple[int, str]] = {
    AttemptUnknown: (
        HTTPStatus.BAD_REQUEST,
        "If the overview says connected, nothing is wrong and you can close this page. "
        "Otherwise press Connect there, and finish in this browser within 15 minutes. Open the overview "
        "at the address that PUBLIC_BASE_URL names: Constant Contact leads back to that one.",
    ),
    _Malformed: (HTTPStatus.BAD_REQUEST, _AGAIN),
    ConsentRefused: (HTTPStatus.FORBIDDEN, _AGAIN + " Then allow access on Constant Contact's page."),
    ScopesMissing: (
        HTTPStatus.FORBIDDEN,
        "Allow these rights to the application in the developer portal, then press Connect again.",
    ),
    WrongAccount: (
        HTTPStatus.CONFLICT,
        "To keep the account, sign out of Constant Contact, then press Connect on the overview. "
        "To change it, press Disconnect there first.",
    ),
    AccountUnusable: (
        HTTPStatus.FORBIDDEN,
        "See in the developer portal that the application is active. Then sign in to Constant Contact as the "
        "Account Owner or an Account Manager, and press Connect again.",
    ),
    AccountUnavailable: (
        HTTPStatus.BAD_GATEWAY,
        "Wait a minute first. If it fails again, see that the application is active in the developer portal.",
    ),
    CredentialsRejected: (HTTPStatus.BAD_GATEWAY, "Correct the settings, restart, then press Connect."),
}
# The vendor issued no tokens, so it had no cause to end the earlier ones of the same user.
_WITHOUT_TOKENS = (AttemptUnknown, _Malformed, ConsentRefused, CredentialsRejected)


def create_blueprint(
    connector: Connector,
    *,
    guard: Callable[[], BaseResponse | None],
    starting: Callable[[], None],
    elsewhere: Callable[[], str | None],
    redirect_uri: Callable[[], str],
    home: Callable[[], str],
) -> Blueprint:
    """The blueprint ``oauth`` under ``/oauth``. The app checks CSRF tokens of every POST.

    Args:
        connector: Does the work.
        guard: A redirect to the sign-in page when no admin is signed in, None otherwise.
        starting: Called before an attempt is stored; what it raises ends the request.
        elsewhere: The configured public URL where the request came to another host, None where to that one.
        redirect_uri: The callback's address from the configured public URL, never from the Host header.
        home: The dashboard's address.
    """
    blueprint = Blueprint("oauth", __name__, url_prefix="/oauth")
    blueprint.before_request(guard)

    @blueprint.after_request
    def keep_private(response: Response) -> Response:
        # RFC 9700 section 4.2.4: neither a cache nor a referrer may carry the code on.
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @blueprint.get("/start")
    def start() -> BaseResponse:
        public = elsewhere()
        if public is not None and _MOVED not in request.args:
            # The vendor leads back to the public address, where the cookies of this one are not known.
            return redirect(f"{public}/oauth/start?{_MOVED}=1", HTTPStatus.SEE_OTHER)
        # With the mark the browser is there, and a proxy in front does not say so.
        starting()
        browser = secrets.token_urlsafe(32)
        answer = redirect(connector.start(browser=browser, redirect_uri=redirect_uri()))
        answer.set_cookie(
            _cookie_name(),
            browser,
            max_age=ATTEMPT_MS // 1000,
            httponly=True,
            samesite="Lax",  # Strict would not come back with the vendor's redirect
            secure=_secure(),
        )
        return answer

    @blueprint.get("/callback")
    def callback() -> BaseResponse:
        try:
            given = _callback_parameters()
            connector.finish(
                browser=request.cookies.get(_cookie_name(), ""),
                state=given["state"],
                code=given.get("code"),
                error=given.get("error"),
            )
        except OAuthError as failure:
            return _failed(failure)
        flash("Constant Contact is connected.")
        answer = redirect(home(), HTTPStatus.SEE_OTHER)
        answer.delete_cookie(_cookie_name(), secure=_secure(), httponly=True, samesite="Lax")
        return answer

    @blueprint.post("/disconnect")
    def disconnect() -> BaseResponse:
        connector.disconnect()
        flash("Constant Contact is disconnected. New sign-ups are kept until you connect again.")
        return redirect(home(), HTTPStatus.SEE_OTHER)

    return blueprint


def _secure() -> bool:
    return bool(current_app.config["SESSION_COOKIE_SECURE"])


def _cookie_name() -> str:
    # The prefix stops sibling hosts from planting a cookie here; browsers ask for Secure and Path=/ with it.
    return "__Host-oauth_browser" if _secure() else "oauth_browser"


def _callback_parameters() -> dict[str, str]:
    given: dict[str, str] = {}
    for name in _CALLBACK_PARAMETERS:
        values = request.args.getlist(name)
        if values in ([], [""]):
            continue
        if len(values) > 1 or len(values[0]) > _LONGEST_PARAMETER or not values[0].isprintable():
            raise _Malformed("The address that led here is damaged.")
        given[name] = values[0]
    if "state" not in given:
        raise _Malformed("The address that led here is incomplete.")
    return given


def _failed(failure: OAuthError) -> Response:
    status, cure = _CURES.get(type(failure), (HTTPStatus.BAD_GATEWAY, _AGAIN))
    unharmed = isinstance(failure, _WITHOUT_TOKENS)
    page = render_template("oauth/failed.html", cause=str(failure), cure=cure, unharmed=unharmed)
    return make_response(page, status)
