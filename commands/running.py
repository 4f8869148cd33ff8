"""`flask sandbox|worker|drain|lists|sign-in-link|doctor`."""

import gc
import os
import signal
import threading
from datetime import UTC, datetime

import click
from flask import current_app
from flask.cli import with_appcontext
from werkzeug.serving import run_simple

from commands.context import base_address, refuse_builtin_sandbox, services
from sandbox import SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET, create_sandbox
from services.delivery.thread import watch
from services.errors import ListsUnavailable
from services.problems import Level

HANGS = 1


@click.command("sandbox")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=5001, show_default=True, type=click.IntRange(1, 65535))
def sandbox(host: str, port: int) -> None:
    """Run the stand-in for Constant Contact on a port of its own."""
    click.echo(f"Sandbox on http://{host}:{port}/  ({SANDBOX_CLIENT_ID} / {SANDBOX_CLIENT_SECRET})")
    application = create_sandbox()
    gc.freeze()  # else collecting garbage among all modules would delay calls by 0.1 s
    run_simple(host, port, application, threaded=True)


@click.command("worker")
@with_appcontext
def worker() -> None:
    """Deliver until told to stop; for deployments with DELIVERY=off in the web processes.

    Ends with status 1 when it hangs for a minute: have it started again, as systemd and containers do.
    """
    refuse_builtin_sandbox()
    delivery, stop = services().delivery, threading.Event()

    def end(*_: object) -> None:
        stop.set()
        delivery.wake()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    background = current_app.extensions["parts"].background
    background.tokens.start()
    background.housekeeping.start()
    background.alerts.start()
    # A loop that hangs cannot be ended: the process ends, and its supervisor starts another.
    # What it had claimed becomes due when its leases end.
    threading.Thread(
        target=watch, args=(delivery, stop), kwargs={"end": lambda: os._exit(HANGS)}, daemon=True
    ).start()
    gc.freeze()  # as in gunicorn.conf.py
    # Other processes store the sign-ups and cannot wake this one, so it looks every second.
    delivery.run(stop, longest_idle_seconds=1)
    background.alerts.stop()
    background.housekeeping.stop()
    background.tokens.stop()


@click.command("drain")
@click.option("--seconds", default=25.0, show_default=True, help="Stop after this time.")
@with_appcontext
def drain(seconds: float) -> None:
    """Deliver what is due, once."""
    refuse_builtin_sandbox()
    report = services().delivery.drain(seconds)
    click.echo(
        f"delivered {report.delivered}, postponed {report.postponed}, "
        f"parked {report.parked}, still waiting {report.pending}"
    )


@click.command("lists")
@with_appcontext
def lists() -> None:
    """Print the account's lists with their ids."""
    refuse_builtin_sandbox()
    try:
        view = services().lists.read(refresh=True)
    except ListsUnavailable as error:
        raise click.ClickException(str(error)) from error
    for entry in view.entries:
        click.echo(f"{entry.list_id}  {entry.membership_count:>7}  {entry.name}")
    if view.stale:
        fetched = datetime.fromtimestamp(view.fetched_at / 1000, UTC)
        click.echo(f"Constant Contact is away; these are of {fetched:%Y-%m-%d %H:%M} UTC.", err=True)


@click.command("sign-in-link")
@click.option("--welcome", is_flag=True, help="Say where to click as well.")
@with_appcontext
def sign_in_link(welcome: bool) -> None:
    """Print a link that signs in as admin, once, within an hour."""
    settings, base = current_app.extensions["settings"], base_address()
    link = f"{base}/admin/sign-in/{services().admin.new_link_token()}"
    if not welcome:
        click.echo(link)
        return
    click.echo(f"\n  Subscriber Sync   {base}/")
    if settings.builtin_sandbox:
        click.echo(
            f"  Sandbox           {base}/sandbox/   (plays Constant Contact until you set a client id)"
        )
    click.echo(f"  Sign in, once     {link}\n")


@click.command("doctor")
@click.option("--online", is_flag=True, help="Call Constant Contact's hosts as well.")
@with_appcontext
@click.pass_context
def doctor(context: click.Context, online: bool) -> None:
    """Say what is wrong and how to mend it; exit code 1 when there is a problem."""
    found = services().doctor.examine(online=online)
    for problem in found:
        click.echo(str(problem))
    context.exit(1 if any(problem.level is Level.PROBLEM for problem in found) else 0)
