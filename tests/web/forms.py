"""A form that an admin made, for the tests of what visitors and admins do with it."""

from typing import Any

from flask import Flask

from services.forms.form import Form

LIST_ID = "6b1d4c1e-7a52-11ef-9f3c-fa163e123456"
SHOP = "https://shop.example.net"
FORM: dict[str, Any] = {
    "slug": "spring-news",
    "name": "Spring newsletter",
    "list_ids": [LIST_ID],
    "fields": [
        {"name": "first_name", "label": "What shall we call you?", "required": True},
        {"name": "phone", "label": "Telephone"},
    ],
    "wording": "Yes, write to me.",
    "origins": [SHOP],
}


def make(app: Flask, **changes: Any) -> Form:
    """Save FORM with these changes."""
    saved: Form = app.extensions["services"].forms.save(FORM | changes)
    return saved
