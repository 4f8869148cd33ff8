"""POST /subscribe from an HTML form."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.conftest import SITE, Logged, MakeApp


def stored(app: Flask) -> list[str]:
    return [signup.email for signup in app.extensions["services"].signups.newest(limit=10)]


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_ends_on_our_thank_you_page(app: Flask, list_id: str, kind: str) -> None:
    """Without a page of its own the visitor is thanked by ours, which claims no more than is true."""
    client = app.test_client()
    answer = client.post(
        "/subscribe", data={"email": "ada@example.org", "list_id": list_id}, content_type=kind
    )
    assert answer.status_code == 303
    assert answer.location == "/thank-you"
    assert stored(app) == ["ada@example.org"]
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "page", [f"{SITE}/thanks?a=1#top", "http://localhost/own", "https://www.example.org:443/"]
)
def test_an_allowed_page_is_gone_to(client: FlaskClient, list_id: str, page: str) -> None:
    """Pages of allowed sites and of ours are gone to as they are written."""
    form = {"email": "ada@example.org", "list_id": list_id, "redirect": page}
    assert client.post("/subscribe", data=form).location == page


@pytest.mark.parametrize(
    "page",
    [
        "https://evil.example/",
        f"{SITE}.evil.example/",
        f"{SITE}@evil.example/",
        f"{SITE}\\@evil.example/",
        "http://www.example.org/",
        f"{SITE}:8443/",
        "//evil.example/",
        "javascript:alert(1)",
        "/thanks",
        "https://[broken",
    ],
)
def test_a_forbidden_page_does_not_lose_the_sign_up(
    app: Flask, logged: Logged, list_id: str, page: str
) -> None:
    """A page that is not allowed is not gone to; the sign-up is kept, and the log names the cure."""
    form = {"email": "ada@example.org", "list_id": list_id, "redirect": page}
    answer = app.test_client().post("/subscribe", data=form)
    assert (answer.status_code, answer.location) == (303, "/thank-you")
    assert stored(app) == ["ada@example.org"]
    (warning,) = logged.of("redirect_not_allowed")
    assert "ALLOWED_ORIGINS" in warning["cure"]
    assert page not in str(warning)


def test_mistakes_come_back_with_what_was_typed(app: Flask, list_id: str) -> None:
    """The page shows each message beside its field, keeps what was typed, and posts to us again."""
    form = {
        "email": "ada at example",
        "firstName": "Ada <b>",
        "list_ids[]": [list_id],
        "source": "footer",
        "consent": "Yes please",
        "redirect": f"{SITE}/thanks",
        "secret_field": "dropped",
    }
    answer = app.test_client().post("/subscribe", data=form)
    assert answer.status_code == 422
    assert answer.content_type == "text/html; charset=utf-8"
    page = answer.text
    assert 'value="ada at example"' in page
    assert 'aria-invalid="true" aria-describedby="email-error"' in page
    assert '<small id="email-error">Enter an e-mail address' in page
    assert 'name="first_name" type="text" value="Ada &lt;b&gt;"' in page
    for name, value in [
        ("list_ids", list_id),
        ("source", "footer"),
        ("consent", "Yes please"),
        ("redirect", f"{SITE}/thanks"),
    ]:
        assert f'<input type="hidden" name="{name}" value="{value}">' in page
    assert 'method="post" action="/subscribe"' in page
    assert "dropped" not in page
    assert stored(app) == []


def test_a_mistake_in_no_visible_field_is_told_too(client: FlaskClient) -> None:
    """A form without a list is the site's mistake; the page says so instead of showing no reason."""
    answer = client.post("/subscribe", data={"email": "ada@example.org"})
    assert answer.status_code == 422
    assert "Choose at least one list" in answer.text


def test_a_script_may_post_a_form_and_read_json(client: FlaskClient, list_id: str) -> None:
    """With Accept: application/json a form's answer is JSON, also for mistakes."""
    accept = {"Accept": "application/json"}
    good = client.post("/subscribe", data={"email": "ada@example.org", "list_id": list_id}, headers=accept)
    assert (good.status_code, good.get_json()["status"]) == (202, "received")
    bad = client.post("/subscribe", data={"email": "ada"}, headers=accept)
    assert (bad.status_code, bad.content_type) == (422, "application/problem+json")


def test_a_browser_that_also_takes_json_gets_pages(client: FlaskClient) -> None:
    """Accept with text/html means a person is looking."""
    headers = {"Accept": "text/html,application/json;q=0.9,*/*;q=0.8"}
    assert client.post("/subscribe", data={"email": "ada"}, headers=headers).mimetype == "text/html"


def test_a_dead_database_keeps_what_was_typed(make_app: MakeApp, list_id: str, tmp_path: Path) -> None:
    """When nothing can be stored the visitor may press the button again later, without typing again."""
    (tmp_path / "file").touch()
    (tmp_path / "spool").touch()
    client = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/file/x.db").test_client()
    answer = client.post("/subscribe", data={"email": "ada@example.org", "list_id": list_id})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert 'value="ada@example.org"' in answer.text
    assert f'value="{list_id}"' in answer.text


def test_too_many_parts_are_413(client: FlaskClient) -> None:
    """A thousand tiny fields are refused, as a page."""
    answer = client.post(
        "/subscribe", data={f"f{n}": "" for n in range(1001)}, content_type="multipart/form-data"
    )
    assert (answer.status_code, answer.mimetype) == (413, "text/html")


@pytest.mark.parametrize(
    ("headers", "page"),
    [
        ({"Referer": f"{SITE}/join?email=ada@example.org#form", "Origin": SITE}, f"{SITE}/join"),
        ({"Origin": SITE}, SITE),
        ({"Origin": "null"}, None),
        ({"Referer": "about:blank"}, None),
        ({}, None),
    ],
)
def test_the_page_is_kept_as_evidence(
    app: Flask, list_id: str, headers: dict[str, str], page: str | None
) -> None:
    """The consent's record names the page, without what a query may hold."""
    app.test_client().post(
        "/subscribe", data={"email": "ada@example.org", "list_id": list_id}, headers=headers
    )
    with app.extensions["parts"].database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT page, network_address, user_agent FROM signups").all()
    assert [row.page for row in rows] == [page]
    assert rows[0].network_address == "127.0.0.1"
    assert rows[0].user_agent.startswith("Werkzeug")


def test_a_part_without_a_name_is_passed_over(app: Flask, list_id: str) -> None:
    """It is no field, and must not end as a fault of ours."""
    part = "--b\r\nContent-Disposition: form-data; {}\r\n\r\n{}\r\n"
    fields = [
        ('name="email"', "ada@example.org"),
        ('name="list_id"', list_id),
        ('name*=";"', "x"),
        ("x", "y"),
    ]
    body = "".join(part.format(*field) for field in fields) + "--b--\r\n"
    answer = app.test_client().post(
        "/subscribe", data=body.encode(), content_type="multipart/form-data; boundary=b"
    )
    assert answer.status_code == 303
    assert stored(app) == ["ada@example.org"]
