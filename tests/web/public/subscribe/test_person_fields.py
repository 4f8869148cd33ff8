"""What a form may ask about a person reaches the contact at Constant Contact."""

from flask import Flask
from flask.testing import FlaskClient

HOME = {
    "street": "1 High St",
    "city": "Boston",
    "state": "Massachusetts",
    "postal_code": "02451",
    "country": "United States",
}
PERSON = {"first_name": "Ada", "phone": "555 0100", "anniversary": "2006-11-15", **HOME}
BORN = {"birthday_month": "2", "birthday_day": "29"}


def test_every_field_of_a_form_reaches_the_contact(connected: FlaskClient, app: Flask, list_id: str) -> None:
    """As the vendor's rules, which the sandbox checks, want it."""
    form = {"email": "ada@example.org", "list_id": list_id, **PERSON, **BORN}
    assert connected.post("/subscribe", data=form).status_code == 303
    app.extensions["services"].delivery.drain(5)
    (contact,) = connected.get("/sandbox/_sandbox/state").get_json()["contacts"]
    assert (contact["birthday_month"], contact["birthday_day"]) == (2, 29)
    assert contact["anniversary"] == "2006-11-15"
    (home,) = contact["street_addresses"]
    assert {"kind": "home", **HOME}.items() <= home.items()


def test_a_mistake_does_not_cost_what_was_typed(client: FlaskClient, list_id: str) -> None:
    """The page shows each field again, the wrong one with its message."""
    wrong = {"email": "ada@example.org", "list_id": list_id, **PERSON, **BORN, "birthday_day": "30"}
    page = client.post("/subscribe", data=wrong).text
    for name in (*PERSON, *BORN):
        assert f'name="{name}"' in page
        assert f'value="{wrong[name]}"' in page
    assert '<small id="birthday_day-error">This month does not have so many days.' in page
