"""A guarded form in a real browser: people get through wherever it is shown, hurried programs do not."""

import sqlite3
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from services.forms.honeypot import trap_name
from tests.end_to_end.embed.test_embed import POLICY, violations
from tests.end_to_end.forms.test_forms import THANKS, Site, narrow, offering
from tests.end_to_end.processes import Deployment

pytestmark = pytest.mark.browser

FASTEST_FILL_MS = 2_000


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, Site]]:
    """The service with the form “guarded”, and a site that shows it."""
    more = {"name": "Newsletter", "protection": "captcha"}
    with offering(tmp_path_factory.mktemp("guarded"), "guarded", **more) as (deployment, site):
        site.body = f'<script src="{deployment.base}/embed.js" data-form="guarded"></script>'
        site.policy = POLICY.format(service=deployment.base)
        yield deployment, site


def sign_up(page: Page, email: str, *, after_ms: int) -> None:
    """As somebody who takes so long to type."""
    page.get_by_label("E-mail").fill(email)
    page.wait_for_timeout(after_ms)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_text(THANKS)).to_be_visible()


def outcome(service: Deployment, email: str) -> str | None:
    """What became of it: None when it was sent, else why it is suspected."""
    with sqlite3.connect(service.folder / "data" / "subscriber-sync.db") as database:
        sent = database.execute("SELECT 1 FROM signups WHERE email = ?", (email,)).fetchone()
        kept = database.execute(
            "SELECT reasons FROM suspected_signups WHERE document LIKE ?", (f"%{email}%",)
        ).fetchone()
    assert bool(sent) != bool(kept)
    return kept[0] if kept else None


def test_a_person_gets_through_on_the_forms_own_page(page: Page, started: tuple[Deployment, Site]) -> None:
    """The browser works for the proof by itself, and takes the address as it was pasted; without barriers."""
    service, _ = started
    page.goto(f"{service.base}/forms/guarded")
    assert violations(page) == []
    sign_up(page, "\u2068own\u00ad\uff20example.org\u200b,", after_ms=FASTEST_FILL_MS)
    assert outcome(service, "own@example.org") is None


def test_a_person_gets_through_on_another_site(page: Page, started: tuple[Deployment, Site]) -> None:
    """Under a strict policy that allows the service's scripts and calls, and nothing else."""
    service, site = started
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(site.base)
    expect(page.get_by_label("E-mail")).to_be_visible()
    sign_up(page, "else@example.org", after_ms=FASTEST_FILL_MS)
    assert outcome(service, "else@example.org") is None
    assert problems == []


def test_nobody_types_that_fast(page: Page, started: tuple[Deployment, Site]) -> None:
    """A program that drives a browser is thanked as well, and kept apart."""
    service, _ = started
    page.goto(f"{service.base}/forms/guarded")
    sign_up(page, "fast@example.org", after_ms=0)
    assert outcome(service, "fast@example.org") == '["too_fast"]'


def test_without_a_script_it_waits_for_a_person(chromium: Browser, started: tuple[Deployment, Site]) -> None:
    """Nothing is lost."""
    service, _ = started
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{service.base}/forms/guarded")
    sign_up(page, "plain@example.org", after_ms=FASTEST_FILL_MS)
    assert outcome(service, "plain@example.org") == '["no_proof"]'
    context.close()


def test_an_admin_decides(page: Page, started: tuple[Deployment, Site]) -> None:
    """On a page without barriers, at 320 px too."""
    service, _ = started
    page.goto(f"{service.base}/forms/guarded")
    page.locator(f"[name={trap_name('guarded')}]").evaluate("field => { field.value = 'x'; }")
    sign_up(page, "released@example.org", after_ms=0)
    sign_in(page, service)
    page.get_by_role("link", name="Suspected").click()
    assert violations(page) == []
    assert narrow(page)
    page.get_by_label("E-mail address").fill("Released@example.org")
    page.get_by_role("button", name="Find").click()
    assert violations(page) == []
    page.get_by_role("button", name="Release released@example.org").click()
    expect(page.get_by_text("Released for delivery.")).to_be_visible()
    expect(page.get_by_role("button", name="Release released@example.org")).to_have_count(0)


def test_an_admin_decides_on_many(chromium: Browser, page: Page, started: tuple[Deployment, Site]) -> None:
    """By a page that asks first; neither has barriers, and none of it needs a script."""
    service, _ = started
    for number in range(3):
        trapped = {"form": "guarded", "email": f"trapped{number}@example.org", trap_name("guarded"): "x"}
        answer = requests.post(f"{service.base}/subscribe", json=trapped, timeout=30)
        assert answer.status_code == 202, answer.text
    sign_in(page, service)
    page.goto(f"{service.base}/admin/suspected/delete-all?reason=honeypot")
    assert violations(page) == []
    assert narrow(page)
    context = chromium.new_context(java_script_enabled=False, storage_state=page.context.storage_state())
    plain = context.new_page()
    plain.goto(f"{service.base}/admin/suspected/")
    plain.get_by_label("Reason").select_option("honeypot")
    plain.get_by_role("button", name="Filter").click()
    plain.get_by_role("link", name="Delete all…").click()
    expect(plain.get_by_text("trapped2@example.org")).to_be_visible()
    plain.get_by_role("button", name="Delete all").click()
    expect(plain.get_by_text("3 sign-ups deleted.")).to_be_visible()
    expect(plain.get_by_text("trapped2@example.org")).to_have_count(0)
    context.close()


def sign_in(page: Page, service: Deployment) -> None:
    page.goto(f"{service.base}/admin/sign-in")
    page.get_by_label("Password").fill(service.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="Suspected")).to_be_visible()
