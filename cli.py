"""The `flask` commands: thin, each calls a use case and prints the outcome."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from werkzeug.serving import run_simple

from sandbox import SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET, create_sandbox
from services import (
    FIELD_NAMES,
    AddressUnclear,
    ConnectionView,
    InvalidForm,
    ListsUnavailable,
    Retry,
    Services,
)
from services.delivery import watch
from services.findings import Level
from services.form_words import rows as form_rows
from services.signup_care import STATES
from services.signup_export import csv_lines, json_lines
from services.signup_words import WHAT_RETRY_LEADS_TO, line, printable, rows
from services.token_ages import TokenAges
from settings import Settings, SettingsError
from store import StoreError, StoreMisconfigured
from web.filled_form import INPUTS


def register_commands(app: Flask) -> None:
    """Add every command to `flask`; they find the use cases in the app's extensions."""
    for command in (sandbox, worker, drain, lists, sign_in_link, connection, doctor, forms, signups):
        app.cli.add_command(command)


def app_for_commands() -> Flask:
    """The app for `flask`, as .flaskenv says: what keeps it from starting is told without a traceback."""
    from app import create_app  # noqa: PLC0415 - the app imports this module

    try:
        return create_app()
    except (SettingsError, StoreMisconfigured) as error:
        # Not an exception of click's: where Flask lists the commands it prints the traceback of any.
        click.echo(str(error), err=True)
        raise SystemExit(2) from None


def _services() -> Services:
    services: Services = current_app.extensions["services"]
    return services


def _refuse_builtin_sandbox() -> None:
    """A second process has a built-in sandbox of its own: what it delivered would be seen nowhere."""
    if current_app.extensions["settings"].builtin_sandbox:
        raise click.ClickException(
            "The built-in sandbox lives inside the web process, which does this by itself. To try it here, "
            "run `flask sandbox` and point CONSTANT_CONTACT_API_URL and CONSTANT_CONTACT_AUTH_URL at it."
        )


@contextmanager
def _database_faults_told() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise click.ClickException(
            f"The database cannot be used (`flask doctor` says more): {error}"
        ) from error


@click.command("sandbox")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=5001, show_default=True, type=click.IntRange(1, 65535))
def sandbox(host: str, port: int) -> None:
    """Run the stand-in for Constant Contact on a port of its own."""
    click.echo(f"Sandbox on http://{host}:{port}/  ({SANDBOX_CLIENT_ID} / {SANDBOX_CLIENT_SECRET})")
    run_simple(host, port, create_sandbox(), threaded=True)


HANGS = 1


@click.command("worker")
@with_appcontext
def worker() -> None:
    """Deliver until told to stop; for deployments with DELIVERY=off in the web processes.

    Ends with status 1 when it hangs for a minute: have it started again, as systemd and containers do.
    """
    _refuse_builtin_sandbox()
    delivery, stop = _services().delivery, threading.Event()

    def end(*_: object) -> None:
        stop.set()
        delivery.wake()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    ticker, housekeeping = (current_app.extensions[name] for name in ("ticker", "housekeeping_thread"))
    ticker.start()
    housekeeping.start()
    # A loop that hangs cannot be ended; whoever started this process starts another, leases cover the rest.
    threading.Thread(
        target=watch, args=(delivery, stop), kwargs={"end": lambda: os._exit(HANGS)}, daemon=True
    ).start()
    # The sign-ups come from other processes, so nothing wakes this one: it looks every second.
    delivery.run(stop, longest_idle_seconds=1)
    housekeeping.stop()
    ticker.stop()


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
    _refuse_builtin_sandbox()
    try:
        view = _services().lists.read(refresh=True)
    except ListsUnavailable as error:
        raise click.ClickException(str(error)) from error
    for entry in view.lists:
        click.echo(f"{entry.list_id}  {entry.membership_count:>7}  {entry.name}")
    if view.stale:
        fetched = datetime.fromtimestamp(view.fetched_at / 1000, UTC)
        click.echo(f"Constant Contact is away; these are of {fetched:%Y-%m-%d %H:%M} UTC.", err=True)


def _base_address() -> str:
    settings: Settings = current_app.extensions["settings"]
    return settings.public_base_url or f"http://127.0.0.1:{settings.port}"


@click.command("sign-in-link")
@click.option("--welcome", is_flag=True, help="Say where to click as well.")
@with_appcontext
def sign_in_link(welcome: bool) -> None:
    """Print a link that signs in as admin, once, within an hour."""
    settings, base = current_app.extensions["settings"], _base_address()
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


@click.group("connection")
def connection() -> None:
    """Look after the connection to Constant Contact."""


