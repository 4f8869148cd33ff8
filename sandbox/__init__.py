"""A stand-in for Constant Contact: authorization server, API, and control endpoints for tests.

The package knows nothing of the application that uses it. See README.md beside this file.
"""

import time
from collections.abc import Callable

from flask import Flask

from sandbox import gateway, not_imitated, pages
from sandbox.account import summary as account
from sandbox.activities import views as activities
from sandbox.authorization import routes as authorization
from sandbox.authorization.client import SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET
from sandbox.contacts import custom_fields, lists, tags
from sandbox.contacts import routes as contacts
from sandbox.control import routes as control
from sandbox.control.routes import CONTROL_GRANTED
from sandbox.errors import ConnectionDropped
from sandbox.state import PRESET_LIST_ID, World

__all__ = [
    "CONTROL_GRANTED",
    "PRESET_LIST_ID",
    "SANDBOX_CLIENT_ID",
    "SANDBOX_CLIENT_SECRET",
    "ConnectionDropped",
    "create_sandbox",
    "receive_mail",
]


def create_sandbox(clock: Callable[[], float] | None = None) -> Flask:
    """Return a sandbox with a fresh account, as a WSGI application that may be mounted under any path.

    Args:
        clock: the time in epoch seconds; the real one by default.

    An injected `drop` or `half_body` leaves the application as `ConnectionDropped`.
    """
    app = Flask(__name__)
    # Flask would turn ConnectionDropped into a 500 answer; the point is that there is no answer.
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.config["MAX_CONTENT_LENGTH"] = 1_000_000
    app.extensions["sandbox"] = World(clock or time.time)
    gateway.install(app)
    # After the gateway, so that a delayed call finds what was done meanwhile.
    app.before_request(activities.settle)
    for part in (pages, authorization, account, contacts, lists, custom_fields, tags, activities, control):
        app.register_blueprint(part.blueprint)
    app.register_blueprint(not_imitated.blueprint)
    return app


def receive_mail(app: Flask, content: bytes) -> None:
    """Put an e-mail, in the format of RFC 5322, into the mailbox of the sandbox `app`."""
    world: World = app.extensions["sandbox"]
    with world.lock:
        world.mailbox.receive(content, at=world.now())
