"""A form's own page, and its description for the script that draws it on another site."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, Response, jsonify, make_response, render_template, url_for
from werkzeug.exceptions import NotFound

from services import HONEYPOT, Form
from web import filled_form, headers
from web.addresses import base_url
from web.current import services
from web.filled_form import INPUTS

CACHED_SECONDS = 60

blueprint = Blueprint("forms", __name__, url_prefix="/forms")


@blueprint.get("/<slug>")
def page(slug: str) -> Response:
    """The form on a page of ours; needs no script."""
    form = _form(slug)
    shown = filled_form.shown(form, services().protection.token(form))
    answer = make_response(render_template("forms/page.html", name=form.name, form=shown))
    headers.allow_form(answer, form)
    return answer


@blueprint.get("/<slug>.json")
def description(slug: str) -> Response:
    """What a script needs to draw the form and to send it."""
    form = _form(slug)
    answer = jsonify(
        slug=form.slug,
        name=form.name,
        action=f"{base_url()}{url_for('subscribe.subscribe')}",
        fields=[
            {
                "name": field.name,
                "label": field.label,
                "type": INPUTS[field.name][1],
                "autocomplete": INPUTS[field.name][2],
                "maxlength": INPUTS[field.name][3],
                "required": field.required,
            }
            for field in form.fields
        ],
        consent=form.consent.model_dump() if form.consent else None,
        protection={
            "honeypot": HONEYPOT,
            "token_url": None if form.protection == "none" else f"{base_url()}{url_for('.token', slug=slug)}",
            "captcha": _captcha(form),
        },
        thank_you={"message": form.thank_you_message, "url": form.thank_you_url},
    )
    answer.headers["Cache-Control"] = f"public, max-age={CACHED_SECONDS}"
    return answer


@blueprint.get("/<slug>/token")
def token(slug: str) -> Response:
    """A token that says when the form was shown; for scripts that draw it."""
    return jsonify(token=services().protection.token(_form(slug)))


@blueprint.get("/<slug>/challenge")
def challenge(slug: str) -> Response:
    """A proof of work to ask for before the form is sent, as ALTCHA writes it."""
    return jsonify(asdict(services().proofs.challenge(_form(slug).slug)))


def _captcha(form: Form) -> dict[str, str] | None:
    if form.protection != "captcha":
        return None
    return {"kind": "altcha", "challenge_url": f"{base_url()}{url_for('.challenge', slug=form.slug)}"}


def _form(slug: str) -> Form:
    form = services().forms.find(slug)
    if form is None:
        raise NotFound
    return form
