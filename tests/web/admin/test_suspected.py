"""Protection as visitors, scripts, programs and admins meet it."""

import re
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeSerializer

from services import Services
from services.access.derived_keys import derived_key
from services.forms.honeypot import trap_name
from services.protection.proof_of_work import Challenge
from services.protection.rules import RULES
from tests.services.protection.test_proof_of_work import answer
from tests.web.conftest import API_KEY, BY_KEY, MakeApp, csrf_token
from web.admin.suspected import PER_PAGE
from wiring.access import derived_keys

ORIGIN = "https://shop.example.org"
# Not the public one, which a protected form would close to whoever names no form.
OTHER_LIST = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def services(app: Flask) -> Services:
    found: Services = app.extensions["services"]
    return found


def make_form(services: Services, list_id: str, **changes: Any) -> None:
    services.forms.save(
        {
            "slug": "news",
            "name": "News",
            "list_ids": [list_id],
            "fields": [],
            "origins": [ORIGIN],
            "protection": "standard",
            **changes,
        }
    )


def token(app: Flask, services: Services, *, ms_ago: int) -> str:
    """What the app issued so long ago."""
    form = services.forms.find("news")
    assert form is not None
    now = services.intake.recorder.clock()
    key = derived_key(derived_keys(app.extensions["settings"]).visitors, "form token")
    serializer = URLSafeSerializer(key, salt="form token")
    return str(serializer.dumps([form.slug, now - ms_ago]))


def hidden(page: str, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)">', page)
    assert found is not None, page
    return found[1]


def counts(services: Services) -> tuple[int, int]:
    """Return how many sign-ups were taken for people's and how many are suspected."""
    return len(services.signups.newest(limit=100)), services.suspected.counts().total


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize("as_json", [True, False], ids=["json", "html"])
def test_both_routes_are_guarded_alike(
    app: Flask, services: Services, list_id: str, *, as_json: bool
) -> None:
    """A program's post ends as a person's, status line, headers and body; only the store knows better.

    So does a known contact's.
    """
    make_form(services, list_id)
    person = {"form": "news", "email": "ada@example.org", "form_token": token(app, services, ms_ago=3_000)}

    def post(document: dict[str, str]) -> tuple[int, str, list[tuple[str, str]]]:
        sent = {"json": document} if as_json else {"data": document}
        answer = app.test_client().post("/subscribe", **sent)
        headers = [(name, value) for name, value in answer.headers if name != "X-Request-Id"]
        return answer.status_code, re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", answer.text), headers

    thanked = post(person)
    assert counts(services) == (1, 0)
    services.delivery.drain(5)
    assert post(person | {"form_token": token(app, services, ms_ago=4_000)}) == thanked
    services.delivery.drain(5)
    assert counts(services) == (2, 0)
    programs = [
        person | {trap_name("news"): "https://spam.example"},
        person | {"form_token": ""},
        person | {"form_token": "guessed"},
        person | {"form_token": token(app, services, ms_ago=100)},
    ]
    for program in programs:
        assert post(program) == thanked
    assert counts(services) == (2, len(programs))


def test_a_form_page_brings_its_own_token(
    app: Flask, services: Services, client: FlaskClient, list_id: str
) -> None:
    """Sent at once the sign-up is suspected: nobody reads and types that fast. No script is needed."""
    make_form(services, list_id)
    page = client.get("/forms/news")
    assert page.headers["Cache-Control"] == "no-store"
    assert (
        f'<div hidden><label>Leave this empty <input name="{trap_name("news")}" autocomplete="off">'
        in page.text
    )
    form = {name: hidden(page.text, name) for name in ("form", "form_token")} | {"email": "ada@example.org"}
    client.post("/subscribe", data=form)
    assert counts(services) == (0, 1)


