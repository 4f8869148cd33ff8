"""`flask signups suspected`."""

from collections.abc import Callable
from datetime import UTC, datetime

import click
from flask.cli import with_appcontext

from commands.context import database_errors_shown, services
from services.protection.rules import RULES

_REASON = click.option("--reason", type=click.Choice(sorted(RULES)), help="One of the rules they broke.")


@click.group("suspected")
def suspected() -> None:
    """Decide on sign-ups that look like a program's; nothing is sent for them before."""


@suspected.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@_REASON
@click.option("--email", help="Those of one address.")
@with_appcontext
def suspected_list(limit: int, reason: str | None, email: str | None) -> None:
    """Print those that wait, the likeliest people first: id, time, address, what they did."""
    review = services().suspected
    with database_errors_shown():
        found = review.of_address(email, limit) if email else review.waiting(limit, reason=reason)
    for suspect in found:
        at = datetime.fromtimestamp(suspect.received_at / 1000, UTC)
        reasons = [RULES.get(name, name) for name in suspect.reasons]
        words = [*reasons, *(["Solved a captcha."] if suspect.proven else [])]
        click.echo(f"{suspect.id}  {at:%Y-%m-%dT%H:%M:%SZ}  {suspect.email}  {' '.join(words)}")
    if not found:
        click.echo("No sign-up is suspected.", err=True)


@suspected.command("release")
@click.argument("signup_ids", nargs=-1)
@_REASON
@with_appcontext
@click.pass_context
def suspected_release(context: click.Context, signup_ids: tuple[str, ...], reason: str | None) -> None:
    """Deliver them like any other; exit code 1 when one of them does not wait here."""
    review = services().suspected
    if reason and not signup_ids:
        _decide_all(review.release_all, reason, "is due.")
    else:
        _decide(context, review.release, signup_ids, reason, "is due.")


@suspected.command("delete")
@click.argument("signup_ids", nargs=-1)
@_REASON
@with_appcontext
@click.pass_context
def suspected_delete(context: click.Context, signup_ids: tuple[str, ...], reason: str | None) -> None:
    """Remove them for good; by --reason without those that solved a captcha."""
    review = services().suspected
    if reason and not signup_ids:
        _decide_all(review.delete_all, reason, "is deleted.")
    else:
        _decide(context, review.delete, signup_ids, reason, "is deleted.")


def _decide(
    context: click.Context,
    decide: Callable[[str], bool],
    signup_ids: tuple[str, ...],
    reason: str | None,
    done: str,
) -> None:
    if reason or not signup_ids:
        raise click.UsageError("Name either ids or a --reason.")
    with database_errors_shown():
        outcomes = {signup_id: decide(signup_id) for signup_id in signup_ids}
    for signup_id, decided in outcomes.items():
        click.echo(f"{signup_id} {done if decided else 'does not wait here.'}", err=not decided)
    context.exit(0 if all(outcomes.values()) else 1)


def _decide_all(decide: Callable[..., int], reason: str, done: str) -> None:
    """Decide step by step on all that wait now, BULK_MOST in a step."""
    number = 0
    with database_errors_shown():
        _, seen = services().suspected.to_confirm(reason, 1)
        while decided := decide(reason, seen=seen):
            number += decided
    click.echo(f"{number} {'sign-up' if number == 1 else 'sign-ups'}: each {done}")
