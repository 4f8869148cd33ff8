"""The scripts by which another site shows one of our forms."""

from __future__ import annotations

from flask import Blueprint, Response, current_app

# A correction reaches the sites that use it within the hour.
CACHED_SECONDS = 3_600

blueprint = Blueprint("embed", __name__)


@blueprint.get("/embed.js")
def script() -> Response:
    """The script; the page that includes it names the form."""
    return _for_all("embed.js")


@blueprint.get("/proof.js")
def proof() -> Response:
    """The module that works for a form's proof; a page of another site imports it."""
    answer = _for_all("proof.js")
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


@blueprint.get("/address.js")
def address() -> Response:
    """The module that mends a pasted address; a page of another site imports it."""
    answer = _for_all("address.js")
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


@blueprint.get("/captcha.js")
def captcha() -> Response:
    """The module that draws a third party's captcha; a page of another site imports it."""
    answer = _for_all("captcha.js")
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


def _for_all(name: str) -> Response:
    answer = current_app.send_static_file(name)
    answer.headers["Cache-Control"] = f"public, max-age={CACHED_SECONDS}"
    # A page that isolates itself (COEP) may load scripts of others only where these say so.
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer
