"""A form that asks for a number for text messages, as a visitor and an admin meet it."""

import json
import re
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from tests.web.admin.test_forms import ENTERED, post, snippets
from tests.web.conftest import sign_in
from tests.web.forms import FORM, make

FIELDS = [*FORM["fields"], {"name": "sms_number", "label": "Mobile"}]
WORDING = "Yes, text me <weekly>."
POST = {"form": "spring-news", "email": "ada@example.org", "first_name": "Ada", "consent": "version 1"}
PAGE = {"Accept": "text/html"}


def stored(app: Flask) -> Any:
    with app.extensions["parts"].database.reading() as connection:
        (document,) = connection.exec_driver_sql("SELECT sms FROM signups").scalars()
        return document and json.loads(document)


def tick(page: str) -> str:
    found = re.search(r'<input id="sms_consent"[^>]*>', page)
    assert found is not None
    return found[0]


def test_the_page_asks_for_a_number_and_a_consent_of_its_own(app: Flask, client: FlaskClient) -> None:
    """A telephone's keys, a tick that is not set and not demanded, the wording as text."""
    make(app, fields=FIELDS, sms_wording=WORDING)
    page = client.get("/forms/spring-news").text
    assert re.search(r'<input id="sms_number" name="sms_number" type="tel" value=""', page)
    assert tick(page) == ('<input id="sms_consent" name="sms_consent" type="checkbox" value="version 1">')
    assert "Yes, text me &lt;weekly&gt;." in page
    assert client.get("/forms/spring-news.json").get_json()["sms_consent"] == {
        "version": 1,
        "wording": WORDING,
    }


def test_a_required_number_demands_the_tick(app: Flask, client: FlaskClient) -> None:
    """One is nothing without the other."""
    fields = [{"name": "sms_number", "label": "Mobile", "required": True}]
    make(app, fields=fields, sms_wording=WORDING)
    assert " required>" in tick(client.get("/forms/spring-news").text)


def test_a_form_without_the_field_shows_nothing_of_it(app: Flask, client: FlaskClient) -> None:
    """Also where a wording is left from before."""
    make(app, sms_wording=WORDING)
    page = client.get("/forms/spring-news").text
    assert "sms_number" not in page
    assert "sms_consent" not in page
    assert client.get("/forms/spring-news.json").get_json()["sms_consent"] is None


def test_mistakes_come_back_beside_their_fields(app: Flask, client: FlaskClient) -> None:
    """With what was typed and ticked; our own address stands where no page is told."""
    make(app, fields=FIELDS, sms_wording=WORDING, sms_country="US")
    sent = POST | {"sms_number": "781 555 1212"}
    answer = client.post("/subscribe", data=sent, headers=PAGE)
    assert answer.status_code == 422
    assert 'aria-describedby="sms_consent-error"' in tick(answer.text)
    assert '<li><a href="#sms_consent">Tick this as well' in answer.text
    assert 'value="781 555 1212"' in answer.text
    answer = client.post(
        "/subscribe", data=sent | {"sms_number": "1", "sms_consent": "version 1"}, headers=PAGE
    )
    assert " checked" in tick(answer.text)
    assert "Enter a mobile number like (201) 555-0123." in answer.text
    assert (
        client.post("/subscribe", data=sent | {"sms_consent": "version 1"}, headers=PAGE).status_code == 303
    )
    assert stored(app) == {
        "number": "+17815551212",
        "country": "US",
        "consent": WORDING,
        "consent_version": 1,
        "consent_sent": "version 1",
        "page": "http://localhost",
    }


def test_a_tick_under_an_older_wording_is_none_under_this_one(app: Flask, client: FlaskClient) -> None:
    """The person sees the new wording and ticks it, or not."""
    make(app, fields=FIELDS, sms_wording=WORDING)
    make(app, fields=FIELDS, sms_wording="Yes, daily.")
    sent = POST | {"email": "", "sms_number": "+1 781 555 1212", "sms_consent": "version 1"}
    assert " checked" not in tick(client.post("/subscribe", data=sent, headers=PAGE).text)


def test_an_admin_asks_for_it(app: Flask, client: FlaskClient) -> None:
    """Not without a wording; the page keeps what was entered and shows what to copy."""
    sign_in(client)
    asked = ENTERED | {"show_sms_number": "on", "label_sms_number": "Mobile", "sms_country": "de"}
    answer = post(client, "/admin/forms/new", **asked)
    assert answer.status_code == 422
    assert "Write what people agree to" in answer.text
    post(client, "/admin/forms/new", **asked, sms_wording="Yes.\r\nWeekly.")
    made = app.extensions["services"].forms.get("spring-news")
    assert (made.sms_wordings, made.sms_country) == (("Yes.\nWeekly.",), "DE")
    page = client.get("/admin/forms/spring-news").text
    assert "Yes.\nWeekly.</textarea>" in page
    assert 'name="sms_country" value="DE"' in page
    _, html, script = snippets(page)
    assert 'name="sms_consent" type="checkbox" value="version 1">' in html
    assert 'sms_consent: "version 1"' in script
