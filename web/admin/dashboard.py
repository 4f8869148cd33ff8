"""The admin's first page: whether everything works."""

from typing import Any

from flask import Blueprint, current_app, render_template, request

from services.account.lists import KnownLists
from services.connection.status import ConnectionView
from services.errors import ListsUnavailable
from services.operations.checks.delivery import SUSPECTED_WAITING
from services.signups.views import status_of
from web.current import services
from web.security.addresses import known_base_url

RECENT_SIGNUPS = 20
AUDIT_ENTRIES = 10
# Kinds of audit entries in words; a kind that is missing here is shown by its name.
AUDIT_SENTENCES = {
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

blueprint = Blueprint("dashboard", __name__)


@blueprint.get("/")
def index() -> str:
    """Show on one page whether everything works, the newest sign-ups and the lists."""
    connection = services().connection.read()
    base = known_base_url()
    lists, lists_problem = _lists(connected=connection.state == "connected")
    return render_template(
        "admin/dashboard.html",
        lists=lists,
        lists_problem=lists_problem,
        open_list_ids=services().open_lists.ids(),
        has_forms=services().open_lists.by_forms(),
        audit=services().audit(AUDIT_ENTRIES),
        audit_sentences=AUDIT_SENTENCES,
        sandbox_path=current_app.config["SANDBOX_PATH"],
        subscribe_url=f"{base}/subscribe" if base else None,
        **_live(connection, lists),
    )


@blueprint.get("/live")
def live() -> str:
    """Show the part of the page that refreshes itself, as htmx asks for it."""
    return render_template("admin/live.html", **_live(services().connection.read(), services().lists.known()))


def _live(connection: ConnectionView, lists: KnownLists | None) -> dict[str, Any]:
    """Return what the part that refreshes itself shows."""
    health = services().health.report()
    # The page shows these in sentences of their own.
    elsewhere = {SUSPECTED_WAITING, *(problem.code for problem in connection.problems())}
    return {
        "connection": connection,
        "health": health,
        "problems": [problem.sentence for problem in health.problems if problem.code not in elsewhere],
        "suspected": [problem.sentence for problem in health.problems if problem.code == SUSPECTED_WAITING],
        "suspected_new": services().suspected.new() if health.suspected else 0,
        "list_names": {entry.list_id: entry.name for entry in lists.entries} if lists else {},
        "signups": services().signups.newest(limit=RECENT_SIGNUPS),
        "status_of": status_of,
    }


def _lists(*, connected: bool) -> tuple[KnownLists | None, str | None]:
    """Return the lists, or why there are none; fetch them only if none are cached, or on `refresh=1`."""
    cached = services().lists.known()
    refresh = request.args.get("refresh") == "1"
    if not refresh and (cached or not connected):
        return cached, None
    try:
        return services().lists.read(refresh=refresh), None
    except ListsUnavailable as error:
        return None, str(error)
