"""The admin's pages for making forms."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from services import FIELD_NAMES, Form, InvalidForm
from web import filled_form, guards, headers
from web.addresses import base_url
from web.current import services
from web.filled_form import INPUTS

PROTECTIONS = {
    "none": "Low: a field that people do not see, and limits. For plain HTML copied into a page.",
    "standard": "Standard: also the time it took to fill in, and addresses that are thrown away.",
    "captcha": "High: also half a second of work by the visitor's browser, which needs JavaScript.",
}

blueprint = Blueprint("admin_forms", __name__, url_prefix="/admin/forms")
blueprint.before_request(guards.require_admin)


@blueprint.get("/")
def index() -> str:
    """Every form."""
    return render_template("admin/forms.html", forms=services().forms.all(), list_names=_list_names())


@blueprint.get("/new")
def new() -> Response:
    """An empty form to fill in."""
    email = {"name": "email", "label": INPUTS["email"][0], "required": True}
    entered = {"fields": [email], "protection": "standard"}
    return _editor(entered, form=None)


@blueprint.post("/new")
def create() -> Response:
    """Make the form that was filled in."""
    return _save(_entered() | {"slug": request.form.get("slug", "")}, form=None)


@blueprint.get("/<slug>")
def edit(slug: str) -> Response:
    """The form, what it looks like, and how to put it on a site."""
    form = _form(slug)
    return _editor(form.model_dump() | {"wording": form.consent and form.consent.wording}, form=form)


@blueprint.post("/<slug>")
def change(slug: str) -> Response:
    """Save what was changed."""
    form = _form(slug)
    return _save(_entered() | {"slug": form.slug}, form=form)


@blueprint.post("/<slug>/archive")
def archive(slug: str) -> Response:
    """Take no more sign-ups by this form; nothing is deleted."""
    if not services().forms.archive(slug):
        raise NotFound
    flash("The form is archived and takes nothing within five seconds. Saving it brings it back.")
    return redirect(url_for("admin_forms.index"), HTTPStatus.SEE_OTHER)


def _save(entered: Mapping[str, Any], form: Form | None) -> Response:
    try:
        saved = services().forms.save(entered, new=form is None)
    except InvalidForm as error:
        errors = {each.field: each.message for each in error.errors}
        return _editor(entered, form=form, errors=errors)
    flash("The form is saved.")
    return redirect(url_for("admin_forms.edit", slug=saved.slug), HTTPStatus.SEE_OTHER)


def _entered() -> dict[str, Any]:
    posted = request.form
    fields = [
        {"name": name, "label": posted.get(f"label_{name}", ""), "required": f"required_{name}" in posted}
        for name in FIELD_NAMES
        if name == "email" or f"show_{name}" in posted
    ]
    texts = ("name", "wording", "thank_you_message", "thank_you_url", "most_pending")
    level = {"protection": posted["protection"]} if "protection" in posted else {}
    return (
        level
        | {name: posted.get(name, "") for name in texts}
        | {
            "list_ids": posted.getlist("list_ids"),
            "fields": fields,
            "origins": posted.get("origins", "").split(),
        }
    )


def _editor(
    entered: Mapping[str, Any], form: Form | None, errors: Mapping[str, str] | None = None
) -> Response:
    page = render_template(
        "admin/form.html",
        entered=entered,
        asked={field["name"]: field for field in entered.get("fields", ())},
        choices={name: INPUTS[name][0] for name in FIELD_NAMES},
        errors=errors or {},
        form=form,
        # What is pasted into a site stays there for years, and a token is good for a day.
        snippet=filled_form.fill([("form", form.slug)], form=form) if form else None,
        preview=filled_form.shown(form, services().protection.token(form)) if form else None,
        protections=PROTECTIONS,
        # A list that is not known, or no longer, still shows that the form leads to it.
        list_names={list_id: list_id for list_id in entered.get("list_ids", ())} | _list_names(),
        base_url=base_url(),
    )
    answer = make_response(page, HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK)
    if form:
        headers.allow_form(answer, form)
    return answer


def _form(slug: str) -> Form:
    form = services().forms.get(slug)
    if form is None:
        raise NotFound
    return form


def _list_names() -> dict[str, str]:
    known = services().lists.known()
    return {entry.list_id: entry.name for entry in known.lists} if known else {}
