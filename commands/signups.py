"""`flask signups`; it shows people's data in full."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from flask.cli import with_appcontext

from commands.context import database_errors_shown, services
from commands.text import print_rows
from services.signups.advice import WHAT_RETRY_LEADS_TO
from services.signups.export import csv_lines, json_lines
from services.signups.manage import STATES, AddressUnclear, Retry, UnusableDecision
from services.signups.text import signup_line, signup_rows


@click.group("signups")
def signups() -> None:
    """Look after sign-ups. It shows people's data in full."""


def _epoch_ms(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter("a date like 2026-11-21 or a time like 2026-11-21T09:30, UTC") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


@signups.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--email", help="Only those of this address.")
@click.option("--since", callback=_epoch_ms, help="Only those received at this date or time (UTC) or later.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@with_appcontext
def signups_list(state: str | None, email: str | None, since: int | None, limit: int) -> None:
    """Print the newest sign-ups: id, time, state, address, last error."""
    with _errors_shown():
        found = services().signups.newest(limit=limit, state=state, email=email, since=since)
    for record in found:
        click.echo(signup_line(record))
    if not found:
        click.echo("No such sign-up.", err=True)


@signups.command("show")
@click.argument("signup_id")
@with_appcontext
def signups_show(signup_id: str) -> None:
    """Print everything about one sign-up, and what to do next."""
    with _errors_shown():
        case = services().signups.show(signup_id)
    if case is None:
        raise click.ClickException(f"There is no sign-up {signup_id}.")
    print_rows(signup_rows(case.record, case.attempts, case.what_next))


@signups.command("retry")
@click.argument("signup_ids", nargs=-1)
@click.option("--all-parked", is_flag=True, help="All that Constant Contact refused.")
@click.option(
    "--list",
    "lists",
    metavar="OLD=NEW",
    help="All that wait or are parked for the list OLD, to the list NEW in its place; both by their ids.",
)
@with_appcontext
@click.pass_context
def signups_retry(
    context: click.Context, signup_ids: tuple[str, ...], all_parked: bool, lists: str | None
) -> None:
    """Send parked sign-ups again; exit code 1 when one of them was not parked."""
    if [bool(signup_ids), all_parked, lists is not None].count(True) != 1:
        raise click.UsageError("Name the sign-ups, or say --all-parked, or --list OLD=NEW.")
    with _errors_shown():
        if lists is not None:
            outcomes = [Retry.DUE] * _replace_list(lists)
        elif all_parked:
            outcomes = [Retry.DUE] * services().signups.retry_all_parked()
            click.echo(f"Sign-ups that are due again: {len(outcomes)}.")
        else:
            outcomes = [_retry(signup_id) for signup_id in signup_ids]
    if Retry.DUE in outcomes:
        click.echo(WHAT_RETRY_LEADS_TO)
    context.exit(1 if set(outcomes) - {Retry.DUE} else 0)


@signups.command("drop")
@click.argument("signup_ids", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why; it stays on record with the sign-up.")
@with_appcontext
@click.pass_context
def signups_drop(context: click.Context, signup_ids: tuple[str, ...], reason: str) -> None:
    """Never send sign-ups that wait or are parked; they stay on record.

    Exit code 1 when one of them could not be dropped.
    """
    with _errors_shown():
        outcomes = [services().signups.drop(signup_id, reason) for signup_id in signup_ids]
    for signup_id, dropped in zip(signup_ids, outcomes, strict=True):
        words = "is dropped." if dropped else "neither waits nor is parked, so it is left alone."
        click.echo(f"{signup_id} {words}", err=not dropped)
    context.exit(0 if all(outcomes) else 1)


@signups.command("export")
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option("--email", help="Only those of this address.")
@with_appcontext
def signups_export(form: str, email: str | None) -> None:
    """Print every sign-up, oldest first, as a table (CSV) or as lines of JSON; always UTF-8."""
    output = sys.stdout.buffer
    with _errors_shown():
        records = services().signups.all(email=email)
        parts = csv_lines(records) if form == "csv" else json_lines(records)
        for part in parts:
            output.write(part.encode())
    output.flush()


@contextmanager
def _errors_shown() -> Iterator[None]:
    with database_errors_shown():
        try:
            yield
        except (AddressUnclear, UnusableDecision) as error:
            raise click.UsageError(str(error)) from error


def _replace_list(lists: str) -> int:
    old, equals, new = lists.partition("=")
    if not equals:
        raise click.UsageError("Say --list OLD=NEW, both by their ids; `flask lists` prints them.")
    changed = services().signups.replace_list(old, new)
    click.echo(f"Sign-ups that go to the other list and are due: {changed}.")
    return changed


def _retry(signup_id: str) -> Retry:
    outcome = services().signups.retry(signup_id)
    words = {
        Retry.DUE: "is due again.",
        Retry.NOT_PARKED: f"is not parked, so it is left alone: see `flask signups show {signup_id}`.",
        Retry.UNKNOWN: "is not known.",
    }
    click.echo(f"{signup_id} {words[outcome]}", err=outcome is not Retry.DUE)
    return outcome
