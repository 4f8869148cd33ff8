"""Custom fields and tags on the pages: the editor, the form itself, and one with mistakes."""

import re
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from services.account.field_values import fitting
from services.constant_contact.catalog import Choice, CustomField
from tests.web.conftest import API_KEY, csrf_token
from tests.web.forms import LIST_ID, make
from web.public.form_view import fill, how_to_ask

EVIL = "\"><script>alert(1)</script>&'{{7*7}}"
FIELDS = [
    {"name": f"custom_fields[{name}]", "label": f"{name}?"}
    for name in ("Shoe size", "Member since", "Vegetarian", "About you", "T-shirt", "Topics", "Source")
]
BY_NAME = {
    "custom_fields[Shoe size]": "42",
    "custom_fields[Member since]": "2006-11-15",
    "custom_fields[Vegetarian]": "true",
    "custom_fields[About you]": "two\r\nlines",
    "custom_fields[T-shirt]": "Large",
    "custom_fields[Topics]": ["Gardening", "Chess"],
    "custom_fields[Source]": "fair",
}


@pytest.fixture
def knowing(app: Flask, connected: FlaskClient) -> FlaskClient:
    """An admin whose application has looked up the account's fields."""
    assert app.extensions["services"].fields_and_tags.offered().fields
    return connected


def inputs(page: str) -> dict[str, str]:
    """Each input of a custom field as it is written, by its name."""
    found = re.findall(r'<(?:input|select|textarea)[^>]* name="custom_fields[^>]*>', page)
    return {unescape(re.findall(r'name="([^"]*)"', tag)[0]): tag for tag in found}


def test_the_editor_offers_the_accounts_fields_by_name(app: Flask, knowing: FlaskClient) -> None:
    """Ticked ones are the form's, with their labels, and tags come one a line."""
    page = knowing.get("/admin/forms/new").text
    assert 'name="show_custom_fields[Shoe size]"' in page
    entered = {
        "csrf_token": csrf_token(page),
        "name": "Spring",
        "slug": "spring",
        "list_ids": [LIST_ID],
        "label_email": "E-mail",
        "show_custom_fields[Shoe size]": "on",
        "label_custom_fields[Shoe size]": "Your shoes",
        "required_custom_fields[Shoe size]": "on",
        "label_custom_fields[T-shirt]": "T-shirt",
        "tags": "VIP\r\nSpring\r\n",
    }
    assert knowing.post("/admin/forms/new", data=entered).status_code == 303
    form = app.extensions["services"].forms.find("spring")
    assert [(field.name, field.label, field.required) for field in form.fields] == [
        ("email", "E-mail", True),
        ("custom_fields[Shoe size]", "Your shoes", True),
    ]
    assert form.tags == ("VIP", "Spring")
    again = knowing.get("/admin/forms/spring").text
    assert re.search(r'name="show_custom_fields\[Shoe size\]" checked', again)
    assert ">VIP\nSpring</textarea>" in again
    assert 'custom_fields: { "Shoe size": "…" }' in unescape(again)


def test_the_editor_tells_of_a_field_that_the_account_lost(app: Flask, knowing: FlaskClient) -> None:
    """It stays among those to choose from, so that saving does not drop it."""
    make(app, fields=[{"name": "custom_fields[Hat size]", "label": "Hat"}])
    page = knowing.get("/admin/forms/spring-news").text
    assert "no custom field “Hat size” any more" in page
    assert 'name="show_custom_fields[Hat size]" checked' in page


