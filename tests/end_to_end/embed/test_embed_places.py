"""Where on a page the one line draws its form: in a head, in a target, twice, and on a page that changes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from flask import Flask, Response
from playwright.sync_api import Page, expect

from tests.end_to_end.embed.test_embed import Service, fill, served, violations
from tests.end_to_end.embed.test_embed import service as service  # noqa: PLC0414 - a fixture

pytestmark = pytest.mark.browser

IDS = """() => [...document.querySelectorAll("[data-signup-form]")]
    .flatMap(host => [...host.shadowRoot.querySelectorAll("[id]")].map(element => element.id))"""
PLACE = """() => { const host = document.querySelector("[data-signup-form]");
    return [host.parentElement.tagName, host.previousElementSibling?.tagName ?? null]; }"""


@dataclass
class Shop:
    """A page of another origin in its two parts."""

    base: str = ""
    head: str = ""
    body: str = "<main><h1>A shop</h1></main>"


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop, app = Shop(), Flask(__name__)

    @app.get("/")
    def page() -> Response:
        return Response(
            f"""<!doctype html><html lang="en"><head><title>A shop</title>
            <link rel="icon" href="data:,"><meta name="viewport" content="width=device-width">
            {shop.head}</head><body>{shop.body}</body></html>"""
        )

    with served(app) as shop.base:
        yield shop


@pytest.fixture
def line(service: Service) -> Callable[..., str]:
    """The one line, with more attributes where they are given."""

    def made(more: str = "async") -> str:
        return f'<script src="{service.base}/embed.js" data-form="news" {more}></script>'

    return made


def sign_up(page: Page, service: Service) -> None:
    """By the first form on the page."""
    fill(page)
    page.get_by_role("button").first.click()
    expect(page.get_by_role("status")).to_be_visible()
    assert [post["email"] for post in service.posted] == ["ada@example.org"]


def visible_forms(page: Page, number: int) -> None:
    expect(page.get_by_label("E-mail")).to_have_count(number)
    for at in range(number):
        expect(page.get_by_label("E-mail").nth(at)).to_be_visible()


@pytest.mark.parametrize("more", ["async", "defer", "", "type=module"])
def test_a_line_in_the_head_draws_in_the_body(
    page: Page, service: Service, shop: Shop, line: Callable[..., str], more: str
) -> None:
    """At its end, however the browser loads the script: nobody sees what is drawn in a head."""
    shop.head = line(more)
    if more == "type=module":
        # Only a script that is allowed to may be loaded as a module.
        page.route("**/embed.js", lambda route: route.fulfill(response=route.fetch(), headers=MODULE))
    page.goto(shop.base)
    visible_forms(page, 1)
    assert page.evaluate(PLACE) == ["BODY", "MAIN"]
    assert violations(page) == []
    sign_up(page, service)


MODULE = {"Content-Type": "text/javascript", "Access-Control-Allow-Origin": "*"}


@pytest.mark.parametrize("where", ["head", "body"])
def test_a_target_is_waited_for(
    page: Page, service: Service, shop: Shop, line: Callable[..., str], where: str
) -> None:
    """It may come after the line, and after the page."""
    if where == "head":
        shop.head = line('async data-target="#signup"')
    else:
        shop.body = line('async data-target="#signup"') + shop.body
    page.goto(shop.base)
    page.wait_for_load_state("networkidle")
    expect(page.get_by_label("E-mail")).to_have_count(0)
    page.evaluate("document.querySelector('main').innerHTML = '<h1>A shop</h1><div id=signup></div>'")
    visible_forms(page, 1)
    assert page.evaluate("document.querySelector('#signup > [data-signup-form]') !== null")
    sign_up(page, service)


def test_a_target_that_is_no_selector_keeps_no_other_form_away(
    page: Page, service: Service, shop: Shop, line: Callable[..., str]
) -> None:
    """The console says which one is missing."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    shop.body = f"""<main><h1>A shop</h1>{line('data-target="#2"')}{line()}</main>"""
    page.goto(shop.base)
    visible_forms(page, 1)
    assert [text for text in said if "#2" in text] == [
        "embed.js: “news” waits for “#2”, which this page does not have."
    ]


def test_the_same_form_twice(page: Page, service: Service, shop: Shop, line: Callable[..., str]) -> None:
    """No id is there twice, each label leads to its own field, and each form keeps to itself."""
    service.definition["sms_consent"] = {"version": 1, "wording": "Text me, too."}
    service.definition["fields"] += [
        {"name": "sms_number", "label": "Mobile", "type": "tel"},
        {"name": "custom_fields[Days]", "label": "Days", "type": "checkboxes", "options": ["Mon", "Tue"]},
        {"name": "custom_fields[Dogs]", "label": "Dogs", "type": "checkbox"},
    ]
    again = line('async data-button="Join"')
    shop.body = f"<main><h1>A shop</h1>{line()}<footer>{again}</footer></main>"
    page.goto(shop.base)
    visible_forms(page, 2)
    ids = page.evaluate(IDS)
    assert len(ids) == len(set(ids)) > 20
    assert violations(page) == []
    second = page.locator("footer")
    second.get_by_text("E-mail").click()
    expect(second.get_by_label("E-mail")).to_be_focused()
    second.get_by_label("E-mail").fill("second@example.org")
    second.get_by_text("I agree").click()
    second.get_by_text("Dogs").click()
    second.get_by_role("button", name="Join").click()
    expect(page.get_by_role("status")).to_be_visible()
    expect(page.get_by_label("E-mail")).to_have_count(1)
    (posted,) = service.posted
    assert (posted["email"], posted["custom_fields"]) == ("second@example.org", {"Dogs": "true"})


COPY = """inert => { const script = document.createElement("script");
    for (const { name, value } of inert.attributes) script.setAttribute(name, value);
    return script; }"""
LATER = {
    "a script element": f"""([line, main]) => {{ main.innerHTML = "<h1>New</h1>";
        const parsed = new DOMParser().parseFromString(line, "text/html");
        main.append(({COPY})(parsed.querySelector("script"))); }}""",
    "innerHTML": "([line, main]) => { main.innerHTML = `<h1>New</h1>${line}`; }",
    "an element": """([, main]) => {
        main.innerHTML = '<h1>New</h1><div data-signup-form="news"></div>'; }""",
    "a renamed element": """([, main]) => {
        main.innerHTML = '<h1>New</h1><div data-signup-form="none"></div>';
        main.querySelector("div").dataset.signupForm = "news"; }""",
    "its line replaced by a copy": f"""([line, main]) => {{ main.innerHTML = line;
        const inert = main.querySelector("script");
        return new Promise(done => setTimeout(() => {{
            inert.replaceWith(({COPY})(inert)); done(); }}, 200)); }}""",
}


@pytest.mark.parametrize("way", LATER)
@pytest.mark.parametrize("before", ["a form", "the script alone"])
def test_a_page_adds_it_later(
    page: Page, service: Service, shop: Shop, line: Callable[..., str], way: str, before: str
) -> None:
    """In place of what was there, once, and it works."""
    if before == "a form":
        shop.body = f"<main><h1>A shop</h1>{line()}</main>"
    else:
        shop.head = f'<script src="{service.base}/embed.js" async></script>'
    page.goto(shop.base)
    page.wait_for_load_state("networkidle")
    page.evaluate(f"line => ({LATER[way]})([line, document.querySelector('main')])", line())
    page.wait_for_load_state("networkidle")
    visible_forms(page, 1)
    sign_up(page, service)
    expect(page.get_by_role("status")).to_have_count(1)


def test_a_body_that_is_swapped_keeps_the_form_of_the_head(
    page: Page, service: Service, shop: Shop, line: Callable[..., str]
) -> None:
    """A new one, not filled in, as after loading a page; also if what comes is a copy of what was."""
    shop.head = line()
    page.goto(shop.base)
    fill(page)
    for swap in (
        "document.body.innerHTML = '<main><h1>Next</h1></main>'",
        "document.body.replaceWith(document.createElement('body'))",
        "document.body.replaceWith(document.body.cloneNode(true))",
    ):
        page.evaluate(swap)
        visible_forms(page, 1)
        expect(page.get_by_label("E-mail")).to_have_value("")
    sign_up(page, service)


def test_a_form_that_the_page_takes_away_stays_away(
    page: Page, service: Service, shop: Shop, line: Callable[..., str]
) -> None:
    """Its line may still be there."""
    shop.body = f"<main><h1>A shop</h1>{line()}</main>"
    page.goto(shop.base)
    visible_forms(page, 1)
    page.evaluate("document.querySelector('[data-signup-form]').remove()")
    page.evaluate("document.querySelector('main').append('The end.')")
    page.evaluate(
        """document.querySelector("main")
        .insertAdjacentHTML("beforeend", "<div data-signup-form=news></div>")"""
    )
    visible_forms(page, 1)
    assert page.evaluate("document.querySelectorAll('[data-signup-form]').length") == 1


def test_what_an_element_holds_is_for_browsers_without_scripts(
    page: Page, service: Service, shop: Shop
) -> None:
    """Such as a link to the form's own page; it stays where it is, also after the thanks."""
    shop.head = f'<script src="{service.base}/embed.js" async></script>'
    shop.body = (
        '<main><h1>A shop</h1><div data-signup-form="news"><a href="/form">Sign up there</a></div></main>'
    )
    page.goto(shop.base)
    visible_forms(page, 1)
    expect(page.locator("a")).to_be_hidden()
    sign_up(page, service)
    expect(page.locator("a")).to_have_count(1)
    expect(page.locator("a")).to_be_hidden()
