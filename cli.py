"""What `flask` finds: the commands, and the application that they run in."""

from __future__ import annotations

import sys

import click
from flask import Flask

from commands.connection import connection
from commands.forms import forms
from commands.running import doctor, drain, lists, sandbox, sign_in_link, worker
from commands.signups import signups
from commands.suspected import suspected
from services.plain_text import HALF
from settings import SettingsError
from store import StoreMisconfigured


def register_commands(app: Flask) -> None:
    """Add every command to `flask`; they find the use cases in the app's extensions."""
    signups.add_command(suspected)
    for command in (sandbox, worker, drain, lists, sign_in_link, connection, doctor, forms, signups):
        app.cli.add_command(command)


def app_for_commands() -> Flask:
    """The app for `flask`, as .flaskenv says: what keeps it from starting is told without a traceback."""
    from app import create_app  # noqa: PLC0415 - the app imports this module

    # Python keeps bytes that are no UTF-8 as half characters, which nothing can store or look up.
    for argument in sys.argv:
        if HALF.search(argument):
            click.echo(f"This is not valid text in UTF-8: {argument!a}", err=True)
            raise SystemExit(2)
    try:
        return create_app()
    except (SettingsError, StoreMisconfigured) as error:
        # Not an exception of click's: where Flask lists the commands it prints the traceback of any.
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
