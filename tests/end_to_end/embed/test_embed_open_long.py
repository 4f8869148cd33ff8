"""The embedded form on a page that stays open: its visitor never meets the end of a token's day."""

import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from services.errors import InvalidSubmission
from services.forms.form import Form
from services.intake.parsing import read_form
from services.protection.rules import Protection, RateLimits
from tests.end_to_end.embed.test_embed import Service, fill
from tests.end_to_end.embed.test_embed import service as service  # noqa: PLC0414 - a fixture
from tests.end_to_end.embed.test_embed import site as site  # noqa: PLC0414 - a fixture

pytestmark = pytest.mark.browser

HOUR_MS = 3_600_000
FORM = Form(
    id=1,
    slug="news",
    name="Newsletter",
    list_ids=(),
    fields=(),
    wordings=(),
    thank_you_message=None,
    thank_you_url=None,
    origins=(),
    archived=False,
    protection="standard",
)


class RealGuard:
    """The service's own rules by a clock that goes on with the browser's, `ahead` (ms) of the machine's."""

    def __init__(self) -> None:
        self.ahead = 0
        self.broken: list[tuple[str, ...]] = []
        self._protection = Protection(
            keys=lambda: ("a key of the tests",),
            rates=RateLimits(0, 0, 0),
            captchas={},
            is_full=lambda _form: False,
            due_at=lambda _form: None,
            clock=lambda: int(time.time() * 1000) + self.ahead,
        )

    def token(self) -> str:
        return self._protection.token(FORM)

    def answer(self, posted: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        submission = read_form(
            (name, posted[name]) for name in ("form", "email", "form_token") if name in posted
        )
        try:
            self.broken.append(self._protection.judge(submission, FORM, None).broken)
        except InvalidSubmission as refusal:
            return 422, {"errors": [vars(error) for error in refusal.errors]}
        return 202, {"status": "received"}


@pytest.fixture
def guard(service: Service) -> RealGuard:
    service.guard = guard = RealGuard()
    return guard


def a_day_and_an_hour_later(page: Page, guard: RealGuard) -> None:
    page.clock.fast_forward(25 * HOUR_MS)
    guard.ahead += 25 * HOUR_MS


def send(page: Page) -> None:
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_be_visible()


@pytest.mark.parametrize("typed_when", ["before", "after"])
def test_a_page_that_was_open_for_a_day(
    page: Page, service: Service, site: str, guard: RealGuard, typed_when: str
) -> None:
    """Back at it, the visitor presses once, and is taken for a person: the new token is not too fresh."""
    page.clock.install()
    page.goto(site)
    expect(page.get_by_label("E-mail")).to_be_visible()
    if typed_when == "before":
        fill(page)
    a_day_and_an_hour_later(page, guard)
    if typed_when == "after":
        fill(page)
    send(page)
    assert guard.broken == [()]
    assert (len(service.posted), service.tokens) == (1, 2)


def test_a_token_that_only_the_service_knows_to_be_old(
    page: Page, service: Service, site: str, guard: RealGuard
) -> None:
    """Whatever the browser's clock says: the refusal is mended by a second post, and nobody sees it."""
    page.goto(site)
    fill(page)
    guard.ahead += 25 * HOUR_MS
    page.evaluate(
        """() => { const root = document.querySelector("[data-signup-form]").shadowRoot; window.said = [];
        new MutationObserver(() => window.said.push(root.querySelector("[role=alert]")?.textContent))
          .observe(root, { childList: true, subtree: true, characterData: true }); }"""
    )
    send(page)
    assert guard.broken == [()]
    first, second = service.posted
    assert first | {"form_token": second["form_token"]} == second
    assert not any(page.evaluate("window.said"))


def test_a_page_that_came_without_a_token(page: Page, service: Service, site: str, guard: RealGuard) -> None:
    """The network was away for that moment: the form asks again once somebody uses it."""
    page.route("**/token", lambda route: route.abort(), times=1)
    page.goto(site)
    expect(page.get_by_label("E-mail")).to_be_visible()
    fill(page)
    send(page)
    assert guard.broken == [()]


def test_a_service_that_gives_no_token_gets_the_sign_up(
    page: Page, service: Service, site: str, guard: RealGuard
) -> None:
    """It looks twice at it, which is better than to lose it."""
    page.route("**/token", lambda route: route.fulfill(status=503, json={"detail": "Not now."}))
    page.goto(site)
    fill(page)
    send(page)
    assert guard.broken == [("no_token",)]


def test_what_stays_refused_is_said(page: Page, service: Service, site: str) -> None:
    """Where the new token does not help either, the service's own sentence is shown, once."""
    service.answer = (422, {"errors": [{"field": "form_token", "message": "Please send it once more."}]})
    page.goto(site)
    fill(page)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("alert")).to_have_text("Please send it once more.")
    service.answer = (202, {})
    send(page)
    assert [post["form_token"] for post in service.posted] == ["token-1", "token-2", "token-2"]
