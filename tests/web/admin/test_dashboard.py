"""GET /admin/."""

import html
import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from store.connection.audit import AuditLog
from tests.web.conftest import BY_KEY, MakeApp, csrf_token, sign_in
from web.admin.dashboard import AUDIT_SENTENCES


def test_without_the_slash(admin: FlaskClient) -> None:
    """/admin leads to /admin/."""
    answer = admin.get("/admin")
    assert answer.status_code == 308
    assert answer.location.endswith("/admin/")


def test_before_connecting(admin: FlaskClient) -> None:
    """The page says what is wrong, that sign-ups are safe, and offers the one button."""
    page = admin.get("/admin/").text
    assert "Something needs your attention" in page
    assert page.count("Constant Contact is not connected yet.") == 1
    assert "Sign-ups are safe" in page
    assert '<a class="button" href="/oauth/start"' in page
    assert "/oauth/disconnect" not in page
    assert '<a href="/sandbox/">' in page


def test_when_everything_works(connected: FlaskClient, list_id: str) -> None:
    """Connected, the page is calm: one line, the lists with their ids, and the way to disconnect."""
    page = connected.get("/admin/").text
    assert "Everything works" in page
    assert '<span class="badge good">Connected</span>' in page
    assert "<dt>Since</dt>" in page
    assert "/oauth/start" not in page
    assert f"<code>{list_id}</code>" in page
    assert "Open to plain forms" in page


def test_whose_account_is_connected(connected: FlaskClient) -> None:
    """The organisation, its account and the user who gave access are named."""
    page = connected.get("/admin/").text
    values = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
    assert values["Organisation"] == "Sandbox Society"
    assert values["Account"] == "<code>a0sandbox0001</code>"
    assert values["User"] == "owner"
    assert "has not been used" not in page


@pytest.mark.parametrize(("days", "words"), [(61, "After 180 days"), (151, "Soon")])
def test_a_connection_that_is_not_used_is_warned_about(connected: FlaskClient, days: int, words: str) -> None:
    """Before the vendor ends an unused connection the page says so, in a sentence."""
    with connected.application.extensions["parts"].database.transaction() as connection:
        connection.exec_driver_sql(
            f"UPDATE connection SET refresh_issued_at = refresh_issued_at - {days * 86_400_000}"
        )
    page = connected.get("/admin/").text
    sentence = f"The connection has not been used for {days} days. {words} Constant Contact ends"
    assert f'<p class="notice problem">{sentence}' in page
    assert page.count(sentence) == 1


def test_what_happened(connected: FlaskClient) -> None:
    """The last ten audit entries in plain words with their time, newest first; none becomes markup."""
    record = AuditLog(connected.application.extensions["parts"].database).record
    for number in range(10):
        record("refreshed", now=4_099_999_999_000 + number)
    record("wrong_account", now=4_100_000_000_000, detail="It was <i>Other</i>.")
    page = connected.get("/admin/").text
    happened = page[page.index("Connection history") : page.index("A form for your website")]
    entries = re.findall(r"<li><small><time[^>]*>([^<]+)</time></small> (.*?)</li>", happened)
    assert entries[0] == (
        "3 Dec 2099, 16:53 UTC",
        "Another account was refused. It was &lt;i&gt;Other&lt;/i&gt;.",
    )
    assert [words for _, words in entries[1:]] == ["The access was renewed."] * 9


def test_every_kind_of_event_has_words() -> None:
    """Each kind of audit entry that the code records has a sentence."""
    calls = re.compile(r"audit\(\s*\"(\w+)\"")
    recorded = {kind for source in Path("oauth").rglob("*.py") for kind in calls.findall(source.read_text())}
    assert recorded >= {"connected", "disconnected", "seeded"}
    assert recorded <= set(AUDIT_SENTENCES)


def test_disconnecting(connected: FlaskClient) -> None:
    """The button of the page works, and the page then offers to connect."""
    token = csrf_token(connected.get("/admin/").text)
    assert connected.post("/oauth/disconnect").status_code == 400
    assert connected.post("/oauth/disconnect", data={"csrf_token": token}).status_code == 303
    page = connected.get("/admin/").text
    assert "Constant Contact is disconnected." in page
    assert "/oauth/start" in page


def test_looking_calls_the_vendor_once_at_most(connected: FlaskClient) -> None:
    """Opening the page repeatedly makes no API call; the link to fetch the lists again does."""

    def calls() -> int:
        requests: Any = connected.get("/sandbox/_sandbox/requests").get_json()["requests"]
        return sum(call["path"].endswith("/contact_lists") for call in requests)

    connected.get("/admin/")
    with connected.application.extensions["parts"].database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE meta SET value = json_set(value, '$.fetched_at', 0) WHERE key = 'contact_lists'"
        )
    before = calls()
    connected.get("/admin/")
    assert calls() == before == 1
    connected.get("/admin/?refresh=1")
    assert calls() == before + 1


