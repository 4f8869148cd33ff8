"""The admin's pages for making forms."""

import re
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from services.forms.editor import RESERVED_SLUGS
from services.forms.form import Form
from tests.web.conftest import MakeApp, connect, csrf_token, sign_in
from tests.web.forms import LIST_ID, SHOP, make

EVIL = "\"><script>alert(1)</script>&amp;'{{7*7}}"
ENTERED: dict[str, Any] = {
    "name": "Spring newsletter",
    "slug": "spring-news",
    "list_ids": [LIST_ID],
    "label_email": "Your e-mail",
    "show_first_name": "on",
    "label_first_name": "Name",
    "required_first_name": "on",
    "label_phone": "Phone",
    "wording": "Yes.\r\nEvery week.",
    "thank_you_message": "Thanks.",
    "thank_you_url": "",
    "origins": f"{SHOP}/a-page\r\nhttps://www.example.com\r\n",
}


def post(admin: FlaskClient, path: str, **entered: Any) -> TestResponse:
    return admin.post(path, data={"csrf_token": csrf_token(admin.get("/admin/forms/new").text), **entered})


def form(app: Flask, slug: str = "spring-news") -> Form | None:
    found: Form | None = app.extensions["services"].forms.get(slug)
    return found


def snippets(page: str) -> list[str]:
    """Return what the page offers to copy, as it arrives in a clipboard."""
    return [unescape(code) for code in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)]


@pytest.mark.parametrize("path", ["", "new", "spring-news", "nothing"])
def test_strangers_are_sent_to_the_sign_in_page(app: Flask, client: FlaskClient, path: str) -> None:
    """Strangers get the same redirect whether or not the form exists."""
    make(app)
    answer = client.get(f"/admin/forms/{path}")
    assert (answer.status_code, answer.location) == (303, "/admin/sign-in")


@pytest.mark.parametrize("path", ["new", "spring-news", "spring-news/archive"])
def test_strangers_change_nothing(app: Flask, client: FlaskClient, path: str) -> None:
    """A CSRF token of a stranger's own session lets nobody post."""
    before = make(app)
    token = csrf_token(client.get("/admin/sign-in").text)
    answer = client.post(f"/admin/forms/{path}", data={"csrf_token": token, **ENTERED, "slug": "mine"})
    assert (answer.status_code, answer.location) == (303, "/admin/sign-in")
    assert app.extensions["services"].forms.all() == [before]


@pytest.mark.parametrize("path", ["new", "spring-news", "spring-news/archive"])
def test_another_site_cannot_make_the_admin_do_it(app: Flask, admin: FlaskClient, path: str) -> None:
    """A post without the page's CSRF token changes nothing."""
    before = make(app)
    for token in ({}, {"csrf_token": "x"}):
        answer = admin.post(f"/admin/forms/{path}", data={**ENTERED, "slug": "mine", **token})
        assert answer.status_code == 400
    assert app.extensions["services"].forms.all() == [before]


def test_the_list_is_empty_at_first(admin: FlaskClient) -> None:
    """The page says what a form is for and offers to make one; the dashboard leads there."""
    page = admin.get("/admin/forms/").text
    assert "No forms yet." in page
    assert 'href="/admin/forms/new"' in page
    assert 'href="/admin/forms/"' in admin.get("/admin/").text


def test_the_list_shows_every_form(app: Flask, admin: FlaskClient) -> None:
    """Each form has its lists and its address; an archived one says so and shows no address."""
    make(app)
    make(app, slug="old", name="Old letters")
    app.extensions["services"].forms.archive("old")
    page = admin.get("/admin/forms/").text
    assert '<a href="/forms/spring-news"><code>/forms/spring-news</code></a>' in page
    assert LIST_ID in page
    assert 'href="/admin/forms/old"' in page
    assert 'href="/forms/old"' not in page
    assert page.count("Archived") == 1


def test_lists_have_their_names_once_they_are_known(connected: FlaskClient, list_id: str) -> None:
    """The editor shows names and ticks the form's lists, also one that the account no longer has."""
    app = connected.application
    connected.get("/lists?refresh=1")
    make(app, list_ids=[list_id, LIST_ID])
    page = connected.get("/admin/forms/spring-news").text
    assert re.search(rf'value="{list_id}" checked> Newsletter', page)
    assert re.search(rf'value="{LIST_ID}" checked> {LIST_ID}', page)
    assert "Newsletter, " in connected.get("/admin/forms/").text


