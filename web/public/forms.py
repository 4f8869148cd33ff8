"""A form's own page, and its description for the script that draws it on another site."""

from dataclasses import asdict

from flask import Blueprint, Response, jsonify, make_response, render_template, request, url_for
from werkzeug.exceptions import NotFound

from services.forms.form import Form
from services.submission.web_origins import bare_page
from web.current import services
from web.public import captchas, form_view
from web.security import headers
from web.security.addresses import base_url

CACHED_SECONDS = 60

blueprint = Blueprint("forms", __name__, url_prefix="/forms")


@blueprint.get("/<slug>")
def page(slug: str) -> Response:
    """Show the form on a page of ours, which needs no script."""
    form = _form(slug)
    token, known = services().protection.token(form), services().fields_and_tags.custom_fields_known()
    shown = form_view.shown(form, token, known, bare_page(request.referrer))
    answer = make_response(
        render_template(
            "forms/page.html", name=form.name, form=shown, organisation=services().organisation.name()
        )
    )
    headers.allow_visitors_form(answer, captchas.provider_of(form))
    return answer


@blueprint.get("/<slug>.json")
def description(slug: str) -> Response:
    """Answer what a script needs to draw the form and to send it."""
    form = _form(slug)
    known = services().fields_and_tags.custom_fields_known()
    answer = jsonify(
        slug=form.slug,
        name=form.name,
        action=f"{base_url()}{url_for('subscribe.subscribe')}",
        fields=[
            {
                "name": field.name,
                "label": field.label,
                "type": asked.input,
                "autocomplete": asked.autocomplete,
                "maxlength": asked.longest,
                "required": field.required,
            }
            | ({"options": options} if options else {})
            for field in form.fields
            for asked, options in (form_view.how_to_ask(field.name, known),)
        ],
        consent=form.consent.model_dump() if form.consent else None,
        protection={
            "honeypot": form.trap,
            "token_url": None if form.protection == "none" else f"{base_url()}{url_for('.token', slug=slug)}",
            "captcha": _captcha(form),
        },
        sms_consent=form.sms_consent.model_dump() if form.sms_consent else None,
        thank_you={"message": form.thank_you_message, "url": form.thank_you_url},
    )
    answer.headers["Cache-Control"] = f"public, max-age={CACHED_SECONDS}"
    return answer


@blueprint.get("/<slug>/token")
def token(slug: str) -> Response:
    """Answer a token that tells when the form was shown, for scripts that draw it."""
    return jsonify(token=services().protection.token(_form(slug)))


@blueprint.get("/<slug>/challenge")
def challenge(slug: str) -> Response:
    """Answer a challenge for a proof of work, in ALTCHA's format."""
    return jsonify(asdict(services().proofs.challenge(_form(slug).slug)))


def _captcha(form: Form) -> dict[str, str | None] | None:
    if widget := captchas.widget_of(form):
        return asdict(widget)
    if form.protection != "captcha":
        return None
    return {"kind": "altcha", "challenge_url": f"{base_url()}{url_for('.challenge', slug=form.slug)}"}


def _form(slug: str) -> Form:
    form = services().forms.find(slug)
    if form is None:
        raise NotFound
    return form
