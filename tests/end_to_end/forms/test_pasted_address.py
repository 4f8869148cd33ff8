"""Pasted addresses where a browser has a word to say: the script that mends them, and the embedded form."""

import random

import pytest
from playwright.sync_api import Page, expect

from services.submission.values.pasted_addresses import as_meant
from tests.end_to_end.embed.test_embed import Service, fill, service, site

__all__ = ["service", "site"]
pytestmark = pytest.mark.browser
SIGNS = [
    *"abAB..@@-_+' <>,;",
    *"\t\n\u00a0\u3000\u200b\u200c\u200d\u00ad\ufeff\u202e\u2066\u180e\u2800\u3164\ufe0f",
]
SIGNS += [*"＠ａＺ．。｡﹫＜＞，üß²ه\u0627", "mailto:", "\U000e0041", "😀"]


def test_the_script_and_the_service_mean_the_same_address(page: Page, service: Service, site: str) -> None:
    choice = random.Random(2006)
    said = ["".join(choice.choices(SIGNS, k=choice.randrange(1, 14))) for _ in range(4_000)]
    said += [f"{sign}an{sign}n{sign}@{sign}exam{sign}ple.org{sign}" for sign in SIGNS]
    page.goto(site)
    meant = page.evaluate(
        "async ([script, said]) => { const { asMeant } = await import(script); return said.map(asMeant); }",
        [f"{service.base}/address.js", said],
    )
    differing = [(text, there) for text, there in zip(said, meant, strict=True) if there != as_meant(text)]
    assert differing == []


@pytest.mark.parametrize(
    "pasted",
    [
        "\u200bada\u00ad@example.org\ufeff",
        "ａｄａ＠ｅｘａｍｐｌｅ．ｏｒｇ",
        "mailto:ada@exam\u00a0ple.org",
        "<ada@example.org>,",
    ],
)
def test_the_embedded_form_sends_what_is_seen(page: Page, service: Service, site: str, pasted: str) -> None:
    """Mended before the browser's own check, which would refuse it."""
    page.goto(site, wait_until="networkidle")
    fill(page, pasted)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_have_text("Thank you, see you soon.")
    assert [posted["email"] for posted in service.posted] == ["ada@example.org"]
