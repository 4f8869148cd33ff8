"""The embedded form on a page of another origin, in a real browser."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest
from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

from services.forms.honeypot import trap_name

ROOT = Path(__file__).parents[3]
VENDOR = Path(__file__).parents[1] / "vendor"
AXE = (VENDOR / "axe.min.js").read_text()
POLICY = "default-src 'none'; img-src data:; script-src {service}; connect-src {service}"

pytestmark = pytest.mark.browser


class Guard(Protocol):
    def token(self) -> str: ...

    def answer(self, posted: dict[str, Any]) -> tuple[int, dict[str, Any]]: ...


@dataclass
class Service:
    """Stands in for the service: a definition to show, an answer to give, and what was posted."""

    base: str = ""
    posted: list[dict[str, Any]] = field(default_factory=list)
    answer: tuple[int, dict[str, Any]] = (202, {"status": "received"})
    delay: float = 0
    definition: dict[str, Any] = field(default_factory=dict)
    tokens: int = 0
    # Where there is one, it makes the tokens and judges what is posted.
    guard: Guard | None = None


def definition(base: str) -> dict[str, Any]:
    return {
        "slug": "news",
        "name": "Newsletter",
        "action": f"{base}/subscribe",
        "fields": [
            {"name": "email", "label": "E-mail", "type": "email", "required": True, "autocomplete": "email"},
            {"name": "first_name", "label": "First name", "type": "text", "required": False, "maxlength": 50},
            {"name": "custom_fields[Shoe size]", "label": "Shoe size", "type": "text", "required": False},
        ],
        "consent": {"version": 3, "wording": "I agree to receive the newsletter."},
        "thank_you": {"message": "Thank you, see you soon.", "url": None},
        "protection": {
            "honeypot": trap_name("news"),
            "token_url": f"{base}/forms/news/token",
            "captcha": None,
        },
    }


@contextmanager
def served(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def stand_in(service: Service) -> Flask:
    app = Flask(__name__, static_folder=str(ROOT / "static"))

    @app.after_request
    def cors(answer: Response) -> Response:
        answer.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "")
        answer.headers["Access-Control-Allow-Headers"] = "Content-Type"
        return answer

    @app.get("/embed.js")
    def script() -> Response:
        return app.send_static_file("embed.js")

    @app.get("/address.js")
    def address() -> Response:
        return app.send_static_file("address.js")

    @app.get("/forms/news.json")
    def form() -> ResponseReturnValue:
        return jsonify(service.definition)

    @app.get("/forms/news/token")
    def token() -> ResponseReturnValue:
        service.tokens += 1
        return jsonify(token=service.guard.token() if service.guard else f"token-{service.tokens}")

    @app.post("/subscribe")
    def subscribe() -> ResponseReturnValue:
        time.sleep(service.delay)
        service.posted.append(request.get_json())
        posted = service.posted[-1]
        status, body = service.guard.answer(posted) if service.guard else service.answer
        return jsonify(body), status

    return app


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    with served(stand_in(service)) as base:
        service.base, service.definition = base, definition(base)
        yield service


@pytest.fixture
def site(service: Service) -> Iterator[str]:
    """A page on another origin, whose own policy allows the service and nothing else."""
    app = Flask(__name__)

    @app.get("/")
    def page() -> Response:
        html = f"""<!doctype html><html lang="en"><head><title>A shop</title>
        <meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"></head>
        <body><main><h1>A shop</h1>
        <script src="{service.base}/embed.js" data-form="news" async></script></main></body></html>"""
        return Response(html, headers={"Content-Security-Policy": POLICY.format(service=service.base)})

    with served(app) as base:
        yield base


def fill(page: Page, email: str = "ada@example.org") -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("I agree").check()


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong, shadow roots included."""
    page.evaluate(AXE)
    found: list[str] = page.evaluate(
        "async () => (await axe.run()).violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' '))"
    )
    return found