@connection.command("status")
@with_appcontext
@click.pass_context
def connection_status(context: click.Context) -> None:
    """Say how the connection stands; exit code 0 only when it is connected."""
    with _database_faults_told():
        view, ages = _services().connection.read(), _services().tokens.read()
    for name, value in _status_rows(view, ages):
        click.echo(f"{name:<14} {value}")
    context.exit(0 if view.state == "connected" else 1)


@connection.command("refresh")
@with_appcontext
@click.pass_context
def connection_refresh(context: click.Context) -> None:
    """Renew the tokens now, and say what came of it; exit code 0 only when they are renewed."""
    _refuse_builtin_sandbox()
    with _database_faults_told():
        refreshed, sentence = _services().connection_control.refresh()
    click.echo(sentence)
    context.exit(0 if refreshed else 1)


@connection.command("disconnect")
@click.confirmation_option(prompt="Forget the tokens? Sign-ups stay, and wait until somebody connects again.")
@with_appcontext
def connection_disconnect() -> None:
    """Forget the tokens and keep the queue; asks first."""
    with _database_faults_told():
        _services().connection_control.disconnect()
    click.echo("Disconnected. Connect again at /admin/.")


@click.command("doctor")
@click.option("--online", is_flag=True, help="Look for Constant Contact's hosts in the DNS as well.")
@with_appcontext
@click.pass_context
def doctor(context: click.Context, online: bool) -> None:
    """Say what is wrong and how to mend it; exit code 1 when there is a problem."""
    found = _services().doctor.examine(online=online)
    for finding in found:
        click.echo(str(finding))
    context.exit(1 if any(finding.level is Level.PROBLEM for finding in found) else 0)


@click.group("forms")
def forms() -> None:
    """Make forms, look at them and archive them, as at /admin/forms/."""


@forms.command("list")
@with_appcontext
def forms_list() -> None:
    """Print every form: short name, state, name."""
    with _database_faults_told():
        found = _services().forms.all()
    for form in found:
        click.echo(f"{form.slug:<24}  {'archived' if form.archived else 'in use':<8}  {printable(form.name)}")
    if not found:
        click.echo("There is no form yet; make one at /admin/forms/ or by `flask forms create`.", err=True)


