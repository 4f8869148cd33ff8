"""Forms as text for a terminal, and how such text is printed."""

from collections.abc import Iterable

import click

from services.forms.form import Form
from services.signups.text import Row, lines_of
from services.submission.web_origins import shown


def print_rows(rows: Iterable[Row]) -> None:
    """Print each name with its value."""
    for name, line in lines_of(rows):
        click.echo(f"{name:<16} {line}".rstrip())


def form_rows(form: Form) -> list[Row]:
    """Return name and value of all that a form has."""
    return [
        ("Form", form.slug),
        ("State", "archived" if form.archived else "in use"),
        ("Name", form.name),
        *(("List", list_id) for list_id in form.list_ids),
        *(
            ("Field", f"{each.name}{', required' if each.required else ''}: {each.label}")
            for each in form.fields
        ),
        *(("Tag", tag) for tag in form.tags),
        ("Thanks", form.thank_you_message),
        ("Thank-you page", form.thank_you_url),
        ("Protection", form.protection),
        ("Most waiting", str(form.most_pending or "any number")),
        *(("Site", shown(origin)) for origin in form.origins),
        ("Contacts", "keep what they have already" if form.protect_existing else None),
        *(
            (f"Consent {number}", wording or "none was asked for")
            for number, wording in enumerate(form.wordings, start=1)
        ),
        *(
            (f"SMS consent {number}", wording or "none was asked for")
            for number, wording in enumerate(form.sms_wordings, start=1)
        ),
        ("SMS country", form.sms_country),
    ]
