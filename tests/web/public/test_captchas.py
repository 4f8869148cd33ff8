"""A form with a third party's captcha: what its pages show and allow, and what becomes of what is sent."""

import json
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
import requests
import responses
from flask import Flask
from flask.testing import FlaskClient

from services.forms.honeypot import trap_name
from services.protection.providers import PROVIDERS, Provider
from tests.web.conftest import API_KEY, SITE, MakeApp, sign_in
from tests.web.forms import SHOP, make

KEYS = {f"{name.upper()}_{key}_KEY": f"{key} of {name}" for name in PROVIDERS for key in ("SITE", "SECRET")}
BASE = "https://signup.example.org"
POST = {"form": "spring-news", "email": "ada@example.org", "first_name": "Ada", "consent": "version 1"}
GOOD = {"success": True, "hostname": "signup.example.org"}


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app(PUBLIC_BASE_URL=BASE, **KEYS)


@pytest.fixture(params=list(PROVIDERS))
def provider(request: pytest.FixtureRequest) -> Provider:
    return PROVIDERS[request.param]


@pytest.fixture
def calls() -> Iterator[responses.RequestsMock]:
    """All calls that leave the machine; none is answered unless a test says so."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as calls:
        yield calls


def kept(app: Flask) -> tuple[int, list[str]]:
    """How many sign-ups were taken, and the reasons of those that are kept apart."""
    with app.extensions["parts"].database.reading() as connection:
        taken = connection.exec_driver_sql("SELECT count(*) FROM signups").scalar_one()
        reasons = connection.exec_driver_sql("SELECT reasons FROM suspected_signups").scalars().all()
    return taken, [name for each in reasons for name in json.loads(each)]


def policy_of(page: Any) -> dict[str, list[str]]:
    parts = [part.split() for part in page.headers["Content-Security-Policy"].split("; ")]
    return {name: sources for name, *sources in parts}


def test_the_page_allows_the_captcha_and_nobody_else(
    app: Flask, client: FlaskClient, provider: Provider
) -> None:
    """Its provider's sources are added to ours, and nothing unsafe is."""
    make(app, protection=provider.name)
    page = client.get("/forms/spring-news")
    policy = policy_of(page)
    plain = policy_of(client.get("/thank-you"))
    del plain["form-action"]
    added = {
        name: [source for source in sources if source not in plain.get(name, [])]
        for name, sources in policy.items()
        if name != "form-action"
    }
    assert {name: tuple(sources) for name, sources in added.items() if sources} == provider.sources
    assert all(source in policy[name] for name, sources in plain.items() for source in sources)
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert page.headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert "data-captcha" in page.text
    assert "Without JavaScript your sign-up waits" in page.text
    assert "secret" not in page.text


@pytest.mark.parametrize(
    ("name", "documented"),
    [
        (
            "turnstile",
            "script-src https://challenges.cloudflare.com; frame-src https://challenges.cloudflare.com",
        ),
        (
            "hcaptcha",
            "script-src https://hcaptcha.com https://*.hcaptcha.com; frame-src https://hcaptcha.com"
            " https://*.hcaptcha.com; style-src https://hcaptcha.com https://*.hcaptcha.com;"
            " connect-src https://hcaptcha.com https://*.hcaptcha.com",
        ),
        (
            "recaptcha",
            "script-src https://www.google.com/recaptcha/ https://www.gstatic.com/recaptcha/; frame-src"
            " https://www.google.com/recaptcha/ https://recaptcha.google.com/recaptcha/",
        ),
    ],
)
def test_what_the_providers_document_is_allowed(
    app: Flask, client: FlaskClient, name: str, documented: str
) -> None:
    """By their own pages on the Content-Security-Policy."""
    make(app, protection=name)
    policy = policy_of(client.get("/forms/spring-news"))
    for part in documented.split("; "):
        directive, *sources = part.split()
        assert set(sources) <= set(policy[directive])


@pytest.mark.parametrize("level", ["none", "standard", "captcha"])
def test_other_forms_pages_allow_nobody_else(app: Flask, client: FlaskClient, level: str) -> None:
    """Keys alone change no page."""
    make(app, protection=level)
    page = client.get("/forms/spring-news")
    assert all(
        "//" not in source
        for name, each in policy_of(page).items()
        if name != "form-action"
        for source in each
    )
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert "data-captcha" not in page.text