def test_a_script_gets_its_token_across_origins(
    app: Flask, services: Services, client: FlaskClient, list_id: str
) -> None:
    """The form's description names the address; caches do not keep the answer."""
    make_form(services, list_id)
    described = client.get("/forms/news.json").get_json()["protection"]
    assert described == {
        "honeypot": trap_name("news"),
        "token_url": "http://localhost/forms/news/token",
        "captcha": None,
    }
    answer = client.get("/forms/news/token", headers={"Origin": ORIGIN})
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert answer.headers["Cache-Control"] == "no-store"
    client.post(
        "/subscribe",
        json={"form": "news", "email": "ada@example.org", "form_token": answer.get_json()["token"]},
    )
    (suspect,) = services.suspected.waiting(10)
    assert [RULES[name] for name in suspect.reasons] == [
        "The form was sent within two seconds of being shown."
    ]
    assert client.get("/forms/other/token").status_code == 404


def test_a_form_without_the_time_rule_needs_no_token(
    services: Services, client: FlaskClient, list_id: str
) -> None:
    """Plain HTML copied into a page brings no form token."""
    make_form(services, list_id, protection="none")
    assert client.get("/forms/news.json").get_json()["protection"]["token_url"] is None
    assert "form_token" not in client.get("/forms/news").text
    client.post("/subscribe", data={"form": "news", "email": "ada@example.org"})
    assert counts(services) == (1, 0)


def test_a_page_open_for_days_works_at_the_second_press(
    app: Flask, services: Services, client: FlaskClient, list_id: str
) -> None:
    """What was typed is kept, and the new form token may be used at once."""
    make_form(services, list_id)
    form = {
        "form": "news",
        "email": "ada@example.org",
        "form_token": token(app, services, ms_ago=24 * 3_600_000 + 60_000),
    }
    again = client.post("/subscribe", data=form)
    assert again.status_code == 422
    assert "This page was open for too long. Please send it once more." in again.text
    assert 'value="ada@example.org"' in again.text
    fresh = hidden(again.text, "form_token")
    assert client.post("/subscribe", data=form | {"form_token": fresh}).status_code == 303
    assert counts(services) == (1, 0)
    program = client.post("/subscribe", json=form)
    assert (program.status_code, program.get_json()["errors"][0]["field"]) == (422, "form_token")


def test_a_form_with_a_mistake_keeps_the_time_it_was_shown(
    app: Flask, services: Services, client: FlaskClient, list_id: str
) -> None:
    """Correcting a typing error may take less than two seconds."""
    make_form(services, list_id)
    shown = token(app, services, ms_ago=60_000)
    page = client.post("/subscribe", data={"form": "news", "email": "ada@", "form_token": shown}).text
    assert hidden(page, "form_token") == shown
    # Plain HTML from elsewhere gets one here.
    assert hidden(client.post("/subscribe", data={"form": "news", "email": "ada@"}).text, "form_token")


def test_an_api_key_is_not_suspected(services: Services, client: FlaskClient, list_id: str) -> None:
    """The rules tell programs from people, which does not apply to a shop's own server."""
    make_form(services, list_id)
    client.post(
        "/subscribe",
        json={"form": "news", "email": "ada@example.org", trap_name("news"): "x"},
        headers={"Authorization": f"Bearer {API_KEY}"},
    )
    assert counts(services) == (1, 0)


def test_the_admin_sees_who_is_suspected_and_why(
    services: Services, admin: FlaskClient, client: FlaskClient, list_id: str
) -> None:
    """What was sent is text on that page, whatever it looks like."""
    assert (
        "No suspected sign-ups.</strong> A sign-up that looks as if a program sent it waits here"
        in admin.get("/admin/suspected/").text
    )
    make_form(services, list_id, fields=[{"name": "first_name", "label": "Name"}])
    client.post(
        "/subscribe",
        data={"form": "news", "email": "ada@example.org", "first_name": "<b>Ada", trap_name("news"): "x"},
        headers={"Referer": f"{ORIGIN}/join"},
    )
    page = admin.get("/admin/suspected/").text
    for part in (
        "&lt;b&gt;Ada",
        "ada@example.org",
        f"on {ORIGIN}/join",
        "from 127.0.0.1",
        "do not see was filled",
    ):
        assert part in page
    page = admin.get("/admin/").text
    assert '<a id="to-suspected" href="/admin/suspected/">Review them</a>' in page
    assert "One sign-up looks like a program's and waits for you under Suspected." in unescape(page)