def test_before_any_list_is_known_the_page_says_why(admin: FlaskClient) -> None:
    """The editor says that lists appear after connecting."""
    assert "once Constant Contact is connected" in admin.get("/admin/forms/new").text


def test_a_form_is_made(app: Flask, admin: FlaskClient) -> None:
    """Saving leads to the form's page, which says that it is saved."""
    answer = post(admin, "/admin/forms/new", **ENTERED)
    assert (answer.status_code, answer.location) == (303, "/admin/forms/spring-news")
    made = form(app)
    assert made is not None
    assert (made.name, made.list_ids, made.wordings) == (
        "Spring newsletter",
        (LIST_ID,),
        ("Yes.\nEvery week.",),
    )
    assert [(field.name, field.label, field.required) for field in made.fields] == [
        ("email", "Your e-mail", True),
        ("first_name", "Name", True),
    ]
    assert (made.thank_you_message, made.thank_you_url) == ("Thanks.", None)
    assert made.origins == (SHOP, "https://www.example.com")
    assert "The form is saved." in admin.get(answer.location).text


def test_a_form_is_changed(app: Flask, admin: FlaskClient) -> None:
    """Its page shows what is saved; its short name stays, whatever is posted."""
    make(app)
    page = admin.get("/admin/forms/spring-news").text
    assert 'value="Spring newsletter"' in page
    assert 'name="show_first_name" checked' in page
    assert 'name="show_job_title">' in page
    assert ">Yes, write to me.</textarea>" in page
    assert f">{SHOP}</textarea>" in page
    assert 'name="slug"' not in page
    post(admin, "/admin/forms/spring-news", **ENTERED | {"slug": "other", "name": "Renamed"})
    changed = form(app)
    assert changed is not None
    assert changed.name == "Renamed"
    assert changed.wordings == ("Yes, write to me.", "Yes.\nEvery week.")
    assert form(app, "other") is None


def test_contacts_are_protected_where_that_is_ticked(app: Flask, admin: FlaskClient) -> None:
    """The tick is off at first and kept as saved; the page says what it costs."""
    assert not make(app).protect_existing
    post(admin, "/admin/forms/spring-news", **ENTERED)
    assert [each.protect_existing for each in app.extensions["services"].forms.all()] == [False]
    post(admin, "/admin/forms/spring-news", **ENTERED, protect_existing="on")
    assert [each.protect_existing for each in app.extensions["services"].forms.all()] == [True]
    page = admin.get("/admin/forms/spring-news").text
    assert re.search(r'name="protect_existing"[^>]* checked', page)
    assert "2.0 calls instead of 1.0" in page


@pytest.mark.parametrize("slug", ["spring-news", " spring-news "])
@pytest.mark.parametrize("archived", [True, False])
def test_a_short_name_is_taken_once(app: Flask, admin: FlaskClient, slug: str, *, archived: bool) -> None:
    """The form that has it, archived or not, stays as it is."""
    make(app)
    if archived:
        app.extensions["services"].forms.archive("spring-news")
    before = form(app)
    answer = post(admin, "/admin/forms/new", **ENTERED | {"slug": slug, "name": "Another"})
    assert answer.status_code == 422
    assert '<small id="slug-error" class="problem">There is a form of this short name already' in answer.text
    assert 'value="Another"' in answer.text
    assert form(app) == before


def test_what_is_wrong_keeps_what_was_entered(app: Flask, admin: FlaskClient) -> None:
    """Each message beside its field; nothing is saved, nothing has to be entered again."""
    wrong = {
        "slug": "Spring News",
        "name": "",
        "thank_you_url": "/thanks",
        "origins": "example.org",
        "list_ids": [],
    }
    answer = post(admin, "/admin/forms/new", **ENTERED | wrong)
    assert answer.status_code == 422
    page = answer.text
    for name in wrong:
        assert f'id="{name}-error"' in page
    assert "“example.org” is not a site&#39;s address" in page
    for kept in (
        'value="Spring News"',
        'value="/thanks"',
        ">example.org</textarea>",
        "Every week.</textarea>",
    ):
        assert kept in page
    assert 'name="label_email" value="Your e-mail"' in page
    assert 'name="show_first_name" checked' in page
    assert form(app) is None


