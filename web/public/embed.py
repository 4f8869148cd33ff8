"""The scripts by which another site shows one of our forms."""

from flask import Blueprint, Response, current_app, request

# So that a correction reaches other sites within the hour.
CACHED_SECONDS = 3_600

blueprint = Blueprint("embed", __name__)


@blueprint.get("/embed.js")
def script() -> Response:
    """Serve the script that draws a form; the page that includes it names the form."""
    return _for_all("embed.js")


@blueprint.get("/proof.js", endpoint="proof")
@blueprint.get("/address.js", endpoint="address")
@blueprint.get("/captcha.js", endpoint="captcha")
def module() -> Response:
    """Serve a module that a page of another site imports: proof of work, pasted addresses, captchas."""
    answer = _for_all(request.path.rpartition("/")[2])
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


def _for_all(name: str) -> Response:
    answer = current_app.send_static_file(name)
    answer.headers["Cache-Control"] = f"public, max-age={CACHED_SECONDS}"
    # Without it a page that isolates itself (COEP) cannot load the script.
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer
