"""The home page, and the page of thanks for forms without one of their own."""

from flask import Blueprint, render_template, request

from web.current import services

blueprint = Blueprint("site", __name__)


@blueprint.get("/")
def home() -> str:
    """Say what this service is; without a database, because hosts probe the address."""
    return render_template("site/home.html")


@blueprint.get("/thank-you")
def thank_you() -> str:
    """Thank for a sign-up; the same page for all, since only the form is in its address."""
    form = services().forms.seen(request.args.get("form"))
    return render_template(
        "site/thank_you.html",
        message=form.thank_you_message if form else None,
        organisation=services().organisation.name(),
    )
