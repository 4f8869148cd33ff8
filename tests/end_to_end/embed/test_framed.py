"""A form's own page in a frame of another site, and thanks that lead on, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from flask import Flask, redirect
from playwright.sync_api import Page, expect
from werkzeug.wrappers import Response

from tests.end_to_end.embed.test_embed import served
from tests.end_to_end.forms.test_forms import THANKS, WORDING, Site, offering, sign_up
from tests.end_to_end.processes import Deployment, wait_for

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def short_link() -> Iterator[tuple[Site, str]]:
    """A page of thanks on an origin that only leads on, to where its site says; and its address."""
    thanks, app = Site(), Flask(__name__)

    @app.get("/thanks")
    def lead_on() -> Response:
        return redirect(thanks.base)

    with served(app) as base:
        yield thanks, f"{base}/thanks"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, Site]]:
    """The service with the form “news”, whose thanks are ours."""
    more = {"name": "Spring newsletter", "show_first_name": "on", "wording": WORDING}
    with offering(tmp_path_factory.mktemp("framed"), "news", **more) as both:
        yield both


def other_host(base: str) -> str:
    """The same server as another site, also by the browser's rules for cookies and frames."""
    return base.replace("127.0.0.1", "localhost")


def test_a_framed_form_signs_up(page: Page, started: tuple[Deployment, Site]) -> None:
    """Mistakes and thanks come inside the frame of a page on another site."""
    service, site = started
    site.body = f'<iframe src="{service.base}/Forms/News/" title="Sign up" width="600" height="900"></iframe>'
    page.goto(other_host(site.base))
    frame = page.frame_locator("iframe")
    frame.get_by_label("E-mail").fill("framed@example")
    frame.get_by_label("First name").fill("Ada")
    frame.get_by_label(WORDING).check()
    frame.get_by_role("button", name="Sign up").click()
    expect(frame.get_by_label("E-mail")).to_have_attribute("aria-invalid", "true")
    frame.get_by_label("E-mail").fill("framed@example.org")
    frame.get_by_role("button", name="Sign up").click()
    expect(frame.get_by_text(THANKS)).to_be_visible()
    assert page.url.startswith(other_host(site.base))
    wait_for("the contact's arrival", lambda: service.contact("framed@example.org"))


def test_a_form_framed_by_a_file_signs_up(
    page: Page, started: tuple[Deployment, Site], tmp_path: Path
) -> None:
    """As in a website builder's preview; also in a sandboxed frame, whose post has no origin."""
    service, _ = started
    file = tmp_path / "page.html"
    file.write_text(
        f"""<!doctype html><title>A page</title><link rel="icon" href="data:,">
        <iframe src="{service.base}/forms/news" sandbox="allow-forms" width="600" height="900"></iframe>"""
    )
    page.goto(file.as_uri())
    frame = page.frame_locator("iframe")
    frame.get_by_label("E-mail").fill("file@example.org")
    frame.get_by_label("First name").fill("Ada")
    frame.get_by_label(WORDING).check()
    frame.get_by_role("button", name="Sign up").click()
    expect(frame.get_by_text(THANKS)).to_be_visible()
    wait_for("the contact's arrival", lambda: service.contact("file@example.org"))


def test_thanks_that_lead_on_are_reached(
    page: Page, started: tuple[Deployment, Site], short_link: tuple[Site, str], tmp_path: Path
) -> None:
    """From the form's page and from the one with mistakes, to an origin that the form does not name."""
    thanks, link = short_link
    more = {"name": "By a short link", "show_first_name": "on", "wording": WORDING, "thank_you_url": link}
    with offering(tmp_path, "led-on", **more) as (service, site):
        thanks.base = f"{other_host(site.base)}/thanks"
        page.goto(f"{service.base}/forms/led-on")
        sign_up(page, "led-on@example.org")
        expect(page).to_have_url(thanks.base)
        page.goto(f"{service.base}/forms/led-on")
        sign_up(page, "again@example")
        expect(page).to_have_url(f"{service.base}/subscribe")
        page.get_by_label("E-mail").fill("again@example.org")
        page.get_by_role("button", name="Sign up").click()
        expect(page).to_have_url(thanks.base)
        assert site.visited == ["thanks", "thanks"]


def test_doubled_slashes_reach_the_form(started: tuple[Deployment, Site]) -> None:
    """Through the real server as well, which reads the address first."""
    service, _ = started
    for path in ("//forms/news", "/forms//NEWS/"):
        assert requests.get(service.base + path, timeout=5, allow_redirects=False).status_code == 200
