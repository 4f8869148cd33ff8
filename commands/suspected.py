"""`flask signups suspected`."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from flask.cli import with_appcontext

from commands.reach import database_faults_told, services


@click.group("suspected")
def suspected() -> None:
    """Decide on sign-ups that look like a program's; nothing is sent for them before."""


@suspected.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@with_appcontext
def suspected_list(limit: int) -> None:
    """Print the newest that wait for a decision: id, time, address, what they did."""
    with database_faults_told():
        found = services().quarantine.waiting(limit)
    for suspect in found:
        at = datetime.fromtimestamp(suspect.received_at / 1000, UTC)
        click.echo(f"{suspect.id}  {at:%Y-%m-%dT%H:%M:%SZ}  {suspect.email}  {' '.join(suspect.reasons)}")
    if not found:
        click.echo("No sign-up is suspected.", err=True)


@suspected.command("release")
@click.argument("signup_ids", nargs=-1, required=True)
@with_appcontext
@click.pass_context
def suspected_release(context: click.Context, signup_ids: tuple[str, ...]) -> None:
    """Deliver them like any other; exit code 1 when one of them does not wait here."""
    with database_faults_told():
        outcomes = {signup_id: services().quarantine.release(signup_id) for signup_id in signup_ids}
    for signup_id, released in outcomes.items():
        click.echo(f"{signup_id} {'is due.' if released else 'does not wait here.'}", err=not released)
    context.exit(0 if all(outcomes.values()) else 1)
