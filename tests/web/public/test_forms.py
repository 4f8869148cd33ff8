"""A form's own page, its description for scripts, and what a visitor's post by it leads to."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.conftest import CONFIRM, MakeApp
from tests.web.forms import LIST_ID, SHOP, make

EVIL = "\"><script>alert(1)</script>&amp;'{{7*7}}"
POST = {"form": "spring-news", "email": "ada@example.org", "first_name": "Ada", "consent": "version 1"}


def stored(app: Flask) -> list[dict[str, Any]]:
    with app.extensions["parts"].database.reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT email, person, list_ids, consent, consent_version, page, form_id FROM signups"
        )
        return [dict(row) for row in rows.mappings()]


def test_the_page_shows_the_form(app: Flask, client: FlaskClient) -> None:
    """Its name, each field by its label, the consent not ticked, one button; no script, no cookie."""
    make(app)
    answer = client.get("/forms/spring-news")
    assert answer.status_code == 200
    page = answer.text
    assert "<title>Spring newsletter</title>" in page
    assert '<form method="post" action="/subscribe" accept-charset="utf-8">' in page
    assert '<input type="hidden" name="form" value="spring-news">' in page
    assert '<label for="first_name">What shall we call you?</label>' in page
    assert '<label for="phone">Telephone <small>(optional)</small></label>' in page
    assert page.count(" required") == 3  # the address, the name, the consent
    assert 'type="checkbox" value="version 1" required>' in page
    assert '<span class="as-written">Yes, write to me.</span>' in page
    assert "<script" not in page
    assert "Set-Cookie" not in answer.headers
    assert "job_title" not in page


def test_the_description_is_all_a_script_needs(app: Flask, client: FlaskClient) -> None:
    """Where to send what, what is agreed to, what follows; kept by browsers for a minute."""
    make(app, thank_you_message="See you.")
    answer = client.get("/forms/spring-news.json")
    document = answer.get_json()
    protection = document.pop("protection", None)
    assert protection is None or isinstance(protection, dict)
    assert document == {
        "slug": "spring-news",
        "name": "Spring newsletter",
        "action": "http://localhost/subscribe",
        "fields": [
            {
                "name": "email",
                "label": "E-mail",
                "type": "email",
                "autocomplete": "email",
                "maxlength": None,
                "required": True,
            },
            {
                "name": "first_name",
                "label": "What shall we call you?",
                "type": "text",
                "autocomplete": "given-name",
                "maxlength": 50,
                "required": True,
            },
            {
                "name": "phone",
                "label": "Telephone",
                "type": "tel",
                "autocomplete": "tel",
                "maxlength": None,
                "required": False,
            },
        ],
        "consent": {"version": 1, "wording": "Yes, write to me."},
        "sms_consent": None,
        "thank_you": {"message": "See you.", "url": None},
    }
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    assert "Origin" in answer.headers["Vary"]
    assert LIST_ID not in answer.text


@pytest.mark.parametrize("path", ["/forms/spring-news", "/forms/spring-news.json"])
@pytest.mark.parametrize("archived", [True, False])
def test_a_form_that_is_not_in_use_is_404(
    app: Flask, client: FlaskClient, path: str, *, archived: bool
) -> None:
    """Archived, or never made."""
    if archived:
        make(app)
        app.extensions["services"].forms.archive("spring-news")
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("slug", ["", "spring_news", "spring-news/x", "news%00", "../admin", "x" * 300])
def test_other_names_find_nothing(app: Flask, client: FlaskClient, slug: str) -> None:
    """Neither by other signs nor by what surrounds them."""
    make(app)
    assert client.get(f"/forms/{slug}").status_code == 404


def test_a_post_by_a_form_is_put_on_record(app: Flask, client: FlaskClient) -> None:
    """With the form's lists, its wording and version, and the page it was posted from."""
    form = make(app)
    answer = client.post("/subscribe", data=POST, headers={"Referer": f"{SHOP}/footer?x=1"})
    assert (answer.status_code, answer.location) == (303, "/thank-you?form=spring-news")
    assert stored(app) == [
        {
            "email": "ada@example.org",
            "person": '{"first_name":"Ada"}',
            "list_ids": f'["{LIST_ID}"]',
            "consent": "Yes, write to me.",
            "consent_version": 1,
            "page": f"{SHOP}/footer",
            "form_id": form.id,
        }
    ]


def test_a_script_posts_by_a_form(app: Flask, client: FlaskClient) -> None:
    """In JSON, with the wording itself for the consent."""
    make(app)
    answer = client.post("/subscribe", json=POST | {"consent": "Yes, write to me."})
    assert answer.status_code == 202
    assert [row["consent_version"] for row in stored(app)] == [1]


