"""A form's own page, and its description for the script that draws it on another site."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, make_response, render_template, url_for
from werkzeug.exceptions import NotFound

from services import Form
from web import filled_form, headers
from web.addresses import base_url
from web.current import services

CACHED_SECONDS = 60

blueprint = Blueprint("forms", __name__, url_prefix="/forms")


@blueprint.get("/<slug>")
def page(slug: str) -> Response:
    """The form on a page of ours; needs no script."""
    form = _form(slug)
    known = services().vocabulary.custom_fields_known()
    shown = filled_form.fill([("form", form.slug)], form=form, known=known)
    answer = make_response(render_template("forms/page.html", name=form.name, form=shown))
    headers.allow_form(answer, form)
    return answer


@blueprint.get("/<slug>.json")
def description(slug: str) -> Response:
    """What a script needs to draw the form and to send it."""
    form = _form(slug)
    known = services().vocabulary.custom_fields_known()
    answer = jsonify(
        slug=form.slug,
        name=form.name,
        action=f"{base_url()}{url_for('subscribe.subscribe')}",
        fields=[
            {
                "name": field.name,
                "label": field.label,
                "type": kind,
                "autocomplete": autocomplete,
                "maxlength": longest,
                "required": field.required,
            }
            | ({"options": shape.options} if shape.options else {})
            for field in form.fields
            for shape in (filled_form.shape_of(field.name, known),)
            for kind, autocomplete, longest in (shape.attributes,)
        ],
        consent=form.consent.model_dump() if form.consent else None,
        thank_you={"message": form.thank_you_message, "url": form.thank_you_url},
    )
    answer.headers["Cache-Control"] = f"public, max-age={CACHED_SECONDS}"
    return answer


def _form(slug: str) -> Form:
    form = services().forms.find(slug)
    if form is None:
        raise NotFound
    return form
