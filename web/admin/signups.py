"""The page of parked sign-ups: send them again, send them to another list, or drop them."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from services.signups.manage import Retry, UnusableDecision
from web.current import services

SHOWN = 100

blueprint = Blueprint("signups", __name__, url_prefix="/signups")


@blueprint.get("/")
def index() -> str:
    """Show the newest parked sign-ups with their buttons."""
    lists = services().lists.known()
    return render_template(
        "admin/signups.html",
        records=services().signups.newest(limit=SHOWN, state="parked"),
        most_shown=SHOWN,
        list_names=services().lists.names(),
        lists=lists.entries if lists else (),
    )


@blueprint.post("/<uuid:signup_id>/retry")
def retry(signup_id: UUID) -> Response:
    """Make one parked sign-up due again."""
    due = services().signups.retry(str(signup_id)) is Retry.DUE
    return _decided("It will be sent again shortly." if due else "It no longer waits for a decision.")


@blueprint.post("/retry")
def retry_all() -> Response:
    """Make all parked sign-ups due again."""
    return _decided(f"Sign-ups that will be sent again: {services().signups.retry_all_parked():,}.")


@blueprint.post("/<uuid:signup_id>/drop")
def drop(signup_id: UUID) -> Response:
    """Drop a waiting or parked sign-up: it is never sent and stays on record with the reason."""
    try:
        dropped = services().signups.drop(str(signup_id), request.form.get("reason", ""))
    except UnusableDecision as error:
        return _decided(str(error), "problem")
    return _decided("Dropped. It stays on record with your reason." if dropped else "It is already decided.")


@blueprint.post("/lists")
def replace_list() -> Response:
    """Replace a list in all waiting and parked sign-ups."""
    try:
        changed = services().signups.replace_list(request.form.get("old", ""), request.form.get("new", ""))
    except UnusableDecision as error:
        return _decided(str(error), "problem")
    return _decided(f"Sign-ups that now go to the other list: {changed:,}.")


def _decided(message: str, category: str = "message") -> Response:
    flash(message, category)
    return redirect(url_for(".index"), HTTPStatus.SEE_OTHER)
