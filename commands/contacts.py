"""`flask contacts`: changes to single contacts that somebody asks for by telephone or mail."""

import click
from flask.cli import with_appcontext

from commands.context import database_errors_shown, services
from services.signups.manage import AddressUnclear, UnusableDecision
from services.signups.requests import line, sentences


@click.group("contacts")
def contacts() -> None:
    """Change contacts on somebody's word. It shows people's data in full."""


@contacts.command("unsubscribe")
@click.argument("address")
@click.option("--reason", required=True, help="Why; Constant Contact keeps it with the contact.")
@with_appcontext
def contacts_unsubscribe(address: str, reason: str) -> None:
    """Unsubscribe a contact at Constant Contact, by its address; asking twice changes nothing more."""
    with database_errors_shown():
        try:
            added = services().contact_requests.unsubscribe(address, reason)
        except (AddressUnclear, UnusableDecision) as error:
            raise click.UsageError(str(error)) from error
    for sentence in sentences(address.strip(), added):
        click.echo(sentence)


@contacts.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@with_appcontext
def contacts_list(limit: int) -> None:
    """Print the newest changes: id, time, state, address, what is to be done, how it ended."""
    with database_errors_shown():
        found = services().contact_requests.newest(limit)
    for requested in found:
        click.echo(line(requested))
    if not found:
        click.echo("No change was asked for.", err=True)
