"""Addresses in wordings and thanks, as links."""

import html
import json
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.admin.test_forms import snippets
from tests.web.conftest import sign_in
from tests.web.forms import FORM, make
from web.public.links import linked, parts

EXAMPLES: list[tuple[str, list[str]]] = json.loads((Path(__file__).with_name("links.json")).read_text())
LINK = '<a href="https://example.org/privacy" target="_blank" rel="noopener noreferrer">https://example.org/privacy</a>'
WORDING = "I agree to <b>this</b>: https://example.org/privacy."
AS_HTML = f"I agree to &lt;b&gt;this&lt;/b&gt;: {LINK}."


@pytest.mark.parametrize(("text", "addresses"), EXAMPLES)
def test_addresses_are_found(text: str, addresses: list[str]) -> None:
    """Whole, without the sentence's punctuation, and nothing else; no piece of the text is lost."""
    assert [part for part, is_address in parts(text) if is_address] == addresses
    assert "".join(part for part, _ in parts(text)) == text


@pytest.mark.parametrize(("text", "addresses"), EXAMPLES)
def test_all_else_is_escaped(text: str, addresses: list[str]) -> None:
    """The page shows the text as it was written, and no tag but the links."""
    page = str(linked(text))
    tag = re.compile(
        r'<a href="https?://[^"<>]*" target="_blank" rel="noopener noreferrer">|</a>', re.IGNORECASE
    )
    assert len(tag.findall(page)) == 2 * len(addresses)
    bare = tag.sub("", page)
    assert "<" not in bare
    assert html.unescape(bare) == text


def test_a_forms_page_and_the_copied_html_have_them(app: Flask, client: FlaskClient) -> None:
    """Both wordings; what goes on record stays as it was written."""
    fields = [*FORM["fields"], {"name": "sms_number", "label": "Mobile"}]
    make(app, fields=fields, wording=WORDING, sms_wording=f"Text me. {WORDING}")
    page = client.get("/forms/spring-news").text
    assert page.count(AS_HTML) == 2
    sign_in(client)
    _, copied, _ = snippets(client.get("/admin/forms/spring-news").text)
    assert copied.count(AS_HTML) == 2
    assert client.get("/forms/spring-news.json").get_json()["consent"]["wording"] == WORDING
    sent = {"form": "spring-news", "email": "ada@example.org", "first_name": "Ada", "consent": "on"}
    assert client.post("/subscribe", json=sent).status_code == 202
    with app.extensions["parts"].database.reading() as connection:
        assert connection.exec_driver_sql("SELECT consent FROM signups").scalar() == WORDING


def test_the_thanks_have_them(app: Flask, client: FlaskClient) -> None:
    """On our page; the words that hold in any case follow the form's own."""
    make(app, thank_you_message="Read <on> at https://example.org/privacy.")
    page = client.get("/thank-you?form=spring-news").text
    assert f"Read &lt;on&gt; at {LINK}." in page
    assert "If an e-mail asks you to confirm, please do." in page
    assert client.get("/thank-you").text.count("If an e-mail asks you to confirm, please do.") == 1
