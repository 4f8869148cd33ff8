"""Every way to use a form, in a real browser against the real service, on two origins."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from flask import Flask, Response
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from sandbox import PRESET_LIST_ID
from tests.end_to_end.consent import connect, form_fields
from tests.end_to_end.embed.test_embed import POLICY, served, violations
from tests.end_to_end.processes import Deployment, wait_for

pytestmark = pytest.mark.browser

WORDING = "Yes, send me the newsletter."
THANKS = "See you in spring."


@dataclass
class Site:
    """Somebody's website: the body of its one page."""

    base: str = ""
    body: str = ""
    policy: str = ""
    visited: list[str] = field(default_factory=list)


def website(site: Site) -> Flask:
    app = Flask(__name__)

    @app.get("/")
    @app.get("/<path:page>")
    def page(page: str = "") -> Response:
        site.visited.append(page)
        html = f"""<!doctype html><html lang="en"><head><title>A shop</title>
        <meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"></head>
        <body><main><h1>A shop</h1>{site.body}</main></body></html>"""
        return Response(html, headers={"Content-Security-Policy": site.policy} if site.policy else None)

    return app


@contextmanager
def offering(folder: Path, slug: str, **entered: str) -> Iterator[tuple[Deployment, Site]]:
    """The service with a form, made by what its editor offers, and a site that may show it."""
    deployment, site = Deployment(folder, preset_list=PRESET_LIST_ID), Site()
    with served(website(site)) as site.base:
        deployment.start()
        admin = connect(deployment)
        admin.get(f"{deployment.base}/lists", params={"refresh": "1"}, timeout=10).raise_for_status()
        page = f"{deployment.base}/admin/forms/new"
        given = {"slug": slug, "list_ids": PRESET_LIST_ID, "thank_you_message": THANKS, "origins": site.base}
        posted = form_fields(admin.get(page, timeout=10).text) | given | entered
        assert admin.post(page, data=posted, timeout=10).url == f"{deployment.base}/admin/forms/{slug}"
        yield deployment, site
        deployment.stop()


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, Site]]:
    """The service with the form “news” for one site; started once: no test changes what another sees."""
    more = {"name": "Spring newsletter", "show_first_name": "on", "wording": WORDING}
    with offering(tmp_path_factory.mktemp("forms"), "news", **more) as both:
        yield both


@pytest.fixture
def service(started: tuple[Deployment, Site]) -> Deployment:
    return started[0]


@pytest.fixture
def site(started: tuple[Deployment, Site]) -> Site:
    started[1].body = started[1].policy = ""
    return started[1]


