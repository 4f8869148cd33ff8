"""The script by which another site shows one of our forms."""

from __future__ import annotations

from flask import Blueprint, Response, current_app

# A correction reaches the sites that use it within the hour.
CACHED_SECONDS = 3_600

blueprint = Blueprint("embed", __name__)


@blueprint.get("/embed.js")
def script() -> Response:
    """The script; the page that includes it names the form."""
    answer = current_app.send_static_file("embed.js")
    answer.headers["Cache-Control"] = f"public, max-age={CACHED_SECONDS}"
    # A page that isolates itself (COEP) may load scripts of others only where these say so.
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer
