"""The admin's page of sign-ups that look like a program's."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from web import guards
from web.current import services

AT_ONCE = 100

blueprint = Blueprint("admin_suspected", __name__, url_prefix="/admin/suspected")
blueprint.before_request(guards.require_admin)


@blueprint.get("/")
def index() -> str:
    """The newest that wait for a decision."""
    lists = services().lists.known()
    return render_template(
        "admin/suspected.html",
        suspects=services().quarantine.waiting(AT_ONCE),
        count=services().quarantine.count(),
        form_names={form.id: form.name for form in services().forms.all()},
        list_names={entry.list_id: entry.name for entry in lists.lists} if lists else {},
    )


@blueprint.post("/<uuid:signup_id>/release")
def release(signup_id: UUID) -> Response:
    """Deliver it after all."""
    return _decided(services().quarantine.release(str(signup_id)), "It is delivered like any other sign-up.")


@blueprint.post("/<uuid:signup_id>/delete")
def delete(signup_id: UUID) -> Response:
    """Remove it for good."""
    return _decided(services().quarantine.delete(str(signup_id)), "It is deleted.")


def _decided(done: bool, message: str) -> Response:
    if not done:
        raise NotFound
    flash(message)
    return redirect(url_for("admin_suspected.index"), HTTPStatus.SEE_OTHER)