def test_the_admin_releases_and_deletes(
    services: Services, admin: FlaskClient, client: FlaskClient, list_id: str
) -> None:
    """Each works once; a second press is answered 404."""
    ids = [
        client.post(
            "/subscribe", json={"list_id": list_id, "email": "ada@example.org", "website": "x"}
        ).get_json()["id"]
        for _ in range(2)
    ]
    form = {"csrf_token": csrf_token(admin.get("/admin/suspected/").text)}
    for signup_id, decision in zip(ids, ("release", "delete"), strict=True):
        address = f"/admin/suspected/{signup_id}/{decision}"
        assert admin.post(address).status_code == 400
        assert client.post(address, data=form).status_code in {303, 400}
        assert admin.post(address, data=form).location == "/admin/suspected/"
        assert admin.post(address, data=form).status_code == 404
    assert [signup.id for signup in services.signups.newest(limit=10)] == ids[:1]
    assert services.suspected.counts().total == 0
    assert client.get(f"/signups/{ids[0]}", headers=BY_KEY).get_json()["status"] == "queued"
    assert client.get(f"/signups/{ids[1]}", headers=BY_KEY).status_code == 404
    for signup_id in ids:
        assert client.get(f"/signups/{signup_id}").get_json()["status"] == "received"


def trapped(client: FlaskClient, list_id: str, number: int) -> None:
    fields = {"list_id": list_id, "email": f"p{number}@example.org", "website": "x"}
    client.post("/subscribe", json=fields)


def test_the_admin_pages_through_all_of_them(admin: FlaskClient, client: FlaskClient, list_id: str) -> None:
    """Links lead through the pages without a script; a made-up position begins anew."""
    for number in range(PER_PAGE + 3):
        trapped(client, list_id, number)
    first = admin.get("/admin/suspected/").text
    following = re.search(r'href="(/admin/suspected/\?after=[^"]+)">Next page', first)
    assert following is not None
    second = admin.get(following[1].replace("&amp;", "&")).text
    found = [re.findall(r'"Release (p\d+@example.org)"', page) for page in (first, second)]
    assert [len(page) for page in found] == [PER_PAGE, 3]
    assert len({*found[0], *found[1]}) == PER_PAGE + 3
    assert "Next page" not in second
    for made_up in ("x", "9.1.s", "1.x.s", "1.99999999999999999999.s", "1.1.%00", "."):
        assert admin.get(f"/admin/suspected/?after={made_up}").status_code == 200


def test_the_admin_finds_one_address_and_one_reason(
    services: Services, admin: FlaskClient, client: FlaskClient, list_id: str
) -> None:
    """The spelling of the address does not matter; text that is no address finds nobody."""
    make_form(services, OTHER_LIST)
    trapped(client, list_id, 1)
    client.post("/subscribe", json={"form": "news", "email": "ann@example.org"})
    for query, shown in (
        ("address=+P1@Example.ORG", ["p1@example.org"]),
        ("address=nobody@example.org", []),
        ("address=%00", []),
        ("reason=no_token", ["ann@example.org"]),
        ("reason=honeypot", ["p1@example.org"]),
        ("reason=made_up", ["ann@example.org", "p1@example.org"]),
    ):
        page = admin.get(f"/admin/suspected/?{query}").text
        assert re.findall(r'"Release ([^"]+)"', page) == shown, query