def test_a_field_without_a_label_is_named(app: Flask, admin: FlaskClient) -> None:
    """The message says what to do."""
    answer = post(admin, "/admin/forms/new", **ENTERED | {"label_first_name": " "})
    assert answer.status_code == 422
    assert "Give each field that is shown a label" in answer.text


def test_an_archived_form_takes_no_sign_ups_until_it_is_saved(app: Flask, admin: FlaskClient) -> None:
    """Its page says that it is archived and offers nothing to put on a site."""
    make(app)
    answer = post(admin, "/admin/forms/spring-news/archive")
    assert (answer.status_code, answer.location) == (303, "/admin/forms/")
    assert "The form is archived" in admin.get("/admin/forms/").text
    page = admin.get("/admin/forms/spring-news").text
    assert "takes no sign-ups" in page
    assert snippets(page) == []
    assert "/archive" not in page
    assert post(admin, "/admin/forms/spring-news/archive").status_code == 404
    post(admin, "/admin/forms/spring-news", **ENTERED)
    assert admin.get("/forms/spring-news").status_code == 200


@pytest.mark.parametrize("path", ["nothing", "nothing/archive"])
def test_what_is_not_there_is_404(admin: FlaskClient, path: str) -> None:
    """Showing, changing and archiving an unknown form answer 404."""
    assert post(admin, f"/admin/forms/{path}", **ENTERED).status_code == 404
    assert admin.get("/admin/forms/nothing").status_code == 404


def test_what_is_copied_works_on_another_site(make_app: MakeApp) -> None:
    """The snippet has absolute addresses, no CSRF token and no empty line."""
    app = make_app(PUBLIC_BASE_URL="https://signup.example.com")
    make(app, wording="Yes & “no” <b>", fields=[{"name": "first_name", "label": "R&D <name>"}])
    admin = app.test_client()
    sign_in(admin)
    line, html, script = snippets(admin.get("/admin/forms/spring-news").text)
    assert line == '<script src="https://signup.example.com/embed.js" data-form="spring-news" async></script>'
    assert '<form method="post" action="https://signup.example.com/subscribe" accept-charset="utf-8">' in html
    assert '<input type="hidden" name="form" value="spring-news">' in html
    assert 'value="version 1"' in html
    assert "Yes &amp; “no” &lt;b&gt;" in html
    assert "R&amp;D &lt;name&gt;" in html
    assert "csrf_token" not in html
    assert all(line.strip() for line in html.split("\n"))
    assert 'fetch("https://signup.example.com/subscribe"' in script
    assert 'form: "spring-news"' in script


def static_words(app: Flask, parent: str) -> set[str]:
    """Return the fixed words that some URL rule has in the place of a short name below `parent`."""
    found = set()
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(parent):
            word = rule.rule.removeprefix(parent).partition("/")[0]
            found |= {word} if re.fullmatch(r"[a-z0-9-]+", word) else set()
    return found


@pytest.mark.parametrize("parent", ["/admin/forms/", "/forms/"])
def test_no_short_name_is_taken_by_a_page(app: Flask, parent: str) -> None:
    """A page below a form's parent must reserve its word, or it would hide the form of that name."""
    assert static_words(app, parent) <= RESERVED_SLUGS


@pytest.mark.parametrize("slug", sorted(RESERVED_SLUGS))
def test_a_short_name_of_ours_is_refused(app: Flask, admin: FlaskClient, slug: str) -> None:
    """The message stands beside the field and says what to do; nothing is saved."""
    page = post(admin, "/admin/forms/new", **ENTERED | {"slug": slug})
    assert page.status_code == 422
    assert "kept for a page of this service" in page.text
    assert form(app, slug) is None


