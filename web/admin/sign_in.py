"""Signing in by the password or by a one-time link, and signing out."""

from __future__ import annotations

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
MEANWHILE = "A link signs you in without it: run “flask sign-in-link” where the service runs."
MOVED_HERE = (
    "Connecting goes on here, at {base}: Constant Contact leads back to this address, which PUBLIC_BASE_URL "
    "names. A sign-in at another address does not count here, so sign in once more."
)
LINK_SPENT = "This link has been used or is too old. Sign in with the password, or make a new link."

blueprint = Blueprint("sign_in", __name__)


@blueprint.get("/sign-in")
def ask_password() -> BaseResponse:
    """Ask for the password."""
    wanted = guards.after_sign_in(request.args.get("next"))
    if guards.is_admin():
        return redirect(wanted, HTTPStatus.SEE_OTHER)
    public = known_base_url() if guards.MOVED in request.args else None
    return _sign_in_page(wanted, notice=MOVED_HERE.format(base=public) if public else None)


@blueprint.post("/sign-in")
def check_password() -> BaseResponse:
    """Let in whoever knows the password."""
    wanted = guards.after_sign_in(request.form.get("next"))
    try:
        admin_session = services().admin.sign_in(request.form.get("password", ""), request.remote_addr or "")
    except TooManyAttempts as error:
        page = _sign_in_page(wanted, f"{error} {MEANWHILE}", HTTPStatus.TOO_MANY_REQUESTS)
        page.headers["Retry-After"] = str(error.retry_after)
        return page
    if admin_session is None:
        return _sign_in_page(wanted, "This is not the password.", HTTPStatus.UNAUTHORIZED)
    return _signed_in(admin_session, wanted)


@blueprint.get("/sign-in/<token>")
def show_link(token: str) -> BaseResponse:
    """Show the button that uses the one-time link up.

    Looking does not: programs of mail and chat that preview links look first.
    """
    if guards.is_admin():
        return redirect(guards.DASHBOARD, HTTPStatus.SEE_OTHER)
    if not services().admin.link_signs_in(token):
        return _sign_in_page(guards.DASHBOARD, LINK_SPENT, HTTPStatus.UNAUTHORIZED)
    page = make_response(render_template("admin/sign_in_link.html", token=token))
    # The address is a key.
    page.headers["Referrer-Policy"] = "no-referrer"
    return page


@blueprint.post("/sign-in/<token>")
def sign_in_by_link(token: str) -> BaseResponse:
    """Let in whoever holds the one-time link and pressed the button."""
    if guards.is_admin():
        return redirect(guards.DASHBOARD, HTTPStatus.SEE_OTHER)
    # Not by the check of all other posts, which over HTTPS asks for a referrer as well: here there is none.
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
    """End the session, here and wherever its cookie was copied to."""
    services().admin.sign_out(session.get(guards.SESSION_KEY))
    session.clear()
    return redirect("/admin/sign-in", HTTPStatus.SEE_OTHER)


def _sign_in_page(
    wanted: str, problem: str | None = None, status: int = HTTPStatus.OK, *, notice: str | None = None
) -> Response:
    page = render_template("admin/sign_in.html", wanted=wanted, problem=problem, notice=notice)
    return make_response(page, status)


def _signed_in(admin_session: str, wanted: str) -> BaseResponse:
    session.clear()
    session[guards.SESSION_KEY] = admin_session
    session.permanent = True
    if wanted == guards.DASHBOARD:
        return redirect(wanted, HTTPStatus.SEE_OTHER)
    # A page that goes on by itself: Chromium applies form-action to every redirect that follows a form post,
    # and connecting leads on to Constant Contact.
    page = make_response(render_template("admin/signed_in.html", wanted=wanted))
    page.headers["Refresh"] = f"0; url={wanted}"
    return page