def test_mistakes_come_back_in_the_forms_own_fields(app: Flask, client: FlaskClient) -> None:
    """Each message beside its field, what was typed kept, the consent as it was ticked."""
    make(app)
    post = POST | {"email": "ada at example", "first_name": "", "phone": "555", "website_of_mine": "dropped"}
    answer = client.post("/subscribe", data=post)
    assert answer.status_code == 422
    page = answer.text
    assert '<small id="email-error">Enter an e-mail address' in page
    assert 'value="ada at example"' in page
    assert 'name="phone" type="tel" value="555"' in page
    assert '<label for="first_name">What shall we call you?</label>' in page
    assert 'value="version 1" required checked>' in page
    assert '<input type="hidden" name="form" value="spring-news">' in page
    assert page.count('name="consent"') == 1
    assert "dropped" not in page
    assert stored(app) == []


def test_what_the_form_requires_is_said_beside_its_fields(app: Flask, client: FlaskClient) -> None:
    """Consent included; the list at the top leads to each."""
    make(app)
    answer = client.post("/subscribe", data={"form": "spring-news", "email": "ada@example.org"})
    assert answer.status_code == 422
    for name in ("first_name", "consent"):
        assert f'aria-invalid="true" aria-describedby="{name}-error"' in answer.text
        assert f'<a href="#{name}">' in answer.text
    assert '<small id="consent-error">Please agree to this first.</small>' in answer.text
    assert " checked" not in answer.text


def test_a_wording_that_changed_meanwhile_is_agreed_to_anew(app: Flask, client: FlaskClient) -> None:
    """Where the form comes back for another reason, the tick under the old wording is gone."""
    make(app)
    make(app, wording="Yes, every day.")
    page = client.post("/subscribe", data=POST | {"email": "ada"}).text
    assert 'value="version 2" required>' in page
    assert "Yes, every day." in page


@pytest.mark.parametrize("slug", ["gone", "spring-news"])
def test_a_post_by_a_form_that_is_gone_says_so(app: Flask, client: FlaskClient, slug: str) -> None:
    """As a page with what was typed, or as a problem document."""
    make(app)
    app.extensions["services"].forms.archive("spring-news")
    page = client.post("/subscribe", data=POST | {"form": slug})
    assert page.status_code == 422
    assert "There is no such form, or it is no longer in use." in page.text
    assert 'value="ada@example.org"' in page.text
    problem = client.post("/subscribe", json=POST | {"form": slug})
    assert [error["field"] for error in problem.get_json()["errors"]] == ["form"]
    assert stored(app) == []


def test_a_form_thanks_in_its_own_words(app: Flask, client: FlaskClient) -> None:
    """On our page; an archived form's words are gone, the page is not."""
    make(app, thank_you_message="See you in spring.\nBring boots.")
    page = client.get(client.post("/subscribe", data=POST).location).text
    assert '<p class="as-written">See you in spring.\nBring boots.</p>' in page
    app.extensions["services"].forms.archive("spring-news")
    page = client.get("/thank-you?form=spring-news").text
    assert CONFIRM in page
    assert "See you in spring" not in page
    assert client.get("/thank-you?form=nothing").status_code == 200


@pytest.mark.parametrize(
    ("redirect", "to"),
    [
        ("", "https://thanks.example.com/page"),
        (f"{SHOP}/welcome", f"{SHOP}/welcome"),
        ("https://thanks.example.com/other", "https://thanks.example.com/other"),
        ("https://evil.example/", "https://thanks.example.com/page"),
        (f"{SHOP}.evil.example/", "https://thanks.example.com/page"),
    ],
)
def test_a_form_leads_to_its_own_page(app: Flask, client: FlaskClient, redirect: str, to: str) -> None:
    """Or to another on one of its sites, and nowhere else."""
    make(app, thank_you_url="https://thanks.example.com/page")
    assert client.post("/subscribe", data=POST | {"redirect": redirect}).location == to


def test_another_forms_sites_are_not_this_ones(app: Flask, client: FlaskClient) -> None:
    """A post is sent to the sites of the form it names."""
    make(app, slug="other", origins=["https://other.example.com"])
    make(app)
    answer = client.post("/subscribe", data=POST | {"redirect": "https://other.example.com/"})
    assert answer.location.startswith("/thank-you")


