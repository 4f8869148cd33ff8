"""Custom fields of every type and tags, from a form in a real browser to the contact in the sandbox."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.end_to_end.embed.test_embed import POLICY, violations
from tests.end_to_end.forms.test_forms import THANKS, Site, narrow, offering
from tests.end_to_end.processes import Deployment, wait_for

pytestmark = pytest.mark.browser

FIELDS = ("Shoe size", "Member since", "Vegetarian", "About you", "T-shirt", "Topics")
AS_HELD = {
    "Shoe size": "42.5",
    "Member since": "2006-11-15",
    "Vegetarian": "true",
    "About you": "hello",
    "T-shirt": "Medium",
    "Topics": "Gardening, Chess",
}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, Site]]:
    """The service with the form “more”, which asks for every type of custom field and gives tags."""
    fields = {f"show_custom_fields[{name}]": "on" for name in FIELDS}
    more = {"name": "More about you", "tags": "VIP\nSpring"} | fields
    with offering(tmp_path_factory.mktemp("custom"), "more", **more) as both:
        yield both


@pytest.fixture(params=[True, False], ids=["script", "no script"])
def browsing(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = chromium.new_context(java_script_enabled=request.param)
    yield context.new_page()
    context.close()


def fill(page: Page, email: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Shoe size").fill("42.5")
    page.get_by_label("Member since").fill("2006-11-15")
    page.get_by_label("Vegetarian").check()
    page.get_by_role("textbox", name="About you").fill("hello")
    page.get_by_label("T-shirt").select_option("Medium")
    page.get_by_role("group", name="Topics").get_by_label("Gardening").check()
    page.get_by_role("group", name="Topics").get_by_label("Chess").check()


def arrived(service: Deployment, email: str) -> tuple[dict[str, str], list[str]]:
    """What the contact has in its custom fields, and its tags, once it has tags."""
    state: dict[str, Any] = {}

    def found() -> dict[str, Any] | None:
        state.update(requests.get(f"{service.sandbox_base}/_sandbox/state", timeout=5).json())
        people = [one for one in state["contacts"] if one["email_address"] == email and one["taggings"]]
        return people[0] if people else None

    contact = wait_for("the contact's arrival with its tags", found)
    labels = {field["custom_field_id"]: field["label"] for field in state["custom_fields"]}
    names = {tag["tag_id"]: tag["name"] for tag in state["tags"]}
    held = {labels[entry["custom_field_id"]]: entry["value"] for entry in contact["custom_fields"]}
    return held, [names[tag_id] for tag_id in contact["taggings"]]


def test_its_own_page_brings_every_type_to_the_contact(
    browsing: Page, started: tuple[Deployment, Site], request: pytest.FixtureRequest
) -> None:
    """With a script running and without, and with the form's tags."""
    service, page = started[0], browsing
    email = f"own-{'plain' if 'no' in request.node.name.split('[')[1] else 'script'}@example.org"
    page.goto(f"{service.base}/forms/more")
    fill(page, email)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_text(THANKS)).to_be_visible()
    assert arrived(service, email) == (AS_HELD, ["VIP", "Spring"])


def test_the_page_has_no_barriers(page: Page, started: tuple[Deployment, Site]) -> None:
    """At 320 px too, and with mistakes."""
    page.goto(f"{started[0].base}/forms/more")
    assert violations(page) == []
    assert narrow(page)
    fill(page, "ada@example")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("alert")).to_contain_text("Enter an e-mail address")
    expect(page.get_by_label("T-shirt")).to_have_value("Medium")
    expect(page.get_by_label("Chess")).to_be_checked()
    assert narrow(page)
    assert violations(page) == []


def test_one_line_brings_every_type_from_another_site(page: Page, started: tuple[Deployment, Site]) -> None:
    """A mistake stands beside its field, though its name has a blank."""
    service, site = started
    site.body = f'<script src="{service.base}/embed.js" data-form="more" async></script>'
    site.policy = POLICY.format(service=service.base)
    page.goto(site.base)
    fill(page, "embed@example.org")
    # The browser itself would not let it through.
    page.get_by_label("Shoe size").evaluate("input => { input.type = 'text'; input.value = 'big'; }")
    page.get_by_role("button", name="Sign up").click()
    shoes = page.get_by_label("Shoe size")
    expect(shoes).to_have_attribute("aria-invalid", "true")
    expect(shoes).to_have_accessible_description("Enter a number like 42 or 42.5.")
    assert violations(page) == []
    assert narrow(page)
    shoes.fill("42.5")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_have_text(THANKS)
    assert arrived(service, "embed@example.org") == (AS_HELD, ["VIP", "Spring"])
