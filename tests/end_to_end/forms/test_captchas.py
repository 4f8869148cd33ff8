"""Captchas of third parties in a real browser: the pages as they are, the providers' scripts stood in for."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from sandbox import PRESET_LIST_ID
from services.protection.providers import PROVIDERS, Provider
from tests.end_to_end.captcha_gateway import CaptchaGateway
from tests.end_to_end.consent import connect, form_fields
from tests.end_to_end.embed.test_embed import served, violations
from tests.end_to_end.forms.test_forms import Site, narrow, website
from tests.end_to_end.forms.test_protection import outcome
from tests.end_to_end.processes import Deployment

pytestmark = pytest.mark.browser

THANKS = "See you in spring."
UNSOLVED = "Please finish the check above first."
FASTEST_FILL_MS = 2_000
WIDGET = (Path(__file__).parents[1] / "captcha_widget.js").read_text()
KEYS = {
    f"{name.upper()}_{key}_KEY": f"{key.lower()}-of-{name}"
    for name in PROVIDERS
    for key in ("SITE", "SECRET")
}


@dataclass
class Guarded:
    """The service with a form for each provider, named like it, and a site of those forms."""

    service: Deployment
    site: Site
    gateway: CaptchaGateway


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder, site = tmp_path_factory.mktemp("captchas"), Site()
    gateway = CaptchaGateway(
        folder, [urlsplit(provider.verify_url).hostname or "" for provider in PROVIDERS.values()]
    )
    service = Deployment(
        folder,
        preset_list=PRESET_LIST_ID,
        HTTPS_PROXY=gateway.url,
        REQUESTS_CA_BUNDLE=str(gateway.certificate),
        **KEYS,
    )
    with served(website(site)) as site.base:
        service.start()
        admin = connect(service)
        page = f"{service.base}/admin/forms/new"
        for name in PROVIDERS:
            entered = form_fields(admin.get(page, timeout=10).text) | {
                "slug": name,
                "name": "Newsletter",
                "list_ids": PRESET_LIST_ID,
                "thank_you_message": THANKS,
                "origins": site.base,
                "protection": name,
            }
            assert admin.post(page, data=entered, timeout=10).url == f"{service.base}/admin/forms/{name}"
        yield Guarded(service, site, gateway)
        service.stop()
    gateway.close()


@pytest.fixture(params=list(PROVIDERS))
def provider(request: pytest.FixtureRequest) -> Provider:
    return PROVIDERS[request.param]


@pytest.fixture
def visitor(page: Page, provider: Provider) -> Page:
    """Whose browser gets the stand-in where it asks the provider."""
    stand_in(page, provider)
    return page


def stand_in(page: Page, provider: Provider) -> None:
    host = urlsplit(provider.script).hostname
    script = (
        WIDGET.replace("API", provider.api)
        .replace("NAME", provider.widget)
        .replace("WIDGET", provider.widget)
    )

    def answer(route: Route) -> None:
        if urlsplit(route.request.url).path.endswith("/frame"):
            route.fulfill(content_type="text/html", body='<!doctype html><html lang="en"><title>C</title>')
        else:
            route.fulfill(content_type="text/javascript", body=script)

    page.route(lambda url: urlsplit(url).hostname == host, answer)


def sign_up(page: Page, email: str, *, solved: bool = True, wait_ms: int = FASTEST_FILL_MS) -> None:
    """As somebody who takes the time to type."""
    page.get_by_label("E-mail").fill(email)
    page.wait_for_timeout(wait_ms)
    if solved:
        page.evaluate("solveCaptchas()")
    page.get_by_role("button", name="Sign up").click()


def test_a_person_gets_through_on_the_forms_own_page(
    visitor: Page, guarded: Guarded, provider: Provider
) -> None:
    """Under the strict policy; the provider is asked once, and told no more than it needs."""
    visitor.goto(f"{guarded.service.base}/forms/{provider.name}")
    frame = visitor.frame_locator("iframe").locator("html")
    expect(frame).to_be_attached()
    assert violations(visitor) == []
    sign_up(visitor, f"own@{provider.name}.example.org")
    expect(visitor.get_by_text(THANKS)).to_be_visible()
    assert outcome(guarded.service, f"own@{provider.name}.example.org") is None
    host, asked = guarded.gateway.asked[-1]
    assert host == urlsplit(provider.verify_url).hostname
    assert asked.pop("secret") == f"secret-of-{provider.name}"
    assert asked.pop("response").startswith("good-")
    assert asked == ({"sitekey": f"site-of-{provider.name}"} if provider.takes_site_key else {})


@pytest.mark.parametrize("provider", [PROVIDERS["hcaptcha"]])
def test_a_person_gets_through_on_another_site(visitor: Page, guarded: Guarded, provider: Provider) -> None:
    """The widget stands among the form's fields without being inside its shadow root."""
    service, site = guarded.service, guarded.site
    site.policy = "default-src 'none'; img-src data:" + "".join(
        f"; {name} {service.base} {' '.join(sources)}" for name, sources in provider.sources.items()
    )
    site.body = f'<script src="{service.base}/embed.js" data-form="{provider.name}"></script>'
    visitor.goto(site.base)
    expect(visitor.frame_locator("iframe").locator("html")).to_be_attached()
    field = visitor.get_by_label("E-mail").bounding_box()
    widget = visitor.locator("iframe").bounding_box()
    button = visitor.get_by_role("button", name="Sign up").bounding_box()
    assert field
    assert widget
    assert button
    assert field["y"] < widget["y"] < button["y"]
    assert violations(visitor) == []
    sign_up(visitor, f"else@{provider.name}.example.org")
    expect(visitor.get_by_text(THANKS)).to_be_visible()
    assert outcome(guarded.service, f"else@{provider.name}.example.org") is None


