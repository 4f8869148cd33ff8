"""The admin's pages: signing in and out, and the dashboard."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request, session
from flask_wtf.csrf import CSRFError, ValidationError, validate_csrf
from werkzeug.wrappers import Response as BaseResponse

from services.account.lists import ListsView
from services.errors import ListsUnavailable, TooManyAttempts
from services.operations.health import SUSPECTED_WAITING
from web.current import services
from web.security import guards
from web.security.addresses import known_base_url

RECENT = 20
EVENTS = 10
OPEN_TO_ALL = frozenset({"admin.sign_in", "admin.check_password", "admin.show_link", "admin.sign_in_by_link"})
# What the audit's kinds mean; a kind that is not here is shown as it is.
HAPPENINGS = {
    "connected": "Constant Contact was connected.",
    "connect_failed": "Connecting failed.",
    "connect_denied": "Access was not granted.",
    "wrong_account": "Another account was refused.",
    "disconnected": "Constant Contact was disconnected.",
    "refreshed": "The access was renewed.",
    "refresh_failed": "Renewing the access failed.",
    "needs_reauthorization": "Constant Contact ended the access.",
    "credentials_rejected": "Constant Contact did not accept the API key or its secret.",
    "api_rejected": "Constant Contact refused an access that it had only just given.",
    "recovered": "The connection works again.",
    "rescue_written": "The database could not store the new access; it was saved in a file beside it.",
    "rescue_imported": "The access saved in a file was stored in the database.",
    "undecryptable": "ENCRYPTION_KEYS could not open the stored access.",
    "foreign_installation": "The stored access was found to belong to another installation.",
    "seeded": "The connection began with CONSTANT_CONTACT_REFRESH_TOKEN.",
    "account_pinned": "The account behind the connection was found out.",
    "seed_ignored": "CONSTANT_CONTACT_REFRESH_TOKEN was not used.",
}

MEANWHILE = "A link signs you in without it: run “flask sign-in-link” where the service runs."
MOVED_HERE = (
    "Connecting goes on here, at {base}: Constant Contact leads back to this address, which PUBLIC_BASE_URL "
    "names. A sign-in at another address does not count here, so sign in once more."
)
LINK_SPENT = "This link has been used or is too old. Sign in with the password, or make a new link."

blueprint = Blueprint("admin", __name__, url_prefix="/admin")


@blueprint.before_request
def only_admins() -> BaseResponse | None:
    """Closed by default: a new page is the admin's unless it is named as open."""
    return None if request.endpoint in OPEN_TO_ALL else guards.require_admin()


@blueprint.get("/")
def dashboard() -> str:
    """Whether everything works, on one page."""
    connection = services().connection.read()
    health, base = services().health.report(), known_base_url()
    lists, lists_problem = _lists(connected=connection.state == "connected")
    return render_template(
        "admin/dashboard.html",
        connection=connection,
        health=health,
        # The connection has its own section on the page.
        problems=[
            problem.sentence
            for problem in health.problems
            if problem not in connection.problems() and problem.code != SUSPECTED_WAITING
        ],
        suspected=[problem.sentence for problem in health.problems if problem.code == SUSPECTED_WAITING],
        suspected_new=services().quarantine.new() if health.suspected else 0,
        lists=lists,
        lists_problem=lists_problem,
        list_names={entry.list_id: entry.name for entry in lists.lists} if lists else {},
        open_list_ids=services().open_lists.ids(),
        has_forms=services().open_lists.by_forms(),
        signups=services().intake.recent(RECENT),
        events=services().events(EVENTS),
        happenings=HAPPENINGS,
        sandbox_path=current_app.config["SANDBOX_PATH"],
        subscribe_url=f"{base}/subscribe" if base else None,
    )


@blueprint.get("/sign-in")
def sign_in() -> BaseResponse:
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


def _lists(*, connected: bool) -> tuple[ListsView | None, str | None]:
    """The lists as known; the vendor is asked only when there are none yet or on the admin's wish."""
    known = services().lists.known()
    refresh = request.args.get("refresh") == "1"
    if not refresh and (known or not connected):
        return known, None
    try:
        return services().lists.read(refresh=refresh), None
    except ListsUnavailable as error:
        return None, str(error)