def test_a_visitor_signs_up_on_another_site(page: Page, service: Service, site: str) -> None:
    """The form is drawn under the host's strict policy, sends what was typed, and thanks in its place."""
    page.goto(site)
    fill(page)
    page.get_by_label("First name").fill("Ada")
    page.get_by_label("Shoe size").fill("39")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_have_text("Thank you, see you soon.")
    expect(page.get_by_role("status")).to_be_focused()
    assert service.posted == [
        {
            "form": "news",
            "source": f"{site}/",
            "email": "ada@example.org",
            "first_name": "Ada",
            "custom_fields": {"Shoe size": "39"},
            "consent": "I agree to receive the newsletter.",
            "form_token": "token-1",
        }
    ]


def test_a_long_address_breaks_on_a_narrow_screen(page: Page, service: Service, site: str) -> None:
    """It has no blanks at which a line could end."""
    address = f"https://www.example.org/{'privacy-and-data-protection/' * 4}"
    service.definition["consent"]["wording"] = f"I agree: {address.replace('-', '')}"
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto(site)
    expect(page.locator("label a")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_addresses_are_links_by_the_same_rule_as_on_the_page(page: Page, service: Service, site: str) -> None:
    """In wording and thanks, for every example of the shared table; what is sent stays as written."""
    examples = json.loads((ROOT / "tests" / "web" / "public" / "links.json").read_text())
    wording = "\n".join(text for text, _ in examples)
    service.definition["consent"]["wording"] = wording
    service.definition["thank_you"]["message"] = "Read https://example.org/on."
    page.goto(site)
    links = page.locator("label a")
    expect(links).to_have_text([address for _, addresses in examples for address in addresses])
    assert page.locator("label[for=consent]").evaluate("label => label.textContent") == wording
    attributes = links.evaluate_all("links => links.map(a => [a.protocol, a.target, a.rel].join(' '))")
    assert set(attributes) == {
        "https: _blank noopener noreferrer",
        "http: _blank noopener noreferrer",
    }
    assert violations(page) == []
    page.get_by_label("E-mail").fill("ada@example.org")
    page.locator("#consent").check()
    page.get_by_role("button", name="Sign up").click()
    done = page.get_by_role("status")
    expect(done).to_have_text("Read https://example.org/on.")
    expect(done.get_by_role("link")).to_have_attribute("href", "https://example.org/on")
    expect(page.locator("#confirm")).to_have_text("If an e-mail asks you to confirm, please do.")
    assert service.posted[0]["consent"] == wording
    assert violations(page) == []


@pytest.mark.parametrize("ticked", [True, False])
def test_text_messages_have_a_tick_of_their_own(
    page: Page, service: Service, site: str, ticked: bool
) -> None:
    """Not set at first, not demanded, and sent with its own wording only."""
    service.definition["fields"] += [
        {"name": "sms_number", "label": "Mobile", "type": "tel", "required": False, "autocomplete": "tel"}
    ]
    service.definition["sms_consent"] = {"version": 1, "wording": "Text me, too."}
    page.goto(site)
    fill(page)
    expect(page.get_by_label("Text me")).not_to_be_checked()
    if ticked:
        page.get_by_label("Mobile").fill("+1 781 555 1212")
        page.get_by_label("Text me").check()
    assert violations(page) == []
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_be_visible()
    (posted,) = service.posted
    told = {name: value for name, value in posted.items() if name.startswith("sms")}
    assert told == ({"sms_number": "+1 781 555 1212", "sms_consent": "Text me, too."} if ticked else {})
    assert posted["consent"] == "I agree to receive the newsletter."


def test_a_number_without_its_tick_is_asked_about_there(page: Page, service: Service, site: str) -> None:
    """The service says so, and the focus goes to the tick."""
    service.definition["fields"] += [{"name": "sms_number", "label": "Mobile", "type": "tel"}]
    service.definition["sms_consent"] = {"version": 1, "wording": "Text me, too."}
    service.answer = 422, {"errors": [{"field": "sms_consent", "message": "Tick this as well."}]}
    page.goto(site)
    fill(page)
    page.get_by_label("Mobile").fill("781 555 1212")
    page.get_by_role("button", name="Sign up").click()
    expect(page.locator("#sms_consent-error")).to_have_text("Tick this as well.")
    expect(page.get_by_label("Text me")).to_be_focused()
    expect(page.get_by_label("Mobile")).to_have_value("781 555 1212")


def test_where_a_visitor_came_from_is_told(page: Page, service: Service, site: str) -> None:
    """Without the query, which may tell about the person."""
    page.goto(f"{site}/?from=a-letter")
    page.evaluate(f"location.assign('{site}/')")
    page.wait_for_url(f"{site}/")
    fill(page)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_be_visible()
    assert service.posted[0]["referrer"] == f"{site}/"


def test_the_keyboard_is_enough(page: Page, service: Service, site: str) -> None:
    """Tab, type, space, enter; the trap for programs is never reached."""
    page.goto(site)
    expect(page.get_by_label("E-mail")).to_be_visible()
    for keys in ("ada@example.org", "Ada", "39"):
        page.keyboard.press("Tab")
        page.keyboard.type(keys)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_be_focused()
    assert trap_name("news") not in service.posted[0]


def test_a_double_click_sends_once(page: Page, service: Service, site: str) -> None:
    """The second press meets a button that is busy."""
    service.delay = 0.5
    page.goto(site)
    fill(page)
    page.get_by_role("button", name="Sign up").dblclick()
    expect(page.get_by_role("status")).to_be_visible()
    assert len(service.posted) == 1


def test_what_is_missing_is_said_beside_the_field(page: Page, service: Service, site: str) -> None:
    """Nothing is sent; the focus goes to the first field that needs another look."""
    page.goto(site)
    page.get_by_label("First name").fill("Ada")
    page.get_by_role("button", name="Sign up").click()
    email = page.get_by_label("E-mail")
    expect(email).to_be_focused()
    expect(email).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#email-error")).not_to_be_empty()
    expect(page.get_by_label("First name")).to_have_value("Ada")
    assert service.posted == []
    assert violations(page) == []


def test_a_refused_field_keeps_what_was_typed(page: Page, service: Service, site: str) -> None:
    """The service's own sentence stands beside the field, and a corrected form goes through."""
    service.answer = (422, {"errors": [{"field": "email", "message": "Use another address."}]})
    page.goto(site)
    fill(page, "ada@example.invalid")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_text("Use another address.")).to_be_visible()
    expect(page.get_by_label("E-mail")).to_be_focused()
    expect(page.get_by_label("E-mail")).to_have_value("ada@example.invalid")
    service.answer = (202, {"status": "received"})
    page.get_by_label("E-mail").fill("ada@example.org")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_be_visible()