def test_a_form_of_that_name_from_before_stays_within_reach(app: Flask, admin: FlaskClient) -> None:
    """It is listed, shown, changed and archived, and a new form can still be made."""
    make(app, slug="older", name="Old")
    with app.extensions["parts"].database.transaction() as connection:
        connection.exec_driver_sql("UPDATE forms SET slug = 'new'")
    index = admin.get("/admin/forms/").text
    assert '<a href="/admin/forms/new/edit"><strong>Old</strong></a>' in index
    page = admin.get("/admin/forms/new/edit").text
    assert "<h1>Old</h1>" in page
    entered = ENTERED | {"name": "Renamed", "csrf_token": csrf_token(page)}
    saved = admin.post("/admin/forms/new/edit", data=entered)
    assert (saved.status_code, saved.location) == (303, "/admin/forms/new/edit")
    found = form(app, "new")
    assert found is not None
    assert found.name == "Renamed"
    assert "<h1>New form</h1>" in admin.get("/admin/forms/new").text
    assert post(admin, "/admin/forms/new/archive").status_code == 303
    assert app.test_client().get("/forms/new").status_code == 404


def test_the_sites_are_asked_for_where_none_is_named(app: Flask, admin: FlaskClient) -> None:
    """Without a site the one line draws the form nowhere, and the page says so."""
    make(app, origins=[])
    assert "Add your site below" in admin.get("/admin/forms/spring-news").text
    make(app)
    assert "Add your site below" not in admin.get("/admin/forms/spring-news").text


def test_the_preview_may_lead_where_the_form_leads(app: Flask, admin: FlaskClient) -> None:
    """The page's form-action allows the form's sites, or the browser would block the thank-you page."""
    make(app, thank_you_url="https://thanks.example.com/")
    policy = admin.get("/admin/forms/spring-news").headers["Content-Security-Policy"]
    assert "https://thanks.example.com" in policy
    assert "https://thanks.example.com" not in admin.get("/admin/forms/").headers["Content-Security-Policy"]


def test_nothing_of_a_form_becomes_markup(app: Flask, admin: FlaskClient) -> None:
    """Neither a saved form nor one with mistakes adds markup to the page."""
    fields = [{"name": "first_name", "label": EVIL}, {"name": "email", "label": EVIL}]
    make(app, name=EVIL, wording=EVIL, thank_you_message=EVIL, fields=fields)
    entered = dict.fromkeys(ENTERED, EVIL) | {"list_ids": [EVIL]}
    for page in (
        admin.get("/admin/forms/spring-news").text,
        admin.get("/admin/forms/").text,
        post(admin, "/admin/forms/new", **entered).text,
    ):
        assert "<script>" not in page
        assert EVIL in unescape(page)


def test_the_pages_have_nothing_inline_and_are_kept_nowhere(app: Flask, admin: FlaskClient) -> None:
    """Their scripts are files of ours; Cache-Control is no-store, as for all admin's pages."""
    make(app)
    for path in ("", "new", "spring-news"):
        answer = admin.get(f"/admin/forms/{path}")
        assert answer.headers["Cache-Control"] == "no-store"
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert re.search(r'<script(?! src="/)|<style| style=| on\w+=', answer.text) is None


def test_a_form_made_before_connecting_is_kept(admin: FlaskClient, list_id: str) -> None:
    """After connecting, its list has a name."""
    make(admin.application, list_ids=[list_id])
    assert f"> {list_id}" in admin.get("/admin/forms/spring-news").text
    connect(admin)
    admin.get("/lists?refresh=1")
    assert "> Newsletter" in admin.get("/admin/forms/spring-news").text


def test_the_page_tells_what_the_form_sends_to_no_use(app: Flask, admin: FlaskClient) -> None:
    """Unknown names from strangers are shown as text; a form without any has no such section."""
    app.extensions["services"].forms.save({"slug": "news", "name": "News", "list_ids": [LIST_ID]})
    assert "of no use" not in admin.get("/admin/forms/news").text
    said = {"form": "news", "email": "ann@example.org", "<b>fnme": "Ann", "phone": "555"}
    assert admin.post("/subscribe", json=said).status_code == 202
    page = admin.get("/admin/forms/news").text
    assert "<code>&lt;b&gt;fnme</code>" in page
    assert "This form does not ask for it" in page