def test_a_form_with_mistakes_comes_back_with_its_captcha(
    app: Flask, client: FlaskClient, provider: Provider, calls: responses.RequestsMock
) -> None:
    """And may draw it; the provider was not asked, so the answer is still good."""
    make(app, protection=provider.name)
    page = client.post("/subscribe", data=POST | {"email": "ada"}, headers={"Accept": "text/html"})
    assert page.status_code == 422
    assert "data-captcha" in page.text
    assert set(provider.sources["frame-src"]) == set(policy_of(page)["frame-src"])
    assert len(calls.calls) == 0


def test_the_description_tells_scripts_how_to_draw_it(
    app: Flask, client: FlaskClient, provider: Provider
) -> None:
    """All that captcha.js needs; nothing of the secret."""
    make(app, protection=provider.name)
    answer = client.get("/forms/spring-news.json")
    assert answer.get_json()["protection"]["captcha"] == {
        "kind": provider.name,
        "title": provider.title,
        "script": provider.script,
        "api": provider.api,
        "html_class": provider.widget,
        "site_key": f"SITE of {provider.name}",
        "action": "spring-news" if provider.name == "turnstile" else None,
    }
    assert "SECRET" not in answer.text


def test_the_module_may_be_imported_by_other_sites(client: FlaskClient) -> None:
    """As embed.js does."""
    answer = client.get("/captcha.js")
    assert (answer.status_code, answer.mimetype) == (200, "text/javascript")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    answer.close()


@pytest.mark.parametrize("kind", ["json", "data"])
def test_a_person_gets_through(
    app: Flask, client: FlaskClient, provider: Provider, calls: responses.RequestsMock, kind: str
) -> None:
    """By JSON and by HTML alike, without the form's token, which copied HTML lacks."""
    make(app, protection=provider.name)
    calls.post(provider.verify_url, json=GOOD)
    post: Any = {kind: POST | {f"{provider.widget}-response": "good"}}
    assert client.post("/subscribe", **post).status_code in {202, 303}
    assert kept(app) == (1, [])
    assert len(calls.calls) == 1


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"json": {"success": False, "error-codes": ["invalid-input-response"]}}, "captcha_rejected"),
        ({"json": {"success": False, "error-codes": ["timeout-or-duplicate"]}}, "captcha_used"),
        ({"json": GOOD | {"hostname": "evil.example.net"}}, "captcha_elsewhere"),
        ({"body": requests.ConnectTimeout()}, "captcha_unchecked"),
        ({"body": "Bad gateway", "status": 502}, "captcha_unchecked"),
    ],
)
def test_what_is_not_believed_is_kept_apart_and_answered_alike(
    app: Flask,
    client: FlaskClient,
    provider: Provider,
    calls: responses.RequestsMock,
    said: dict[str, Any],
    reason: str,
) -> None:
    """Its sender learns nothing; an admin reads why."""
    make(app, protection=provider.name)
    calls.post(provider.verify_url, **said)
    answer = client.post("/subscribe", json=POST | {"captcha": "bad"})
    assert answer.status_code == 202
    assert set(answer.get_json()) == {"id", "status"}
    assert kept(app) == (0, [reason])


@pytest.mark.parametrize("host", [SITE, SHOP])
def test_the_forms_sites_and_the_allowed_ones_may_show_it(
    app: Flask, client: FlaskClient, calls: responses.RequestsMock, host: str
) -> None:
    """Where a browser may send it from, it may have been solved."""
    make(app, protection="hcaptcha")
    calls.post(PROVIDERS["hcaptcha"].verify_url, json=GOOD | {"hostname": host.removeprefix("https://")})
    client.post("/subscribe", json=POST | {"captcha": "good"})
    assert kept(app) == (1, [])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "captcha_missing"),
        ({trap_name("spring-news"): "https://spam.example"}, "honeypot"),
        ({"email": "ada@mailinator.com"}, "disposable"),
        ({"form_token": "nonsense"}, "wrong_token"),
    ],
)
def test_nobody_is_asked_where_there_is_no_answer(
    app: Flask, client: FlaskClient, calls: responses.RequestsMock, changes: dict[str, str], reason: str
) -> None:
    """A call costs a visitor's thread."""
    make(app, protection="turnstile")
    client.post("/subscribe", json=POST | changes)
    assert kept(app) == (0, [reason])
    assert len(calls.calls) == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({trap_name("spring-news"): "https://spam.example"}, "honeypot"),
        ({"email": "ada@mailinator.com"}, "disposable"),
        ({"form_token": "nonsense"}, "wrong_token"),
    ],
)
@pytest.mark.parametrize("good", [True, False])
def test_who_solved_it_is_known_whatever_rule_they_broke(
    app: Flask,
    client: FlaskClient,
    calls: responses.RequestsMock,
    changes: dict[str, str],
    reason: str,
    *,
    good: bool,
) -> None:
    """A browser may fill in a hidden field: such a person must be found among the programs."""
    make(app, protection="turnstile")
    said = GOOD if good else {"success": False, "error-codes": ["invalid-input-response"]}
    calls.post(PROVIDERS["turnstile"].verify_url, json=said)
    client.post("/subscribe", json=POST | changes | {"captcha": "x"})
    assert kept(app) == (0, [reason])
    (view,) = app.extensions["services"].suspected.waiting(2)
    assert view.proven is good


