"""The front page, the mailbox, and the headers of every page."""

from flask import Blueprint, Response, render_template

from sandbox.authorization.client import SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET
from sandbox.state import current_world

# No form-action: Chromium applies it to the redirect after the form, which leads back to the application.
_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def home() -> str:
    """Show what the sandbox is, and the contacts of each list."""
    world = current_world()
    with world.lock:
        lists = [(item, world.members(item.list_id)) for item in world.live_lists()]
        return render_template(
            "sandbox/home.html",
            lists=lists,
            client_id=SANDBOX_CLIENT_ID,
            client_secret=SANDBOX_CLIENT_SECRET,
            settings=world.settings_shown(),
        )


@blueprint.get("/mail/")
def mailbox() -> str:
    """Show the e-mails that the application would have sent."""
    world = current_world()
    with world.lock:
        mails = world.mailbox.newest_first()
    return render_template("sandbox/mail.html", mails=mails)


@blueprint.after_app_request
def protect(response: Response) -> Response:
    """Forbid pages to run scripts or load from elsewhere, and anything to be cached."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
    return response