def test_a_service_that_cannot_take_it_is_said(page: Page, service: Service, site: str) -> None:
    """The problem's own words, and the form as it was."""
    service.answer = (503, {"detail": "The database cannot be used at the moment."})
    page.goto(site)
    fill(page)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("alert")).to_have_text("The database cannot be used at the moment.")
    expect(page.get_by_label("E-mail")).to_have_value("ada@example.org")
    assert violations(page) == []


def test_a_lost_network_loses_nothing_that_was_typed(page: Page, service: Service, site: str) -> None:
    """In plain words, and the next press works."""
    page.goto(site)
    fill(page)
    page.context.set_offline(True)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("alert")).to_contain_text("check your connection")
    page.context.set_offline(False)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_be_visible()
    assert len(service.posted) == 1


def test_a_thank_you_page_is_gone_to(page: Page, service: Service, site: str) -> None:
    """Where the form names one."""
    service.definition["thank_you"] = {"message": None, "url": f"{site}/?thanks"}
    page.goto(site)
    fill(page)
    page.get_by_role("button", name="Sign up").click()
    page.wait_for_url(f"{site}/?thanks")


def test_a_form_that_is_gone_leaves_a_sentence(page: Page, service: Service, site: str) -> None:
    """Not an empty hole in the page."""
    page.route("**/forms/news.json", lambda route: route.fulfill(status=404, body="{}"))
    page.goto(site)
    expect(page.get_by_role("status")).to_have_text("Sorry, this form cannot be shown at the moment.")


def test_it_fits_a_small_telephone_and_has_no_barriers(page: Page, service: Service, site: str) -> None:
    """320 px wide, nothing to scroll sideways, and axe-core finds nothing."""
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(site)
    expect(page.get_by_label("E-mail")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert violations(page) == []
