"""Signing in by the password or by a one-time link, and signing out."""

from http import HTTPStatus

from flask import Blueprint, Response, make_response, redirect, render_template, request, session
from flask_wtf.csrf import CSRFError, ValidationError, validate_csrf
from werkzeug.wrappers import Response as BaseResponse

from services.errors import TooManyAttempts
from web.current import services
from web.security import guards
from web.security.addresses import known_base_url

# The views here that strangers may call; all others of the admin's are closed to them.
OPEN_TO_ALL = frozenset({"ask_password", "check_password", "show_link", "sign_in_by_link"})
USE_A_LINK = "A link signs you in without it: run “flask sign-in-link” where the service runs."
MOVED_HERE = (
    "Connecting goes on here, at {base}: Constant Contact leads back to this address, which PUBLIC_BASE_URL "
    "names. A sign-in at another address does not count here, so sign in once more."
)
LINK_SPENT = "This link has been used or is too old. Sign in with the password, or make a new link."

blueprint = Blueprint("sign_in", __name__)


@blueprint.get("/sign-in")
def ask_password() -> BaseResponse:
    """Ask for the password."""
    destination = guards.after_sign_in(request.args.get("next"))
    if guards.is_admin():
        return redirect(destination, HTTPStatus.SEE_OTHER)
    public = known_base_url() if guards.MOVED in request.args else None
    return _sign_in_page(destination, notice=MOVED_HERE.format(base=public) if public else None)


@blueprint.post("/sign-in")
def check_password() -> BaseResponse:
    """Sign in whoever knows the password."""
    destination = guards.after_sign_in(request.form.get("next"))
    try:
        admin_session = services().admin.sign_in(request.form.get("password", ""), request.remote_addr or "")
    except TooManyAttempts as error:
        page = _sign_in_page(destination, f"{error} {USE_A_LINK}", HTTPStatus.TOO_MANY_REQUESTS)
        page.headers["Retry-After"] = str(error.retry_after)
        return page
    if admin_session is None:
        return _sign_in_page(destination, "This is not the password.", HTTPStatus.UNAUTHORIZED)
    return _signed_in(admin_session, destination)


@blueprint.get("/sign-in/<token>")
def show_link(token: str) -> BaseResponse:
    """Show the button that uses up the one-time link.

    A GET does not use it up: mail and chat programs fetch links for a preview.
    """
    if guards.is_admin():
        return redirect(guards.DASHBOARD, HTTPStatus.SEE_OTHER)
    if not services().admin.link_signs_in(token):
        return _sign_in_page(guards.DASHBOARD, LINK_SPENT, HTTPStatus.UNAUTHORIZED)
    page = make_response(render_template("admin/sign_in_link.html", token=token))
    # The address holds the token.
    page.headers["Referrer-Policy"] = "no-referrer"
    return page


@blueprint.post("/sign-in/<token>")
def sign_in_by_link(token: str) -> BaseResponse:
    """Sign in whoever pressed the button of the one-time link."""
    if guards.is_admin():
        return redirect(guards.DASHBOARD, HTTPStatus.SEE_OTHER)
    # CSRFProtect's check is exempted: over HTTPS it wants a Referer as well, which this page does not send.
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError as error:
        raise CSRFError(str(error)) from error
    admin_session = services().admin.sign_in_by_link(token)
    if admin_session is None:
        return _sign_in_page(guards.DASHBOARD, LINK_SPENT, HTTPStatus.UNAUTHORIZED)
    return _signed_in(admin_session, guards.DASHBOARD)


@blueprint.post("/sign-out")
def sign_out() -> BaseResponse:
    """End the session in this browser and wherever its cookie was copied to."""
    services().admin.sign_out(session.get(guards.SESSION_KEY))
    session.clear()
    return redirect("/admin/sign-in", HTTPStatus.SEE_OTHER)


def _sign_in_page(
    destination: str, problem: str | None = None, status: int = HTTPStatus.OK, *, notice: str | None = None
) -> Response:
    page = render_template("admin/sign_in.html", destination=destination, problem=problem, notice=notice)
    return make_response(page, status)


def _signed_in(admin_session: str, destination: str) -> BaseResponse:
    session.clear()
    session[guards.SESSION_KEY] = admin_session
    session.permanent = True
    if destination == guards.DASHBOARD:
        return redirect(destination, HTTPStatus.SEE_OTHER)
    # A page that refreshes itself, not a redirect: Chromium applies form-action to every redirect after a
    # form post, and /oauth/start redirects to Constant Contact.
    page = make_response(render_template("admin/signed_in.html", destination=destination))
    page.headers["Refresh"] = f"0; url={destination}"
    return page
