"""The `flask` commands: thin, each calls a use case and prints the outcome."""

from __future__ import annotations

import signal
import threading
from datetime import UTC, datetime

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from werkzeug.serving import run_simple

from sandbox import SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET, create_sandbox
from services import ListsUnavailable, Services
from settings import Settings


def register_commands(app: Flask) -> None:
    """Add every command to `flask`; they find the use cases in the app's extensions."""
    for command in (sandbox, worker, drain, lists, sign_in_link):
        app.cli.add_command(command)


def _services() -> Services:
    services: Services = current_app.extensions["services"]
    return services


def _refuse_builtin_sandbox() -> None:
    """A second process has a built-in sandbox of its own: what it delivered would be seen nowhere."""
    if current_app.extensions["settings"].builtin_sandbox:
        raise click.ClickException(
            "The built-in sandbox lives inside the web process, which delivers by itself. To try this, "
            "run `flask sandbox` and point CONSTANT_CONTACT_API_URL and CONSTANT_CONTACT_AUTH_URL at it."
        )


@click.command("sandbox")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=5001, show_default=True, type=click.IntRange(1, 65535))
def sandbox(host: str, port: int) -> None:
    """Run the stand-in for Constant Contact on a port of its own."""
    click.echo(f"Sandbox on http://{host}:{port}/  ({SANDBOX_CLIENT_ID} / {SANDBOX_CLIENT_SECRET})")
    run_simple(host, port, create_sandbox(), threaded=True)


@click.command("worker")
@with_appcontext
def worker() -> None:
    """Deliver until told to stop; for deployments with DELIVERY=off in the web processes."""
    _refuse_builtin_sandbox()
    delivery, stop = _services().delivery, threading.Event()

    def end(*_: object) -> None:
        stop.set()
        delivery.wake()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    # The sign-ups come from other processes, so nothing wakes this one: it looks every second.
    delivery.run(stop, longest_idle_seconds=1)


@click.command("drain")
@click.option("--seconds", default=25.0, show_default=True, help="Stop after this time.")
@with_appcontext
def drain(seconds: float) -> None:
    """Deliver what is due, once."""
    _refuse_builtin_sandbox()
    report = _services().delivery.drain(seconds)
    click.echo(
        f"delivered {report.delivered}, postponed {report.postponed}, "
        f"parked {report.parked}, still waiting {report.pending}"
    )


@click.command("lists")
@with_appcontext
def lists() -> None:
    """Print the account's lists with their ids."""
    try:
        view = _services().lists.read(refresh=True)
    except ListsUnavailable as error:
        raise click.ClickException(str(error)) from error
    for entry in view.lists:
        click.echo(f"{entry.list_id}  {entry.membership_count:>7}  {entry.name}")
    if view.stale:
        fetched = datetime.fromtimestamp(view.fetched_at / 1000, UTC)
        click.echo(f"Constant Contact is away; these are of {fetched:%Y-%m-%d %H:%M} UTC.", err=True)


@click.command("sign-in-link")
@click.option("--welcome", is_flag=True, help="Say where to click as well.")
@with_appcontext
def sign_in_link(welcome: bool) -> None:
    """Print a link that signs in as admin, once, within an hour."""
    settings: Settings = current_app.extensions["settings"]
    base = settings.public_base_url or f"http://127.0.0.1:{settings.port}"
    link = f"{base}/admin/sign-in/{_services().admin.new_link_token()}"
    if not welcome:
        click.echo(link)
        return
    click.echo(f"\n  Subscriber Sync   {base}/")
    if settings.builtin_sandbox:
        click.echo(
            f"  Sandbox           {base}/sandbox/   (plays Constant Contact until you set a client id)"
        )
    click.echo(f"  Sign in, once     {link}\n")
