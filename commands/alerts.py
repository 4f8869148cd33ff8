"""Whether alerts arrive."""

import click
from flask.cli import with_appcontext

from commands.context import refuse_builtin_sandbox, services


@click.group("alerts")
def alerts() -> None:
    """Tell people when something needs them."""


@alerts.command("test")
@with_appcontext
@click.pass_context
def test(context: click.Context) -> None:
    """Send a test to each address and the webhook, and say what happened; exit code 1 where one failed."""
    refuse_builtin_sandbox()
    use_case, failed = services().alerts, False
    if not use_case.targets:
        raise click.ClickException("Nobody is told: set ALERT_EMAILS with SMTP_URL, or ALERT_WEBHOOK_URL.")
    for target in use_case.targets:
        problem = use_case.test(target)
        failed = failed or problem is not None
        click.echo(f"{target}: {problem or 'sent'}")
    context.exit(1 if failed else 0)