@pytest.fixture
def without_script(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


def fill(page: Page, email: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("First name").fill("Ada")
    page.get_by_label(WORDING).check()


def sign_up(page: Page, email: str) -> None:
    fill(page, email)
    page.get_by_role("button", name="Sign up").click()


def record(service: Deployment, email: str) -> tuple[str, str, int, str | None]:
    """Person, wording, version and page, as they were put on record."""
    with sqlite3.connect(service.folder / "data" / "subscriber-sync.db") as database:
        query = "SELECT person, consent, consent_version, page FROM signups WHERE email = ?"
        (row,) = database.execute(query, (email,)).fetchall()
    found: tuple[str, str, int, str | None] = row
    return found


def narrow(page: Page) -> bool:
    """On a phone; the window is given the time that its new size takes, and a frame in the page the same."""
    page.set_viewport_size({"width": 320, "height": 640})
    try:
        page.wait_for_function("innerWidth === 320 && document.documentElement.scrollWidth <= 320")
    except PlaywrightTimeoutError:
        return False
    return True


def test_its_own_page_with_a_script_running(page: Page, service: Deployment) -> None:
    """From the page to the contact in its list, with the consent on record."""
    page.goto(f"{service.base}/forms/news")
    sign_up(page, "own@example.org")
    expect(page.get_by_text(THANKS)).to_be_visible()
    contact = wait_for("the contact's arrival", lambda: service.contact("own@example.org"))
    assert contact["list_memberships"] == [PRESET_LIST_ID]
    expected = ('{"first_name":"Ada"}', WORDING, 1, f"{service.base}/forms/news")
    assert record(service, "own@example.org") == expected


def test_an_address_that_is_too_long_is_not_cut(page: Page, service: Deployment) -> None:
    """Cut to 80 characters it would be another one, and pass."""
    page.goto(f"{service.base}/forms/news", wait_until="networkidle")
    sign_up(page, f"{'a' * 60}@{'b' * 10}.example.org")
    expect(page.get_by_text("Use at most 80 characters.").first).to_be_visible()


def test_its_own_page_without_script(without_script: Page, service: Deployment) -> None:
    """The same, mistakes included."""
    page = without_script
    page.goto(f"{service.base}/forms/news")
    sign_up(page, "plain@example")
    expect(page.get_by_role("alert")).to_contain_text("Enter an e-mail address")
    page.get_by_label("E-mail").fill("plain@example.org")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_text(THANKS)).to_be_visible()
    assert record(service, "plain@example.org")[1:3] == (WORDING, 1)


def test_the_keyboard_is_enough(page: Page, service: Deployment) -> None:
    """Tab, type, space, enter."""
    page.goto(f"{service.base}/forms/news")
    for keys in ("keys@example.org", "Ada"):
        page.keyboard.press("Tab")
        page.keyboard.type(keys)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Sign up")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text(THANKS)).to_be_visible()


def test_a_mistake_comes_back_beside_its_field(page: Page, service: Deployment) -> None:
    """What was typed and ticked is still there; the summary leads there; no barriers, at 320 px too."""
    page.goto(f"{service.base}/forms/news")
    assert narrow(page)
    assert violations(page) == []
    sign_up(page, "ada@example")
    email = page.get_by_label("E-mail")
    expect(email).to_have_attribute("aria-invalid", "true")
    expect(email).to_have_value("ada@example")
    expect(page.get_by_label("First name")).to_have_value("Ada")
    expect(page.get_by_label(WORDING)).to_be_checked()
    page.get_by_role("alert").get_by_role("link", name="E-mail").click()
    expect(email).to_be_focused()
    assert narrow(page)
    assert violations(page) == []


def test_one_line_draws_it_on_another_site(page: Page, service: Deployment, site: Site) -> None:
    """Under that site's own strict policy; the service's word on a mistake stands beside the field."""
    site.body = f'<script src="{service.base}/embed.js" data-form="news" async></script>'
    site.policy = POLICY.format(service=service.base)
    page.goto(f"{site.base}/join-us-and-{'never-' * 20}miss-a-thing?from=mail")
    sign_up(page, "embed@example")
    expect(page.locator("#email-error")).to_contain_text("Enter an e-mail address")
    assert violations(page) == []
    page.get_by_label("E-mail").fill("embed@example.org")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_have_text(THANKS)
    # A browser tells another origin no path; the script tells the page, as far as `source` goes.
    assert record(service, "embed@example.org")[1:] == (WORDING, 1, f"{site.base}/")


def test_a_site_that_the_form_does_not_name_gets_a_sentence(
    chromium: Browser, service: Deployment, site: Site
) -> None:
    """The browser keeps the form's description from its scripts."""
    site.body = f'<script src="{service.base}/embed.js" data-form="news" async></script>'
    page = chromium.new_page()
    page.goto(site.base.replace("127.0.0.1", "localhost"))
    expect(page.get_by_role("status")).to_have_text("Sorry, this form cannot be shown at the moment.")
    page.close()


def test_html_that_was_copied_works_on_another_site(
    page: Page, without_script: Page, service: Deployment, site: Site
) -> None:
    """Without any script: a mistake is mended on our page, and the thanks are shown there."""
    admin_signs_in(page, service)
    page.goto(f"{service.base}/admin/forms/news")
    page.get_by_text("Plain HTML, without a script").click()
    site.body = page.get_by_label("HTML of the form").inner_text()
    shop = without_script
    shop.goto(f"{site.base}/footer")
    sign_up(shop, "copied@example")
    expect(shop).to_have_url(f"{service.base}/subscribe")
    shop.get_by_label("E-mail").fill("copied@example.org")
    shop.get_by_role("button", name="Sign up").click()
    expect(shop.get_by_text(THANKS)).to_be_visible()
    shop.goto(f"{site.base}/footer")
    sign_up(shop, "again@example.org")
    expect(shop.get_by_text(THANKS)).to_be_visible()
    assert record(service, "again@example.org")[1:] == (WORDING, 1, f"{site.base}/")


def admin_signs_in(page: Page, service: Deployment) -> None:
    page.goto(f"{service.base}/admin/sign-in")
    page.get_by_label("Password").fill(service.password)
    page.get_by_role("button", name="Sign in").click()


def test_an_admin_makes_a_form(page: Page, service: Deployment, site: Site) -> None:
    """Mistakes come back beside their fields; the preview works and leads to the form's page elsewhere."""
    admin_signs_in(page, service)
    page.get_by_role("link", name="Forms").click()
    assert violations(page) == []
    page.get_by_role("link", name="New form").click()
    page.get_by_label("Name, which visitors see").fill("Events")
    page.get_by_label("Short name").fill("Events!")
    page.get_by_label("Newsletter").check()
    page.get_by_label("First name", exact=True).check()
    page.get_by_label("Or a page of yours").fill(f"{site.base}/thanks")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Short name")).to_have_attribute("aria-invalid", "true")
    assert violations(page) == []
    page.get_by_label("Short name").fill("events")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The form is saved.")).to_be_visible()
    assert narrow(page)
    assert violations(page) == []
    preview = page.get_by_role("region", name="What it looks like")
    preview.get_by_label("E-mail").fill("preview@example.org")
    preview.get_by_role("button", name="Sign up").click()
    page.wait_for_url(f"{site.base}/thanks")
    page.goto(f"{service.base}/admin/forms/events")
    page.get_by_role("button", name="Archive this form…").click()
    page.get_by_role("dialog").get_by_role("button", name="Archive").click()
    expect(page.get_by_text("The form is archived")).to_be_visible()
    assert violations(page) == []
    gone = f"{service.base}/forms/events"
    wait_for("the end of the form", lambda: requests.get(gone, timeout=5).status_code == 404)
