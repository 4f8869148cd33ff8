"""The frame of the admin's pages in a real browser: navigation, times, dialogs, and what refreshes itself."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from sandbox import PRESET_LIST_ID
from tests.end_to_end.consent import connect
from tests.end_to_end.embed.test_embed import violations
from tests.end_to_end.forms.test_forms import admin_signs_in, narrow
from tests.end_to_end.processes import Deployment, wait_for

pytestmark = pytest.mark.browser

PAGES = ("/admin/", "/admin/signups/", "/admin/suspected/", "/admin/forms/", "/admin/forms/new")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A connected service with one sign-up that was delivered, one that was refused and one suspected."""
    deployment = Deployment(tmp_path_factory.mktemp("frame"), preset_list=PRESET_LIST_ID)
    deployment.start()
    connect(deployment)
    assert deployment.subscribe("ada@example.org", first_name="Ada").status_code == 201
    refusal = [{"error_key": "contacts.api.validation.error", "error_message": "No."}]
    deployment.faults(status=400, body=refusal)
    refused = deployment.subscribe("refused@example.org").json()["id"]
    wait_for("the refusal", lambda: deployment.status(refused) == "parked")
    deployment.heal()
    suspected = {"email": "program@example.org", "list_id": PRESET_LIST_ID, "website": "x"}
    requests.post(f"{deployment.base}/subscribe", json=suspected, timeout=10).raise_for_status()
    yield deployment
    deployment.stop()


def overview(page: Page, service: Deployment) -> None:
    """Sign in, and wait until the overview and its scripts are loaded."""
    admin_signs_in(page, service)
    page.wait_for_url(f"{service.base}/admin/")


@contextmanager
def opened(chromium: Browser, service: Deployment, path: str, **options: object) -> Iterator[Page]:
    """A page as an admin sees it, in a browser of its own."""
    context = chromium.new_context(**options)  # type: ignore[arg-type]
    page = context.new_page()
    overview(page, service)
    page.goto(f"{service.base}{path}")
    yield page
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_without_barriers(chromium: Browser, service: Deployment, scheme: str) -> None:
    """Axe-core finds nothing in light and dark, wide and at 320 px, where nothing scrolls sideways."""
    with opened(chromium, service, "/admin/", color_scheme=scheme) as page:
        for path in PAGES:
            page.goto(f"{service.base}{path}")
            page.set_viewport_size({"width": 1280, "height": 900})
            assert violations(page) == [], path
            assert narrow(page), path
            assert violations(page) == [], path


