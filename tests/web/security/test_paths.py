"""Public addresses as people type them, and what they find where only sign-ups are received."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Map, Rule

from tests.web.conftest import BROWSER, SITE
from tests.web.forms import SHOP, make
from web.paths import first_segments

AS_BROWSER = {"Accept": BROWSER}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("/forms/Spring-News/", "/forms/spring-news"),
        ("/FORMS//spring-news", "/forms/spring-news"),
        ("/Forms/SPRING-NEWS.json/", "/forms/spring-news.json"),
        ("/forms//spring-news//token/", "/forms/spring-news/token"),
        ("/Thank-You/", "/thank-you"),
        ("/health//", "/health"),
        ("/Embed.js", "/embed.js"),
        ("/docs/", "/docs"),
        ("/OpenAPI.json/", "/openapi.json"),
        ("/Lists/", "/lists"),
        ("/metrics/", "/metrics"),
    ],
)
def test_capitals_and_slashes_do_not_matter(app: Flask, client: FlaskClient, typed: str, meant: str) -> None:
    """The answer is the same as at the exact address, without a redirect."""
    make(app)
    answer, expected = client.get(typed), client.get(meant)
    assert answer.status_code == expected.status_code != 404
    assert answer.mimetype == expected.mimetype
    answer.close()
    expected.close()


@pytest.mark.parametrize("path", ["/subscribe/", "/Subscribe", "/SUBSCRIBE//"])
def test_a_post_keeps_its_body_and_a_preflight_is_answered(
    client: FlaskClient, list_id: str, path: str
) -> None:
    """A redirect would lose the body and fail the preflight."""
    asked = {"Origin": SITE, "Access-Control-Request-Method": "POST"}
    answer = client.options(path, headers=asked)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, SITE)
    answer = client.post(path, json={"email": "ada@example.org", "list_id": list_id}, headers=asked)
    assert answer.status_code == 202
    assert answer.headers["Access-Control-Allow-Origin"] == SITE


def test_a_sign_up_is_found_by_an_id_in_capitals(client: FlaskClient, list_id: str) -> None:
    """Some programs write UUIDs in capitals."""
    made = client.post("/subscribe", json={"email": "ada@example.org", "list_id": list_id}).get_json()
    assert client.get(f"/Signups/{made['id'].upper()}/").status_code == 200


@pytest.mark.parametrize(
    "path", ["/Admin/sign-in", "/admin/Sign-in", "/admin/sign-in/", "/OAuth/start", "/Static/components.css"]
)
def test_other_addresses_are_left_alone(client: FlaskClient, path: str) -> None:
    """Capitals count in the tokens of sign-in links."""
    assert client.get(path).status_code == 404


def test_other_letters_are_left_alone(client: FlaskClient) -> None:
    """Their bytes are not lower-cased as Latin-1; the answer is 404 and no error."""
    assert client.get("/forms/%C3%80%C3%89").status_code == 404


def test_addresses_with_a_token_would_be_left_alone() -> None:
    """A new rule with a token below a public path switches the lower-casing off there."""
    rules = Map(
        [
            Rule("/forms/<slug>", endpoint="forms.page"),
            Rule("/confirm", endpoint="forms.ask"),
            Rule("/confirm/<token>", endpoint="forms.confirm"),
            Rule("/admin/", endpoint="admin.dashboard"),
            Rule("/", endpoint="forms.home"),
        ]
    )
    assert first_segments(rules, ["forms"]) == {"forms"}


def test_who_opens_the_address_is_led_to_the_only_form(app: Flask, client: FlaskClient) -> None:
    """GET /subscribe redirects to the only form, or to the one that is named; HEAD does the same."""
    make(app)
    for opened in (client.get, client.head):
        answer = opened("/subscribe", headers=AS_BROWSER)
        assert (answer.status_code, answer.location) == (303, "/forms/spring-news")
    make(app, slug="autumn")
    answer = client.get("/subscribe/?form=autumn", headers=AS_BROWSER)
    assert (answer.status_code, answer.location) == (303, "/forms/autumn")
    assert client.get("/subscribe", headers=AS_BROWSER).status_code == 405


@pytest.mark.parametrize("query", ["", "?form=unknown", "?form=gone", "?form=%00"])
def test_who_cannot_be_led_on_is_told_what_to_do(app: Flask, client: FlaskClient, query: str) -> None:
    """The page speaks to people, to whom “method not allowed” means nothing."""
    make(app, slug="gone")
    app.extensions["services"].forms.archive("gone")
    answer = client.get(f"/subscribe{query}", headers=AS_BROWSER)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert "This address only receives sign-ups." in answer.text
    assert "Go back to the page with the form and send it from there." in answer.text
    head = client.head(f"/subscribe{query}", headers=AS_BROWSER)
    assert (head.status_code, head.headers["Allow"], head.text) == (405, "POST", "")


@pytest.mark.parametrize("query", ["", "?form=spring-news"])
def test_a_program_is_told_that_its_post_was_none(app: Flask, client: FlaskClient, query: str) -> None:
    """A redirect to https:// turns a POST into a GET; a form's page would then look like success."""
    make(app)
    answer = client.get(f"/subscribe{query}", headers={"Origin": SHOP})
    assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
    assert answer.headers["Allow"] == "OPTIONS, POST"
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