def _form_fields(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> list[dict[str, object]]:
    fields: list[dict[str, object]] = []
    for value in values:
        name, _, mark = value.partition(":")
        if name not in FIELD_NAMES or mark not in {"", "required"}:
            known = ", ".join(FIELD_NAMES)
            raise click.BadParameter(f"“{value}”: one of {known}; with :required behind it, if it is.")
        fields.append({"name": name, "label": INPUTS[name][0], "required": bool(mark)})
    return fields


@forms.command("create")
@click.option("--slug", required=True, help="Its short name, for addresses.")
@click.option("--name", required=True, help="What visitors see as the title.")
@click.option("--list", "list_ids", multiple=True, required=True, help="A list's id; may be repeated.")
@click.option("--field", "fields", multiple=True, callback=_form_fields, help="name or name:required.")
@click.option("--consent", "wording", help="What people tick.")
@click.option("--sms-consent", "sms_wording", help="The same for text messages, with --field sms_number.")
@click.option("--sms-country", help="Of numbers that do not tell theirs, in two letters.")
@click.option("--thanks", "thank_you_message", help="Shown afterwards.")
@click.option("--thank-you-page", "thank_you_url", help="Or an address to go to.")
@click.option("--origin", "origins", multiple=True, help="A site that shows it by script; may be repeated.")
@click.option("--protect-existing", is_flag=True, help="Keep what a contact already has: a look-up each.")
@with_appcontext
def forms_create(**entered: object) -> None:
    """Make a form and print the address of its own page."""
    try:
        with _database_faults_told():
            made = _services().forms.save(entered, new=True)
    except InvalidForm as error:
        # Each wrong field by the option that it was given by.
        options = {parameter.name: parameter.opts[0] for parameter in forms_create.params}
        problems = (f"{options.get(each.field, each.field)}: {each.message}" for each in error.errors)
        raise click.UsageError("\n".join(problems)) from None
    click.echo(f"{_base_address()}/forms/{made.slug}")


@forms.command("show")
@click.argument("slug")
@with_appcontext
def forms_show(slug: str) -> None:
    """Print one form, with every wording of consent that it ever showed."""
    with _database_faults_told():
        form = _services().forms.get(slug)
    if form is None:
        raise click.ClickException(f"There is no form {slug}.")
    for name, value in form_rows(form):
        click.echo(f"{name:<16} {value}".rstrip())


@forms.command("archive")
@click.argument("slug")
@with_appcontext
def forms_archive(slug: str) -> None:
    """Take no more sign-ups by a form. Nothing is deleted; saving it at /admin/forms/ brings it back."""
    with _database_faults_told():
        archived = _services().forms.archive(slug)
    if not archived:
        raise click.ClickException(f"There is no form {slug} in use; see `flask forms list`.")
    click.echo(f"{slug} is archived. Running services stop taking its sign-ups within 5 seconds.")


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
    with _signup_faults_told():
        found = _services().signups.newest(limit=limit, state=state, email=email, since=since)
    for record in found:
        click.echo(line(record))
    if not found:
        click.echo("No such sign-up.", err=True)


@signups.command("show")
@click.argument("signup_id")
@with_appcontext
def signups_show(signup_id: str) -> None:
    """Print everything about one sign-up, and what to do next."""
    with _signup_faults_told():
        case = _services().signups.show(signup_id)
    if case is None:
        raise click.ClickException(f"There is no sign-up {signup_id}.")
    for name, value in rows(case.record, case.attempts, case.what_next):
        click.echo(f"{name:<16} {value}".rstrip())


@signups.command("retry")
@click.argument("signup_ids", nargs=-1)
@click.option("--all-parked", is_flag=True, help="All that Constant Contact refused.")
@with_appcontext
@click.pass_context
def signups_retry(context: click.Context, signup_ids: tuple[str, ...], all_parked: bool) -> None:
    """Send parked sign-ups again; exit code 1 when one of them was not parked."""
    if bool(signup_ids) == all_parked:
        raise click.UsageError("Name the sign-ups, or say --all-parked.")
    with _signup_faults_told():
        if all_parked:
            outcomes = [Retry.DUE] * _services().signups.retry_all_parked()
            click.echo(f"Sign-ups that are due again: {len(outcomes)}.")
        else:
            outcomes = [_retry(signup_id) for signup_id in signup_ids]
    if Retry.DUE in outcomes:
        click.echo(WHAT_RETRY_LEADS_TO)
    context.exit(1 if set(outcomes) - {Retry.DUE} else 0)


@signups.command("export")
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option("--email", help="Only those of this address.")
@with_appcontext
def signups_export(form: str, email: str | None) -> None:
    """Print every sign-up, oldest first, as a table (CSV) or as lines of JSON; always UTF-8."""
    output = sys.stdout.buffer
    with _signup_faults_told():
        records = _services().signups.all(email=email)
        parts = csv_lines(records) if form == "csv" else json_lines(records)
        for part in parts:
            output.write(part.encode())
    output.flush()


@signups.group("suspected")
def suspected() -> None:
    """Decide on sign-ups that look like a program's; nothing is sent for them before."""


@suspected.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@with_appcontext
def suspected_list(limit: int) -> None:
    """Print the newest that wait for a decision: id, time, address, what they did."""
    with _database_faults_told():
        found = _services().quarantine.waiting(limit)
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
    with _database_faults_told():
        outcomes = {signup_id: _services().quarantine.release(signup_id) for signup_id in signup_ids}
    for signup_id, released in outcomes.items():
        click.echo(f"{signup_id} {'is due.' if released else 'does not wait here.'}", err=not released)
    context.exit(0 if all(outcomes.values()) else 1)


@contextmanager
def _signup_faults_told() -> Iterator[None]:
    with _database_faults_told():
        try:
            yield
        except AddressUnclear as error:
            raise click.UsageError(str(error)) from error


def _retry(signup_id: str) -> Retry:
    outcome = _services().signups.retry(signup_id)
    words = {
        Retry.DUE: "is due again.",
        Retry.NOT_PARKED: f"is not parked, so it is left alone: see `flask signups show {signup_id}`.",
        Retry.UNKNOWN: "is not known.",
    }
    click.echo(f"{signup_id} {words[outcome]}", err=outcome is not Retry.DUE)
    return outcome


def _status_rows(view: ConnectionView, ages: TokenAges) -> Iterator[tuple[str, str]]:
    """What is known, a name and a value each; no row for what is not."""
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
    """The largest unit of a span and the one below it, as in "3 h 12 min"."""
    days, rest = divmod(max(0, seconds), 86_400)
    hours, rest = divmod(rest, 3_600)
    units = [(days, "d"), (hours, "h"), (rest // 60, "min"), (rest % 60, "s")]
    largest = next((place for place, (count, _) in enumerate(units) if count), 0)
    return " ".join(f"{count} {unit}" for count, unit in units[largest : largest + 2] if count) or "0 s"
