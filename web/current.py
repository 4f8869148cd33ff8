"""Access to the use cases from a view of the running app."""

from typing import cast

from flask import current_app

from services import Services


def services() -> Services:
    """Return the use cases that `web.register` was given."""
    return cast(Services, current_app.extensions["services"])