def test_the_first_tab_skips_the_navigation(page: Page, service: Deployment) -> None:
    """The link appears when it has the focus, and leads to the content."""
    overview(page, service)
    page.goto(f"{service.base}/admin/forms/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="New form")).to_be_focused()


def test_times_are_the_readers_own(chromium: Browser, service: Deployment) -> None:
    """In the browser's zone, with UTC in the title; without JavaScript the UTC time stands there."""
    with opened(chromium, service, "/admin/", java_script_enabled=False) as page:
        utc = page.locator("time").first.inner_text()
        assert utc.endswith(" UTC")
    with opened(chromium, service, "/admin/", timezone_id="Asia/Kolkata", locale="en-GB") as page:
        time = page.locator("time").first
        expect(time).to_have_attribute("title", utc)
        hour, minute = int(utc[-9:-7]), int(utc[-6:-4])
        there = (hour * 60 + minute + 330) % 1440
        expect(time).to_contain_text(f", {there // 60:02}:{there % 60:02}")


@pytest.mark.parametrize("script", [True, False])
def test_a_dialog_asks_and_can_be_left(chromium: Browser, service: Deployment, *, script: bool) -> None:
    """The focus is on what changes nothing; Cancel and Escape close it; all without JavaScript as well."""
    with opened(chromium, service, "/admin/signups/", java_script_enabled=script) as page:
        dialog = page.get_by_role("dialog", name="Drop this sign-up?")
        opener = page.get_by_role("button", name="Drop… refused@example.org")
        expect(dialog).to_be_hidden()
        opener.click()
        expect(dialog).to_be_visible()
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        opener.click()
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_be_hidden()
        expect(page.get_by_text("refused@example.org").first).to_be_visible()


def later(page: Page) -> None:
    """Let ten seconds pass in the page."""
    page.clock.run_for(10_500)


def test_the_overview_refreshes_itself_and_nothing_jumps(page: Page, service: Deployment) -> None:
    """A new sign-up appears; what had the focus keeps it, and the page stays where it was scrolled to."""
    page.clock.install()
    overview(page, service)
    review = page.get_by_role("link", name="Review them")
    review.focus()
    table = page.get_by_role("table", name="Latest sign-ups")
    anchor = table.get_by_text("ada@example.org")
    page.set_viewport_size({"width": 1280, "height": 500})
    anchor.scroll_into_view_if_needed()
    before = anchor.bounding_box()
    with page.expect_response("**/admin/live"):
        later(page)
    unchanged = table.element_handle()
    with page.expect_response("**/admin/live"):
        later(page)
    assert unchanged.evaluate("node => node.isConnected"), "the same answer was put in again"
    assert anchor.bounding_box() == before
    assert service.subscribe("grace@example.org", first_name="Grace").ok
    later(page)
    expect(table.get_by_text("grace@example.org")).to_be_visible()
    expect(review).to_be_focused()
    expect(table.locator("time[title$=UTC]").first).to_be_visible()


def test_a_hidden_overview_asks_for_nothing(page: Page, service: Deployment) -> None:
    """Neither while its tab is in the background; shown again, it refreshes at once."""
    page.add_init_script("Object.defineProperty(document, 'hidden', { get: () => window.away === true })")
    page.clock.install()
    overview(page, service)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("window.away = true")
    for _ in range(3):
        later(page)
    assert asked == []
    page.evaluate("window.away = false")
    with page.expect_response("**/admin/live"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_an_overview_that_cannot_refresh_says_so(chromium: Browser, service: Deployment) -> None:
    """The notice goes when the service answers again."""
    with opened(chromium, service, "/admin/") as page:
        page.clock.install()
        page.reload()
        notice = page.get_by_text("This page could not be refreshed since")
        expect(notice).to_be_hidden()
        page.route("**/admin/live", lambda route: route.abort())
        later(page)
        expect(notice).to_be_visible()
        page.unroute("**/admin/live")
        later(page)
        expect(notice).to_be_hidden()


def test_after_the_session_the_overview_leads_to_the_sign_in_page(page: Page, service: Deployment) -> None:
    """Not into a part of the page."""
    page.clock.install()
    overview(page, service)
    page.context.clear_cookies()
    later(page)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.url.startswith(f"{service.base}/admin/sign-in")


def test_the_shape_of_a_status_stays_in_forced_colours(chromium: Browser, service: Deployment) -> None:
    """Windows' high contrast takes the colours away, not the shape."""
    with opened(chromium, service, "/admin/", forced_colors="active") as page:
        style = "getComputedStyle(document.querySelector('.badge.good'), '::before')"
        assert "svg" in page.evaluate(f"{style}.maskImage")
        behind = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert page.evaluate(f"{style}.backgroundColor") not in {"rgba(0, 0, 0, 0)", behind}


def test_visitors_read_whose_form_it_is(page: Page, service: Deployment) -> None:
    """The thanks name the organisation and say what happens next; no barriers."""
    page.goto(f"{service.base}/thank-you")
    expect(page).to_have_title("Thank you · Sandbox Society")
    expect(page.get_by_role("banner")).to_have_text("Sandbox Society")
    next_steps = page.get_by_role("region", name="What happens next")
    expect(next_steps).to_contain_text("Sandbox Society received your sign-up.")
    assert narrow(page)
    assert violations(page) == []
