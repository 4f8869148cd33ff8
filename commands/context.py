"""What every command needs: the use cases, the service's address, and errors as sentences."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask import current_app

from services import Services
from settings import Settings
from store.errors import StoreError


def services() -> Services:
    """Return the use cases of the application that the command runs in."""
    found: Services = current_app.extensions["services"]
    return found


def base_address() -> str:
    """Return the address of the service: PUBLIC_BASE_URL, else the port on this machine."""
    settings: Settings = current_app.extensions["settings"]
    return settings.public_base_url or f"http://127.0.0.1:{settings.local_port}"


def refuse_builtin_sandbox() -> None:
    """End a command that would call the built-in sandbox.

    Each process has a sandbox of its own, so what the command sent would be seen nowhere.
    """
    if current_app.extensions["settings"].builtin_sandbox:
        raise click.ClickException(
            "The built-in sandbox lives inside the web process, which does this by itself. To try it here, "
            "run `flask sandbox` and point CONSTANT_CONTACT_API_URL and CONSTANT_CONTACT_AUTH_URL at it."
        )


@contextmanager
def database_errors_shown() -> Iterator[None]:
    """End the command with a sentence instead of a traceback where the database cannot be used."""
    try:
        yield
    except StoreError as error:
        raise click.ClickException(
            f"The database cannot be used (`flask doctor` says more): {error}"
        ) from error