@pytest.mark.parametrize("decision", ["release", "delete"])
def test_the_admin_decides_on_all_of_a_reason(
    services: Services, admin: FlaskClient, client: FlaskClient, list_id: str, decision: str
) -> None:
    """A page asks first, guarded by a CSRF token; sign-ups that came after that page are left out."""
    make_form(services, OTHER_LIST)
    for number in range(3):
        trapped(client, list_id, number)
    client.post("/subscribe", json={"form": "news", "email": "ann@example.org"})
    listed = admin.get("/admin/suspected/?reason=honeypot").text
    address = f"/admin/suspected/{decision}-all"
    assert f'href="{address}?reason=honeypot"' in listed
    page = admin.get(f"{address}?reason=honeypot").text
    assert "p2@example.org" in page
    assert services.suspected.counts().total == 4, "asking changes nothing"
    form = {name: hidden(page, name) for name in ("csrf_token", "reason", "seen")}
    for wrong in ({"csrf_token": ""}, {"reason": "made_up"}, {"seen": "soon"}):
        assert admin.post(address, data=form | wrong).status_code == 400
    assert client.post(address, data=form).status_code in {303, 400}
    assert admin.post(address, data=form | {"seen": "1"}).status_code == 303
    assert services.suspected.counts().total == 4
    assert admin.post(address, data=form).location == "/admin/suspected/"
    done = "released for delivery" if decision == "release" else "deleted"
    assert f"3 sign-ups {done}." in admin.get("/admin/suspected/").text
    assert [view.email for view in services.suspected.waiting(10)] == ["ann@example.org"]
    assert len(services.signups.newest(limit=10)) == (3 if decision == "release" else 0)
    assert admin.get(f"{address}?reason=made_up").status_code == 404
    assert admin.get("/admin/suspected/keep-all?reason=honeypot").status_code == 404


def test_the_dashboard_says_how_many_are_new(admin: FlaskClient, client: FlaskClient, list_id: str) -> None:
    """It counts those since an admin last looked, and says that others are still there."""
    trapped(client, list_id, 1)
    trapped(client, list_id, 2)
    assert "2 are new since you last looked." in admin.get("/admin/").text
    admin.get("/admin/suspected/")
    page = unescape(admin.get("/admin/").text)
    assert "2 sign-ups look like a program's and wait for you under Suspected." in page
    assert "new since you last looked" not in page


def test_only_admins_see_them(make_app: MakeApp) -> None:
    """Strangers are led to the sign-in page."""
    answer = make_app().test_client().get("/admin/suspected/")
    assert (answer.status_code, answer.location) == (303, "/admin/sign-in")


def test_the_admin_chooses_the_protection(services: Services, connected: FlaskClient, list_id: str) -> None:
    """New forms begin with “standard”; the page says what it means for plain HTML."""
    page = connected.get("/admin/forms/new").text
    assert re.search(r'name="protection" value="standard" checked', page)
    form = {
        "csrf_token": csrf_token(page),
        "slug": "news",
        "name": "News",
        "list_ids": [list_id],
        "label_email": "E-mail",
        "protection": "standard",
    }
    assert connected.post("/admin/forms/new", data=form).status_code == 303
    page = connected.get("/admin/forms/news").text
    assert "waits under" in page
    assert hidden(page, "form_token")
    assert page.count("form_token") == 3, "in the preview and in the two notes, not in the pasted HTML"
    connected.post("/admin/forms/news", data=form | {"protection": "captcha"})
    page = connected.get("/admin/forms/news").text
    assert "and a proof of work waits under" in page
    assert page.count("data-challenge") == 1, "in the preview, not in the pasted HTML"
    connected.post("/admin/forms/news", data=form | {"protection": "none"})
    found = services.forms.find("news")
    assert found is not None
    assert found.protection == "none"
    assert "waits under" not in connected.get("/admin/forms/news").text
    assert connected.post("/admin/forms/news", data=form | {"protection": "all"}).status_code == 422