@pytest.mark.parametrize("provider", [PROVIDERS["recaptcha"]])
@pytest.mark.parametrize(("status", "left"), [(422, "good-"), (503, "")])
def test_an_answer_is_used_for_one_try(
    visitor: Page, guarded: Guarded, provider: Provider, status: int, left: str
) -> None:
    """Where somebody may have looked at it, the widget begins again; not for a wrong field."""
    guarded.site.policy = ""
    guarded.site.body = f'<script src="{guarded.service.base}/embed.js" data-form="recaptcha"></script>'
    visitor.route("**/subscribe", lambda route: route.fulfill(status=status, json={"detail": "Not now."}))
    visitor.goto(guarded.site.base)
    expect(visitor.frame_locator("iframe").locator("html")).to_be_attached()
    sign_up(visitor, "twice@example.org", wait_ms=0)
    expect(visitor.get_by_role("alert")).to_have_text("Not now.")
    assert visitor.locator("[name=g-recaptcha-response]").input_value()[:5] == left


@pytest.mark.parametrize("where", ["own page", "other site"])
@pytest.mark.parametrize("provider", [PROVIDERS["turnstile"]])
def test_who_forgets_it_is_told_once(visitor: Page, guarded: Guarded, provider: Provider, where: str) -> None:
    """Then nobody is locked out by a widget that does not work: the sign-up waits for a person."""
    guarded.site.policy = ""
    guarded.site.body = f'<script src="{guarded.service.base}/embed.js" data-form="turnstile"></script>'
    visitor.goto(f"{guarded.service.base}/forms/turnstile" if where == "own page" else guarded.site.base)
    expect(visitor.frame_locator("iframe").locator("html")).to_be_attached()
    email = f"{where.replace(' ', '-')}@forgot.example.org"
    sign_up(visitor, email, solved=False)
    expect(visitor.get_by_role("alert")).to_contain_text(UNSOLVED)
    visitor.get_by_role("button", name="Sign up").click()
    expect(visitor.get_by_text(THANKS)).to_be_visible()
    assert outcome(guarded.service, email) == '["captcha_missing"]'


@pytest.mark.parametrize("provider", [PROVIDERS["hcaptcha"]])
def test_where_the_providers_script_is_blocked_nothing_is_lost(
    page: Page, guarded: Guarded, provider: Provider
) -> None:
    """Many visitors block such scripts; what they send waits for a person."""
    page.route(f"{provider.script.partition('?')[0]}**", lambda route: route.abort())
    page.goto(f"{guarded.service.base}/forms/hcaptcha")
    sign_up(page, "blocked@example.org", solved=False)
    expect(page.get_by_text(THANKS)).to_be_visible()
    assert outcome(guarded.service, "blocked@example.org") == '["captcha_missing"]'


@pytest.mark.parametrize("provider", [PROVIDERS["recaptcha"]])
def test_it_fits_a_small_telephone(visitor: Page, guarded: Guarded, provider: Provider) -> None:
    """In its small shape."""
    visitor.set_viewport_size({"width": 320, "height": 640})
    visitor.goto(f"{guarded.service.base}/forms/{provider.name}")
    expect(visitor.frame_locator("iframe").locator("html")).to_be_attached()
    assert narrow(visitor)
    widget, form = visitor.locator("iframe").bounding_box(), visitor.locator("form").bounding_box()
    assert widget
    assert form
    assert widget["width"] < form["width"]


@pytest.mark.parametrize("provider", [PROVIDERS["recaptcha"]])
def test_copied_html_works_on_another_site(visitor: Page, guarded: Guarded, provider: Provider) -> None:
    """What the form's page shows to copy, pasted as it is."""
    service, site = guarded.service, guarded.site
    visitor.goto(f"{service.base}/admin/sign-in")
    visitor.get_by_label("Password").fill(service.password)
    visitor.get_by_role("button", name="Sign in").click()
    loaded: list[str] = []
    visitor.on("request", lambda request: loaded.append(request.url))
    visitor.goto(f"{service.base}/admin/forms/{provider.name}")
    site.policy = ""
    site.body = visitor.get_by_label("HTML of the form").text_content() or ""
    # An admin's page runs no script of others.
    assert [url for url in loaded if not url.startswith(service.base)] == []
    visitor.goto(site.base)
    expect(visitor.frame_locator("iframe").locator("html")).to_be_attached()
    sign_up(visitor, "copied@example.org", wait_ms=0)
    expect(visitor.get_by_text(THANKS)).to_be_visible()
    assert outcome(service, "copied@example.org") is None
