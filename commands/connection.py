"""`flask connection`."""

from collections.abc import Iterator

import click
from flask.cli import with_appcontext

from commands.context import database_errors_shown, refuse_builtin_sandbox, services
from services.connection.status import ConnectionView


@click.group("connection")
def connection() -> None:
    """Look after the connection to Constant Contact."""


@connection.command("status")
@with_appcontext
@click.pass_context
def connection_status(context: click.Context) -> None:
    """Say how the connection stands; exit code 0 only when it is connected."""
    with database_errors_shown():
        view = services().connection.read()
    for name, value in _status_rows(view):
        click.echo(f"{name:<14} {value}")
    context.exit(0 if view.state == "connected" else 1)


@connection.command("refresh")
@with_appcontext
@click.pass_context
def connection_refresh(context: click.Context) -> None:
    """Renew the tokens now, and say what came of it; exit code 0 only when they are renewed."""
    refuse_builtin_sandbox()
    with database_errors_shown():
        refreshed, sentence = services().connection_control.refresh()
    click.echo(sentence)
    context.exit(0 if refreshed else 1)


@connection.command("disconnect")
@click.confirmation_option(prompt="Forget the tokens? Sign-ups stay, and wait until somebody connects again.")
@with_appcontext
def connection_disconnect() -> None:
    """Forget the tokens and keep the queue; asks first."""
    with database_errors_shown():
        services().connection_control.disconnect()
    click.echo("Disconnected. Connect again at /admin/.")


def _status_rows(view: ConnectionView) -> Iterator[tuple[str, str]]:
    """Yield name and value of all that is known."""
    ages = view.tokens
    yield "State", view.state
    yield "", view.sentence
    if view.account_name is not None:
        yield "Account", f"{view.account_name} ({view.account_id}), as {view.account_user}"
    if ages.access_age is not None and ages.access_ends_in is not None:
        end = f"ends in {_span(ages.access_ends_in)}" if ages.access_ends_in > 0 else "is over"
        yield "Access token", f"is {_span(ages.access_age)} old, {end}"
    if ages.refresh_age is not None and ages.refresh_unused_for is not None:
        unused = _span(ages.refresh_unused_for)
        yield "Refresh token", f"is {_span(ages.refresh_age)} old, unused for {unused}"
    if ages.last_error is not None:
        yield "Last error", f"{ages.last_error} (failures in a row: {ages.failures})"
    if ages.retry_in is not None:
        yield "Next refresh", f"in {_span(ages.retry_in)}"
    if view.idle_days is not None:
        yield "Idle days", f"{view.idle_days}{f'. {view.warning}' if view.warning else ''}"


def _span(seconds: int) -> str:
    """Return the largest unit of a span and the one below it, as in "3 h 12 min"."""
    days, rest = divmod(max(0, seconds), 86_400)
    hours, rest = divmod(rest, 3_600)
    units = [(days, "d"), (hours, "h"), (rest // 60, "min"), (rest % 60, "s")]
    largest = next((place for place, (count, _) in enumerate(units) if count), 0)
    return " ".join(f"{count} {unit}" for count, unit in units[largest : largest + 2] if count) or "0 s"
