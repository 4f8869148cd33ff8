"""The pages of forms: list, make, edit, archive."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from services.errors import InvalidForm
from services.forms.editor import RESERVED_SLUGS
from services.forms.form import Form
from services.protection.providers import PROVIDERS
from services.submission.custom_fields import custom_name, field_of, fold
from services.submission.fields import ASKED
from services.submission.web_origins import shown
from web.current import services
from web.public import form_view
from web.security import headers
from web.security.addresses import known_base_url

PROTECTIONS = {
    "none": "Low: a field that people do not see, and limits. For plain HTML copied into a page.",
    "standard": "Standard: also the time it took to fill in, and addresses that are thrown away.",
    "captcha": "High: also half a second of work by the visitor's browser, which needs JavaScript.",
}
THIRD_PARTY = (
    "{title}: a captcha that visitors’ browsers load from there. Also for plain HTML copied into a page."
)
TEXTS = (
    "name",
    "wording",
    "thank_you_message",
    "thank_you_url",
    "sms_wording",
    "sms_country",
    "most_pending",
)

blueprint = Blueprint("forms", __name__, url_prefix="/forms")


@blueprint.get("/")
def index() -> str:
    """List every form."""
    forms = services().forms.all()
    return render_template(
        "admin/forms.html",
        forms=forms,
        addresses={form.slug: _address(form) for form in forms},
        list_names=services().lists.names(),
        faults=services().form_faults.by_slug(),
    )


@blueprint.get("/new")
def new() -> Response:
    """Show the editor for a new form."""
    email = {"name": "email", "label": ASKED["email"].label, "required": True}
    entered = {"fields": [email], "protection": "standard"}
    return _editor(entered, form=None)


@blueprint.post("/new")
def create() -> Response:
    """Make a form of what the editor sent."""
    return _save(_entered() | {"slug": request.form.get("slug", "")}, form=None)


@blueprint.get("/<slug>")
@blueprint.get("/<slug>/edit", endpoint="edit_reserved")
def edit(slug: str) -> Response:
    """Show how to put the form on a site, a preview and the editor."""
    form = _form(slug)
    sms_wording = form.sms_wordings[-1] if form.sms_wordings else ""
    wordings = {"wording": form.consent and form.consent.wording, "sms_wording": sms_wording}
    return _editor(form.model_dump() | wordings, form=form)


@blueprint.post("/<slug>")
@blueprint.post("/<slug>/edit", endpoint="change_reserved")
def change(slug: str) -> Response:
    """Save what the editor sent."""
    form = _form(slug)
    return _save(_entered() | {"slug": form.slug}, form=form)


@blueprint.post("/<slug>/archive")
def archive(slug: str) -> Response:
    """Archive the form: it takes no more sign-ups; nothing is deleted."""
    if not services().forms.archive(slug):
        raise NotFound
    flash("The form is archived and takes nothing within five seconds. Saving it brings it back.")
    return redirect(url_for(".index"), HTTPStatus.SEE_OTHER)


def _save(entered: Mapping[str, Any], form: Form | None) -> Response:
    try:
        saved = services().forms.save(entered, new=form is None)
    except InvalidForm as error:
        errors = {each.field: each.message for each in error.errors}
        return _editor(entered, form=form, errors=errors)
    flash("The form is saved.")
    return redirect(_address(saved), HTTPStatus.SEE_OTHER)


def _address(form: Form) -> str:
    """Return the editor's address; a form made before its short name was reserved has the longer one."""
    reserved = form.slug in RESERVED_SLUGS
    return url_for(".edit_reserved" if reserved else ".edit", slug=form.slug)


def _entered() -> dict[str, Any]:
    """Return what the editor sent, as `FormCatalog.save` takes it."""
    posted = request.form
    fields = [
        {"name": name, "label": posted.get(f"label_{name}", ""), "required": f"required_{name}" in posted}
        for name in (*ASKED, *_custom_fields(posted))
        if name == "email" or f"show_{name}" in posted
    ]
    entered: dict[str, Any] = {name: posted.get(name, "") for name in TEXTS}
    if "protection" in posted:
        entered["protection"] = posted["protection"]
    return entered | {
        "list_ids": posted.getlist("list_ids"),
        "fields": fields,
        "origins": posted.get("origins", "").split(),
        "protect_existing": "protect_existing" in posted,
        "tags": posted.get("tags", "").splitlines(),
    }


def _custom_fields(posted: Iterable[str]) -> list[str]:
    """Return the names of the custom fields that the editor offered."""
    names = (name.removeprefix("label_") for name in posted if name.startswith("label_"))
    return [name for name in names if custom_name(name)]


def _editor(
    entered: Mapping[str, Any], form: Form | None, errors: Mapping[str, str] | None = None
) -> Response:
    account = services().fields_and_tags.offered()
    on_form = {field["name"]: field for field in entered.get("fields", ())}
    choices: dict[str, str] = {name: row.label for name, row in ASKED.items()}
    # Custom fields on the form that the account no longer has are shown too: sign-ups would wait for them.
    choices |= {name: custom for name in on_form if (custom := custom_name(name))}
    known = {fold(field.label) for field in account.fields}
    choices |= {field_of(field.label): field.label for field in account.fields}
    custom_names = [custom for name in on_form if (custom := custom_name(name))]
    page = render_template(
        "admin/form.html",
        entered=entered,
        on_form=on_form,
        choices=choices,
        custom_names=custom_names,
        lost=[name for name in custom_names if fold(name) not in known] if known else [],
        known_tags=[tag.name for tag in account.tags],
        sites=[shown(origin) for origin in entered.get("origins", ())],
        errors=errors or {},
        form=form,
        faults=services().form_faults.of(form) if form else [],
        notes=services().ignored_fields.of(form.slug) if form else [],
        # Without a form token: pasted HTML stays on a site for years, and a token is valid for a day.
        snippet=form_view.fill([("form", form.slug)], form=form, known=account.fields) if form else None,
        # Without the captcha: an admin's page runs no third-party script.
        preview=replace(
            form_view.shown(form, services().protection.token(form), account.fields), captcha=None
        )
        if form
        else None,
        protections=_protections(str(entered.get("protection"))),
        without_keys=entered.get("protection") in PROVIDERS.keys() - services().captchas.keys(),
        # With lists of the form that are not cached or were deleted, so that the admin sees them.
        list_names=_offered_lists(entered.get("list_ids", ())),
        base_url=known_base_url(),
    )
    answer = make_response(page, HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK)
    if form:
        headers.allow_preview(answer, form)
    return answer


def _protections(chosen: str) -> dict[str, str]:
    """Return the levels to choose from; a third party's captcha only if it has keys or is chosen already."""
    offered = [name for name in PROVIDERS if name in services().captchas or name == chosen]
    return PROTECTIONS | {name: THIRD_PARTY.format(title=PROVIDERS[name].title) for name in offered}


def _form(slug: str) -> Form:
    form = services().forms.get(slug)
    if form is None:
        raise NotFound
    return form


def _offered_lists(chosen: Iterable[str]) -> dict[str, str]:
    """Return the names of the account's lists and of the chosen ones by id, each the last one known."""
    cached, names = services().lists.known(), services().lists.names()
    offered = {list_id: names.get(list_id, list_id) for list_id in chosen}
    return offered | ({entry.list_id: entry.name for entry in cached.entries} if cached else {})
