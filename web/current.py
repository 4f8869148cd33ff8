"""What the running app holds for its views."""

from __future__ import annotations

from typing import cast

from flask import current_app

from services import Services


def services() -> Services:
    """The use cases given to `register`."""
    return cast(Services, current_app.extensions["services"])
