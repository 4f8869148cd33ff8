"""What every command needs: the use cases, and words for what keeps it from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask import current_app

from services import Services
from settings import Settings
from store.errors import StoreError


def services() -> Services:
    """The use cases of the application that the command runs in."""
    found: Services = current_app.extensions["services"]
    return found


def base_address() -> str:
    """Where the service is reached: as it was set, else on this machine."""
    settings: Settings = current_app.extensions["settings"]
    return settings.public_base_url or f"http://127.0.0.1:{settings.local_port}"


def refuse_builtin_sandbox() -> None:
    """A second process has a built-in sandbox of its own: what it delivered would be seen nowhere."""
    if current_app.extensions["settings"].builtin_sandbox:
        raise click.ClickException(
            "The built-in sandbox lives inside the web process, which does this by itself. To try it here, "
            "run `flask sandbox` and point CONSTANT_CONTACT_API_URL and CONSTANT_CONTACT_AUTH_URL at it."
        )


@contextmanager
def database_faults_told() -> Iterator[None]:
    """A database that cannot be used ends the command with a sentence, without a traceback."""
    try:
        yield
    except StoreError as error:
        raise click.ClickException(
            f"The database cannot be used (`flask doctor` says more): {error}"
        ) from error
