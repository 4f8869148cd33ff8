"""The `flask` commands: thin, they call services."""

from flask import Flask

from commands.alerts import alerts
from commands.connection import connection
from commands.contacts import contacts
from commands.forms import forms
from commands.running import doctor, drain, lists, sandbox, sign_in_link, worker
from commands.signups import signups
from commands.suspected import suspected


def register_commands(app: Flask) -> None:
    """Add every command to `flask`; they find the use cases in the app's extensions."""
    signups.add_command(suspected)
    for command in (
        sandbox,
        worker,
        drain,
        lists,
        sign_in_link,
        alerts,
        connection,
        contacts,
        doctor,
        forms,
        signups,
    ):
        app.cli.add_command(command)
