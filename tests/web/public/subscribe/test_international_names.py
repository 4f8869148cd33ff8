"""Sites whose names are of another script, typed as their owners know them."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from commands.text import form_rows
from services.errors import InvalidForm
from tests.web.conftest import MakeApp
from tests.web.forms import make

TYPED = "https://m\u00fcnchen.example"
SENT = "https://xn--mnchen-3ya.example"
POST = {"form": "spring-news", "email": "ada@example.org", "first_name": "Ada", "consent": "version 1"}
PAGE = {"Accept": "text/html"}


def thanked(client: FlaskClient, **fields: str) -> str | None:
    answer = client.post("/subscribe", data=POST | fields, headers=PAGE)
    assert answer.status_code == 303
    return answer.headers["Location"]


def test_a_site_of_a_form_works_as_typed(app: Flask, client: FlaskClient) -> None:
    """Its scripts may call, its pages may follow, and a person reads it as it was typed."""
    form = make(app, origins=[TYPED])
    answer = client.get("/forms/spring-news.json", headers={"Origin": SENT})
    assert answer.headers["Access-Control-Allow-Origin"] == SENT
    assert thanked(client, redirect=f"{TYPED}/danke?a=b") == f"{SENT}/danke?a=b"
    assert thanked(client, redirect=f"{SENT}/danke") == f"{SENT}/danke"
    assert ("Site", TYPED) in form_rows(form)


def test_a_page_of_thanks_works_as_typed(app: Flask, client: FlaskClient) -> None:
    """Also where its name would be another one in an earlier version of the standard."""
    make(app, thank_you_url="https://stra\u00dfe.example/gr\u00fc\u00dfe")
    assert thanked(client) == "https://xn--strae-oqa.example/gr%C3%BC%C3%9Fe"


def test_an_allowed_origin_works_as_typed(make_app: MakeApp) -> None:
    app = make_app(ALLOWED_ORIGINS=TYPED)
    make(app, origins=[])
    client = app.test_client()
    answer = client.options("/subscribe", headers={"Origin": SENT, "Access-Control-Request-Method": "POST"})
    assert answer.headers["Access-Control-Allow-Origin"] == SENT
    assert thanked(client, redirect=f"{TYPED}/danke") == f"{SENT}/danke"


@pytest.mark.parametrize("field", ["origins", "thank_you_url"])
def test_a_name_that_no_browser_looks_up_is_told_in_the_editor(app: Flask, field: str) -> None:
    url = "https://i\u2764.example"
    with pytest.raises(InvalidForm) as caught:
        make(app, **{field: [url] if field == "origins" else url})
    (error,) = caught.value.errors
    assert error.field == field
    assert error.message.startswith("\u201ci\u2764.example\u201d is no name that browsers can look up.")


def test_the_editor_shows_a_site_as_it_was_typed(app: Flask, admin: FlaskClient) -> None:
    make(app, origins=[TYPED])
    page = admin.get("/admin/forms/spring-news").text
    assert f">{TYPED}</textarea>" in page
    assert SENT not in page
