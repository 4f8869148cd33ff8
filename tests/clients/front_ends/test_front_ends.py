"""Front ends of other projects sign people up, as docs/forms.md says, in a real Chromium."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from playwright.sync_api import FrameLocator, Page, expect

from sandbox import PRESET_LIST_ID
from tests.clients.front_ends.cases import (
    FROM_SERVER,
    IN_BROWSER,
    SEEN,
    THANKS,
    WORDING,
    FromServer,
    InBrowser,
)
from tests.clients.front_ends.website import html, website
from tests.end_to_end.consent import connect, form_fields
from tests.end_to_end.embed.test_embed import served
from tests.end_to_end.processes import Deployment

pytestmark = pytest.mark.browser

ASKED = {"show_first_name": "on", "show_last_name": "on"}


@dataclass(frozen=True)
class Running:
    """The service with the form “news”, and the website's address."""

    service: Deployment
    site: str


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    service = Deployment(tmp_path_factory.mktemp("front-ends"), preset_list=PRESET_LIST_ID)
    with served(website(service.base)) as site:
        service.start()
        admin = connect(service)
        page = f"{service.base}/admin/forms/new"
        entered = form_fields(admin.get(page, timeout=10).text) | {
            "slug": "news",
            "name": "Newsletter",
            "list_ids": PRESET_LIST_ID,
            "thank_you_message": THANKS,
            "wording": WORDING,
            "origins": site,
            # HTML that was copied brings no token.
            "protection": "none",
            **ASKED,
        }
        assert admin.post(page, data=entered, timeout=10).url == f"{service.base}/admin/forms/news"
        yield Running(service, site)
        service.stop()


def named(case: InBrowser | FromServer) -> str:
    return f"{case.front_end}: {case.how}"


def recorded(service: Deployment, email: str) -> tuple[dict[str, str], str, int]:
    """Person, wording and version as they were put on record, once."""
    with sqlite3.connect(service.folder / "data" / "subscriber-sync.db") as database:
        query = "SELECT person, consent, consent_version FROM signups WHERE email = ?"
        ((person, wording, version),) = database.execute(query, (email,)).fetchall()
    return json.loads(person), wording, version


def opened(page: Page, case: InBrowser, running: Running, folder: Path) -> Page | FrameLocator:
    """Return the case's page, and in it where the form is."""
    if case.place == "file":
        file = folder / "page.html"
        file.write_text(html(case.page, running.service.base))
        page.goto(file.as_uri())
    else:
        page.goto(f"{running.site}/{'latin-1/' if case.place == 'latin-1' else ''}{case.page}.html")
    if case.opener:
        page.get_by_text(case.opener).click()
    return page.frame_locator("iframe") if case.in_frame else page


@pytest.mark.parametrize("case", IN_BROWSER, ids=named)
def test_in_a_browser(page: Page, running: Running, case: InBrowser, tmp_path: Path) -> None:
    """The visitor is told that it worked, and what was typed and ticked is on record as it was."""
    email = f"browser-{IN_BROWSER.index(case)}@example.org"
    form = opened(page, case, running, tmp_path)
    form.get_by_label(case.email_label).fill(email)
    for label, text in case.typed.items():
        form.get_by_label(label).fill(text)
    form.get_by_label(WORDING).check()
    form.get_by_role("button", name="Sign up").click()
    expect(form.get_by_text(SEEN[case.visitor_gets])).to_be_visible()
    assert recorded(running.service, email) == (case.person, WORDING, 1)


@pytest.mark.parametrize("case", FROM_SERVER, ids=named)
def test_from_a_server(running: Running, case: FromServer) -> None:
    """It gets JSON, not a page, whatever its Accept header says."""
    email = f"server-{FROM_SERVER.index(case)}@example.org"
    body = case.json
    if isinstance(body, list):
        body = [{"Email": email, **body[0]}]
    elif body:
        body = {"email": email, **body}
    sender = requests.Session()
    sender.headers.clear()
    sender.headers.update(case.headers)
    answer = sender.post(
        f"{running.service.base}/subscribe",
        json=body,
        data={"email": email, **case.data} if case.data else None,
        timeout=10,
    )
    assert (answer.status_code, answer.json()["status"]) == (202, "received"), answer.text
    assert recorded(running.service, email) == (case.person, WORDING, 1)
