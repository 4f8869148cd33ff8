"""`flask forms`."""

from typing import get_args

import click
from flask.cli import with_appcontext

from commands.context import base_address, database_errors_shown, services
from commands.text import form_rows, print_rows
from services.errors import InvalidForm
from services.forms.editor import ProtectionLevel
from services.signups.text import printable
from services.submission.custom_fields import custom_name
from services.submission.fields import ASKED


@click.group("forms")
def forms() -> None:
    """Make forms, look at them and archive them, as at /admin/forms/."""


@forms.command("list")
@with_appcontext
def forms_list() -> None:
    """Print every form: short name, state, name."""
    with database_errors_shown():
        found = services().forms.all()
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
        label = custom_name(name) or (ASKED[name].label if name in ASKED else "")
        if not label or mark not in {"", "required"}:
            known = ", ".join((*ASKED, "custom_fields[its name]"))
            raise click.BadParameter(f"“{value}”: one of {known}; with :required behind it, if it is.")
        fields.append({"name": name, "label": label, "required": bool(mark)})
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
@click.option("--tag", "tags", multiple=True, help="A tag that people get; may be repeated.")
@click.option(
    "--protection",
    type=click.Choice(get_args(ProtectionLevel)),
    default="none",
    show_default=True,
    help="Against programs; standard and above not for plain HTML.",
)
@click.option("--protect-existing", is_flag=True, help="Keep what a contact already has: a look-up each.")
@with_appcontext
def forms_create(**entered: object) -> None:
    """Make a form and print the address of its own page."""
    try:
        with database_errors_shown():
            made = services().forms.save(entered, new=True)
    except InvalidForm as error:
        # Each wrong field by the option that it was given by.
        options = {parameter.name: parameter.opts[0] for parameter in forms_create.params}
        problems = (f"{options.get(each.field, each.field)}: {each.message}" for each in error.errors)
        raise click.UsageError("\n".join(problems)) from None
    click.echo(f"{base_address()}/forms/{made.slug}")


@forms.command("show")
@click.argument("slug")
@with_appcontext
def forms_show(slug: str) -> None:
    """Print one form, with every wording of consent that it ever showed."""
    with database_errors_shown():
        form = services().forms.get(slug)
    if form is None:
        raise click.ClickException(f"There is no form {slug}.")
    print_rows(form_rows(form))


@forms.command("archive")
@click.argument("slug")
@with_appcontext
def forms_archive(slug: str) -> None:
    """Take no more sign-ups by a form. Nothing is deleted; saving it at /admin/forms/ brings it back."""
    with database_errors_shown():
        archived = services().forms.archive(slug)
    if not archived:
        raise click.ClickException(f"There is no form {slug} in use; see `flask forms list`.")
    click.echo(f"{slug} is archived. Running services stop taking its sign-ups within 5 seconds.")