def test_each_type_has_its_input(app: Flask, knowing: FlaskClient, client: FlaskClient) -> None:
    """On the form's own page, and in the HTML to copy, which has no empty line."""
    make(app, fields=FIELDS)
    page = client.get("/forms/spring-news").text
    found = inputs(page)
    assert 'type="number"' in found["custom_fields[Shoe size]"]
    assert 'type="date"' in found["custom_fields[Member since]"]
    assert 'type="checkbox" value="true"' in found["custom_fields[Vegetarian]"]
    assert found["custom_fields[About you]"].startswith("<textarea")
    assert found["custom_fields[T-shirt]"].startswith("<select")
    assert 'type="text"' in found["custom_fields[Source]"]
    assert re.findall(r"<option[^>]*>([^<]*)</option>", page) == ["", "Small", "Medium", "Large"]
    assert page.count('name="custom_fields[Topics]" type="checkbox"') == 3
    ids = re.findall(r'id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert not [each for each in ids if " " in each]
    edit = knowing.get("/admin/forms/spring-news").text
    (copied,) = (code for code in re.findall(r"<code>(.*?)</code>", edit, re.DOTALL) if "fieldset" in code)
    assert "\n\n" not in unescape(copied)


def test_before_the_fields_are_known_they_are_asked_for_as_text(app: Flask, client: FlaskClient) -> None:
    make(app, fields=FIELDS)
    assert {
        re.findall(r'type="([^"]*)"', tag)[0]
        for tag in inputs(client.get("/forms/spring-news").text).values()
    } == {"text"}
    assert {field["type"] for field in (client.get("/forms/spring-news.json").json or {})["fields"][1:]} == {
        "text"
    }


def test_the_description_says_what_to_choose_from(
    app: Flask, knowing: FlaskClient, client: FlaskClient
) -> None:
    make(app, fields=FIELDS)
    described = {
        field["name"]: field for field in (client.get("/forms/spring-news.json").json or {})["fields"]
    }
    assert described["custom_fields[Topics]"]["type"] == "checkboxes"
    assert described["custom_fields[Topics]"]["options"] == ["Gardening", "Cooking", "Chess"]
    assert "options" not in described["custom_fields[Source]"]


def test_mistakes_come_back_beside_their_fields_with_all_that_was_typed(
    app: Flask, knowing: FlaskClient, client: FlaskClient
) -> None:
    """Choices stay chosen; the list of mistakes leads to each."""
    make(app, fields=FIELDS, wording="")
    posted: dict[str, Any] = {"form": "spring-news", "email": "ann@example.org", **BY_NAME}
    answer = client.post(
        "/subscribe", data=posted | {"custom_fields[Shoe size]": "big"}, headers={"Accept": "text/html"}
    )
    assert answer.status_code == 422
    page = answer.text
    found = inputs(page)
    wrong = re.findall(r'id="([^"]*)"', found["custom_fields[Shoe size]"])[0]
    assert f'<a href="#{wrong}">' in page
    assert f'<small id="{wrong}-error">Enter a number like 42 or 42.5.</small>' in page
    assert f'aria-describedby="{wrong}-error"' in page
    assert "<option selected>Large</option>" in page
    assert re.findall(r'value="([^"]*)" checked', page) == ["true", "Gardening", "Chess"]
    assert "two\r\nlines</textarea>" in page


def test_everything_of_a_form_is_stored_as_it_was_said(
    app: Flask, knowing: FlaskClient, client: FlaskClient
) -> None:
    make(app, fields=FIELDS, wording="", tags=["VIP"])
    posted: dict[str, Any] = {"form": "spring-news", "email": "ann@example.org", **BY_NAME}
    answer = client.post("/subscribe", data=posted, headers={"Accept": "application/json"})
    assert answer.status_code == 202, answer.text
    record = app.extensions["services"].signups.show((answer.json or {})["id"]).record
    assert record.custom_fields["Topics"] == ["Gardening", "Chess"]
    assert record.custom_fields["Shoe size"] == "42"
    assert record.tags == ("VIP",)


def test_nothing_that_was_typed_becomes_html(app: Flask, client: FlaskClient) -> None:
    """Neither a name nor a value nor a label."""
    make(app, fields=[{"name": "custom_fields[Hat]", "label": EVIL}])
    for name in ("Hat", EVIL[:50]):
        posted = {"form": "spring-news", "email": "x", f"custom_fields[{name}]": EVIL}
        page = client.post("/subscribe", data=posted, headers={"Accept": "text/html"}).text
        assert "<script>alert" not in page
    plain = client.post(
        "/subscribe",
        data={"email": "x", f"custom_fields[{EVIL[:50]}]": EVIL},
        headers={"Accept": "text/html"},
    ).text
    assert "<script>alert" not in plain


def test_an_api_key_is_told_what_is_wrong_by_the_name_of_the_field(
    knowing: FlaskClient, client: FlaskClient
) -> None:
    body = {"email": "a@example.org", "list_id": LIST_ID, "custom_fields": {"Shoe size": "big", "Hat": "x"}}
    answer = client.post("/subscribe", json=body, headers={"Authorization": f"Bearer {API_KEY}"})
    assert answer.status_code == 422
    fields = {error["field"] for error in (answer.json or {})["errors"]}
    assert {"custom_fields[Shoe size]", "custom_fields[Hat]"} <= fields


def test_a_date_with_a_time_is_asked_for_by_an_input_of_its_type() -> None:
    """Whose value, without seconds and zone, is taken as it is."""
    visit = CustomField("f-1", "Next visit", "datetime")
    assert how_to_ask("custom_fields[Next visit]", [visit])[0].input == "datetime-local"
    assert fitting(visit, "2026-11-15T18:30") == "2026-11-15T18:30:00"


def test_a_choice_stays_chosen_whose_blanks_the_browser_collapsed() -> None:
    """A browser sends the text of an option without its double blanks."""
    size = CustomField("f-1", "Size", "single_select", (Choice("1", "Extra  large"),))
    form = fill([("custom_fields[Size]", "Extra large")], known=[size])
    (shown,) = (each for each in form.inputs if each.kind == "select")
    assert shown.value == "Extra  large"