def test_a_flood_is_told_to_wait(make_app: MakeApp, list_id: str) -> None:
    """The answer is a page that keeps what was typed, or a problem document; earlier sign-ups are kept."""
    app = make_app(SIGNUPS_PER_MINUTE_AND_ADDRESS="1", SIGNUPS_PER_MINUTE_AND_FORM="0")
    services: Services = app.extensions["services"]
    client, person = app.test_client(), {"list_id": list_id, "email": "ada@example.org"}
    here = {"REMOTE_ADDR": "8.8.4.4"}
    statuses = [client.post("/subscribe", json=person, environ_base=here).status_code for _ in range(12)]
    # A minute may end meanwhile, and counting begin anew.
    assert statuses.count(202) in {5, 10}
    answer = client.post("/subscribe", json=person, environ_base=here)
    assert (answer.status_code, answer.content_type) == (429, "application/problem+json")
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    page = client.post("/subscribe", data=person, environ_base=here)
    assert (page.status_code, page.headers["Retry-After"] > "") == (429, True)
    assert 'value="ada@example.org"' in page.text
    assert counts(services) in {(1, 4), (2, 8)}
    keyed = client.post(
        "/subscribe", json=person, environ_base=here, headers={"Authorization": f"Bearer {API_KEY}"}
    )
    assert keyed.status_code == 202


def test_a_forms_proof_is_asked_for_wherever_it_is_shown(
    app: Flask, services: Services, client: FlaskClient, list_id: str
) -> None:
    """The form's own page asks by our script, other sites by the description; HTML to copy does not ask."""
    make_form(services, list_id, protection="captcha")
    page = client.get("/forms/news").text
    assert '<input type="hidden" name="altcha" data-challenge="/forms/news/challenge">' in page
    assert '<script type="module" src="/proof.js"></script>' in page
    assert "<noscript>" in page
    described = client.get("/forms/news.json").get_json()["protection"]["captcha"]
    assert described == {"kind": "altcha", "challenge_url": "http://localhost/forms/news/challenge"}
    asked = client.get("/forms/news/challenge", headers={"Origin": ORIGIN})
    assert asked.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert asked.headers["Cache-Control"] == "no-store"
    assert set(asked.get_json()) == {"algorithm", "challenge", "maxnumber", "salt", "signature"}
    with client.get("/proof.js") as script:
        assert script.headers["Access-Control-Allow-Origin"] == "*"
    assert client.get("/forms/other/challenge").status_code == 404


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "html"])
def test_a_proof_counts_once_on_both_routes(
    app: Flask, services: Services, client: FlaskClient, list_id: str, *, as_json: bool
) -> None:
    """The first sign-up is delivered; one with the same proof, or without any, is suspected."""
    make_form(services, list_id, protection="captcha")
    asked = Challenge(**client.get("/forms/news/challenge").get_json())
    person = {"form": "news", "email": "ada@example.org", "form_token": token(app, services, ms_ago=3_000)}
    for proof in ({"altcha": answer(asked)}, {"altcha": answer(asked)}, {}):
        sent = {"json": person | proof} if as_json else {"data": person | proof}
        assert client.post("/subscribe", **sent).status_code == (202 if as_json else 303)
    assert counts(services) == (1, 2)
    assert {tuple(RULES[name] for name in suspect.reasons) for suspect in services.suspected.waiting(10)} == {
        ("The proof of work was used before, or is too old.",),
        ("The proof of work was missing: it was sent without a script.",),
    }


def test_a_new_secret_key_sets_no_open_form_aside(app: Flask, make_app: MakeApp, list_id: str) -> None:
    """The next process, which signs with a new key, accepts the old form token, but not an admin's link."""
    services = app.extensions["services"]
    make_form(services, list_id)
    app.extensions["parts"].forms.visitor_keys.refresh()
    form_token, link = token(app, services, ms_ago=3_000), services.admin.new_link_token()
    changed = make_app(SECRET_KEY="another one, drawn by lot: 7f3a9c5e12")
    changed.extensions["parts"].forms.visitor_keys.refresh()
    body = {"form": "news", "email": "ada@example.org", "form_token": form_token}
    assert changed.test_client().post("/subscribe", json=body).status_code in {200, 201, 202}
    assert counts(changed.extensions["services"]) == (1, 0)
    assert changed.test_client().get(f"/admin/sign-in/{link}").status_code == 401