def test_a_server_with_a_key_needs_no_captcha(
    app: Flask, client: FlaskClient, calls: responses.RequestsMock
) -> None:
    """It is known."""
    make(app, protection="recaptcha")
    client.post("/subscribe", json=POST, headers={"Authorization": f"Bearer {API_KEY}"})
    assert kept(app) == (1, [])
    assert len(calls.calls) == 0


def test_a_repeat_does_not_use_its_answer_twice(
    app: Flask, client: FlaskClient, calls: responses.RequestsMock
) -> None:
    """Sent again after a lost answer, a good sign-up stays one."""
    make(app, protection="turnstile")
    calls.post(PROVIDERS["turnstile"].verify_url, json=GOOD)
    for _ in range(2):
        client.post("/subscribe", json=POST | {"captcha": "good"}, headers={"Idempotency-Key": '"k-1"'})
    assert kept(app) == (1, [])
    assert len(calls.calls) == 1


def test_an_admin_reads_why_it_is_kept_apart(app: Flask, client: FlaskClient) -> None:
    """In a sentence."""
    make(app, protection="turnstile")
    client.post("/subscribe", json=POST)
    browser = app.test_client()
    sign_in(browser)
    assert "The captcha was not solved" in browser.get("/admin/suspected/").text


def test_a_form_whose_captcha_lost_its_keys_keeps_all_apart(
    app: Flask, make_app: MakeApp, calls: responses.RequestsMock
) -> None:
    """It neither stands open nor loses anybody, and its page tells the admin."""
    make(app, protection="turnstile")
    without = make_app()
    client = without.test_client()
    assert client.get("/forms/spring-news").status_code == 200
    assert client.get("/forms/spring-news.json").get_json()["protection"]["captcha"] is None
    assert client.post("/subscribe", json=POST | {"captcha": "good"}).status_code == 202
    assert kept(without) == (0, ["captcha_unchecked"])
    sign_in(client)
    page = client.get("/admin/forms/spring-news").text
    assert "The keys of this captcha are not set" in page
    assert 'value="turnstile" checked' in page
    assert 'value="hcaptcha"' not in page


def test_an_admin_may_choose_what_has_keys(app: Flask, make_app: MakeApp) -> None:
    """And nothing else."""
    browser = app.test_client()
    sign_in(browser)
    page = browser.get("/admin/forms/new").text
    assert all(f'value="{name}"' in page for name in PROVIDERS)
    only = make_app(HCAPTCHA_SITE_KEY="site", HCAPTCHA_SECRET_KEY="secret").test_client()
    sign_in(only)
    page = only.get("/admin/forms/new").text
    assert [name for name in PROVIDERS if f'value="{name}"' in page] == ["hcaptcha"]


def test_an_admins_page_shows_the_html_and_runs_no_script_of_others(app: Flask, provider: Provider) -> None:
    """What is copied has the widget; the page itself may load nothing from there."""
    make(app, protection=provider.name)
    browser = app.test_client()
    sign_in(browser)
    page = browser.get("/admin/forms/spring-news")
    shown = page.text
    assert "frame-src" not in policy_of(page)
    assert f'<script src="{provider.script}"' not in shown
    copied = unescape(shown.partition('aria-label="HTML of the form"><code>')[2].partition("</code>")[0])
    assert f'<div class="{provider.widget}" data-sitekey="SITE of {provider.name}"' in copied
    assert f'<script src="{provider.script}" async defer></script>' in copied
    assert ("data-action" in copied) == (provider.name == "turnstile")
    assert "data-captcha" not in shown