def test_a_form_is_shown_as_text_only(app: Flask, client: FlaskClient) -> None:
    """Whatever an admin pastes into name, labels, wording and thanks."""
    evil = {"name": EVIL, "wording": EVIL, "thank_you_message": EVIL}
    make(app, fields=[{"name": "first_name", "label": EVIL}, {"name": "email", "label": EVIL}], **evil)
    for path in ("/forms/spring-news", "/thank-you?form=spring-news"):
        page = client.get(path).text
        assert "<script" not in page
        assert EVIL in unescape(page)


@pytest.mark.parametrize("name", ["email", "first_name", "phone", "consent", "redirect", "source", "form"])
def test_a_post_comes_back_as_text_only(app: Flask, client: FlaskClient, name: str) -> None:
    """Whatever a stranger posts, seen or hidden."""
    make(app)
    answer = client.post("/subscribe", data=POST | {"email": "ada", name: EVIL})
    assert answer.status_code == 422
    assert "<script" not in answer.text
    assert "&#34;&gt;&lt;script&gt;" in answer.text or name == "consent"


@pytest.mark.parametrize("name", ["redirect", "source", "form", "email", "first_name"])
def test_line_breaks_enter_no_header(app: Flask, client: FlaskClient, name: str) -> None:
    """They are refused or passed over; no answer carries a header of the sender's."""
    make(app)
    answer = client.post("/subscribe", data=POST | {name: "x\r\nSet-Cookie: a=b"})
    assert answer.status_code in {303, 422}
    assert "Set-Cookie" not in answer.headers


def test_a_dead_database_keeps_what_was_typed(make_app: MakeApp, tmp_path: Path) -> None:
    """Also where the form itself was never read: nothing was stored, nothing has to be typed again."""
    (tmp_path / "file").touch()
    client = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/file/x.db").test_client()
    answer = client.post("/subscribe", data=POST, headers={"Origin": SHOP})
    assert answer.status_code == 503
    assert 'value="ada@example.org"' in answer.text
    assert '<input type="hidden" name="form" value="spring-news">' in answer.text
    assert client.get("/thank-you?form=spring-news").status_code == 200
    assert client.get("/forms/spring-news").status_code == 503


def referrers(app: Flask) -> list[str | None]:
    with app.extensions["parts"].database.reading() as connection:
        return list(connection.exec_driver_sql("SELECT referrer FROM signups ORDER BY received_at").scalars())


def test_where_a_visitor_came_from_is_on_record(app: Flask, client: FlaskClient) -> None:
    """The form's own page keeps it for the post, also past a mistake; its query is nobody's business."""
    make(app)
    seen = {"Referer": "https://search.example/find?q=ann@example.org"}
    kept = '<input type="hidden" name="referrer" value="https://search.example/find">'
    assert kept in client.get("/forms/spring-news", headers=seen).text
    assert "referrer" not in client.get("/forms/spring-news").text
    post = POST | {"referrer": "https://search.example/find"}
    assert kept in client.post("/subscribe", data=post | {"email": ""}, headers={"Accept": "text/html"}).text
    client.post("/subscribe", data=post)
    client.post("/subscribe", json=POST | {"referrer": "https://search.example/?q=x"})
    assert referrers(app) == ["https://search.example/find", "https://search.example/"]


@pytest.mark.parametrize("referrer", ["javascript:alert(1)", "no page", "", ["a"], {"b": 1}, 7, None, "\0"])
def test_a_wrong_referrer_costs_no_sign_up(app: Flask, client: FlaskClient, referrer: object) -> None:
    """The visitor neither sees nor made it."""
    make(app)
    assert client.post("/subscribe", json=POST | {"referrer": referrer}).status_code < 300
    assert referrers(app) == [None]


@pytest.mark.parametrize(
    "name", ["email", "phone", "sms_number", "birthday_day", "anniversary", "postal_code"]
)
def test_what_would_be_another_value_when_cut_is_not_cut(app: Flask, client: FlaskClient, name: str) -> None:
    """A browser cuts what is pasted to the `maxlength` and says nothing."""
    asked = dict.fromkeys(("email", "birthday_month", "birthday_day", name))
    make(app, fields=[{"name": each, "label": each} for each in asked], sms_wording="Yes, text me.")
    described = {field["name"]: field for field in client.get("/forms/spring-news.json").get_json()["fields"]}
    assert described[name]["maxlength"] is None
    page = client.get("/forms/spring-news").text
    mistakes = client.post("/subscribe", data=POST | {"email": "ada"}).text
    for html in (page, mistakes):
        (shown,) = re.findall(rf'<input id="{name}"[^>]*>', html)
        assert "maxlength" not in shown
