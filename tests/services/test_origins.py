"""Which addresses count as the same site."""

from __future__ import annotations

import pytest

from services.origins import bare_page, origin_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://www.example.org", "https://www.example.org"),
        ("https://WWW.Example.org:443/a?b#c", "https://www.example.org"),
        ("http://localhost:5000/", "http://localhost:5000"),
        ("http://[::1]:80/", "http://[::1]"),
        ("https://www.example.org:8443", "https://www.example.org:8443"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    """Case and default ports make no difference, everything else does."""
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "www.example.org",
        "//www.example.org",
        "/path",
        "ftp://www.example.org",
        "javascript://www.example.org/%0aalert(1)",
        "https://",
        "https://user@www.example.org",
        "https://www.example.org;sandbox",
        "https://www.example.org,x",
        "https://münchen.example",
        "https://evil.example\\@www.example.org",
        "https://evil.example\\.www.example.org",
        "https://www.example.org\n",
        " https://www.example.org",
        "https://www.example.org:port",
        "https://[::1",
    ],
)
def test_what_is_read_in_two_ways_has_no_origin(url: str) -> None:
    """Whatever browsers could understand differently is nobody's site."""
    assert origin_of(url) is None


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://shop.example.net/spring/?email=ann@example.org#top", "https://shop.example.net/spring/"),
        ("https://shop.example.net", "https://shop.example.net"),
        (f"https://shop.example.net/{'x' * 600}", f"https://shop.example.net/{'x' * 475}"),
        ("javascript:alert(1)", None),
        ("", None),
        (None, None),
        (["https://shop.example.net"], None),
    ],
)
def test_a_page_is_told_without_what_may_be_personal(url: object, page: str | None) -> None:
    """No query and no fragment, at most 500 characters; None for what is no page."""
    assert bare_page(url) == page