def test_a_vendor_that_is_away_does_not_take_the_page_down(connected: FlaskClient) -> None:
    """If the lists cannot be fetched, the page is shown and says why there are none."""
    fault = {"match": {"path": "/v3/contact_lists"}, "times": None, "fault": {"status": 503, "body": {}}}
    connected.post("/sandbox/_sandbox/faults", json=fault)
    answer = connected.get("/admin/")
    assert answer.status_code == 200
    assert "The lists are not known yet." in answer.text


def test_the_latest_sign_ups(connected: FlaskClient, list_id: str) -> None:
    """Each sign-up shows who, where to, and in words how it stands; nothing typed becomes markup."""
    body = {"email": "ada@example.org", "first_name": "<i>Ada</i>", "list_id": list_id, "source": "footer"}
    connected.post("/subscribe", json=body)
    page = connected.get("/admin/").text
    assert "&lt;i&gt;Ada&lt;/i&gt;" in page
    assert "<i>" not in page
    assert "ada@example.org" in page
    assert "from footer" in page
    assert '<span class="badge quiet">Waiting</span>' in page
    connected.application.extensions["services"].delivery.drain(5)
    assert '<span class="badge good">Subscribed</span>' in connected.get("/admin/").text


def test_a_refused_sign_up_says_why(connected: FlaskClient, list_id: str) -> None:
    """What Constant Contact refuses is shown as needing a person, with the reason and its own words.

    Those are shown as text, with nothing of the person in them, and not to holders of an API key.
    """
    words = "<b>Ada@Example.org</b> is not welcome."
    refusal = [{"error_key": "contacts.api.validation.error", "error_message": words}]
    fault = {
        "match": {"path": "/v3/contacts/sign_up_form"},
        "times": None,
        "fault": {"status": 400, "body": refusal},
    }
    connected.post("/sandbox/_sandbox/faults", json=fault)
    answer = connected.post("/subscribe", json={"email": "ada@example.org", "list_id": list_id})
    connected.application.extensions["services"].delivery.drain(5)
    page, refused = connected.get("/admin/").text, connected.get("/admin/signups/").text
    assert '<span class="badge bad">Needs attention</span>' in page
    assert "refused this sign-up as it stands. (contacts.api.validation.error)<br>" in page
    for shown in (page, refused):
        assert "Constant Contact said: &lt;b&gt;[hidden]&lt;/b&gt; is not welcome.</small>" in shown
    assert "welcome" not in connected.get(f"/signups/{answer.get_json()['id']}", headers=BY_KEY).text


def test_the_form_to_copy_works(make_app: MakeApp) -> None:
    """What stands in the box to copy is a form that signs up, with our absolute address."""
    browser = make_app(PUBLIC_BASE_URL="https://signup.example.com").test_client()
    options: Any = {"base_url": "https://signup.example.com"}
    token = csrf_token(browser.get("/admin/sign-in", **options).text)
    data = {"csrf_token": token, "password": "correct horse"}
    referer = {"Referer": "https://signup.example.com/admin/sign-in"}
    browser.post("/admin/sign-in", data=data, headers=referer, **options)
    page = browser.get("/admin/", **options).text
    block = re.search(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)
    assert block is not None
    assert "<" not in block[1]
    snippet = html.unescape(block[1])
    assert '<form action="https://signup.example.com/subscribe" method="post" ' in snippet
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', snippet))
    answer = browser.post("/subscribe", data={**fields, "email": "ada@example.org"}, **options)
    assert answer.status_code == 303
    assert '<form action="/subscribe" method="post" ' in page


def test_without_public_lists_the_page_says_what_to_do(make_app: MakeApp) -> None:
    """With a real account and no public list, the page leads to a form."""
    app = make_app(CONSTANT_CONTACT_CLIENT_ID="id", CONSTANT_CONTACT_CLIENT_SECRET="secret")
    browser = app.test_client()
    sign_in(browser)
    page = browser.get("/admin/").text
    assert "No list is open to website forms yet" in page
    assert '<a href="/admin/forms/new">' in page
    assert "built-in sandbox" not in page


def test_a_dead_database_is_a_503_page(admin: FlaskClient, make_app: MakeApp, tmp_path: Path) -> None:
    """When the database fails, the admin reads a sentence and no traceback."""
    cookie = admin.get_cookie("subscriber_sync")
    assert cookie is not None
    (tmp_path / "file").touch()
    browser = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/file/x.db").test_client()
    browser.set_cookie("subscriber_sync", cookie.value)
    answer = browser.get("/admin/", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "The database cannot be used at the moment." in answer.text
    assert "Retry-After" in answer.headers
