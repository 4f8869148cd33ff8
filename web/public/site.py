"""The two pages for everybody."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from web.current import services

blueprint = Blueprint("site", __name__)


@blueprint.get("/")
def home() -> str:
    """What this service is; answered at once because hosts probe it."""
    return render_template("site/home.html")


@blueprint.get("/thank-you")
def thank_you() -> str:
    """The end of a form without a page of its own; the same for all, as it knows no more than the form."""
    form = services().forms.seen(request.args.get("form"))
    return render_template("site/thank_you.html", message=form.thank_you_message if form else None)
