"""Which addresses count as the same site."""

import pytest

from services.submission.web_origins import bare_page, origin_of, shown, to_send, unusable_name


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://www.example.org", "https://www.example.org"),
        ("https://WWW.Example.org:443/a?b#c", "https://www.example.org"),
        ("http://localhost:5000/", "http://localhost:5000"),
        ("http://[::1]:80/", "http://[::1]"),
        ("https://www.example.org:8443", "https://www.example.org:8443"),
        ("https://München.example/a", "https://xn--mnchen-3ya.example"),
        ("https://straße.example:8443", "https://xn--strae-oqa.example:8443"),
        ("https://ｗｗｗ.例え。テスト", "https://www.xn--r8jz45g.xn--zckzah"),
        ("https://my_shop.bücher.example", "https://my_shop.xn--bcher-kva.example"),
        ("https://نامه‌ای.example", "https://xn--mgba3gch31f060k.example"),
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
        "https://i❤.example",
        "https://-ü.example",
        f"https://{'ü' * 60}.example",
        "https://a℀b.example",
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


@pytest.mark.parametrize(
    ("origin", "written"),
    [
        ("https://xn--mnchen-3ya.example:8443", "https://münchen.example:8443"),
        ("https://www.example.org", "https://www.example.org"),
        ("http://[::1]", "http://[::1]"),
        ("https://xn--0.example", "https://xn--0.example"),
        ("xn--mnchen-3ya", "xn--mnchen-3ya"),
    ],
)
def test_people_see_an_origin_as_they_write_it(origin: str, written: str) -> None:
    assert shown(origin) == written


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://Bücher.example/a?b=c#d", "https://xn--bcher-kva.example/a?b=c#d"),
        ("https://Bücher.example:8443", "https://xn--bcher-kva.example:8443"),
        ("https://www.example.org/grüße", "https://www.example.org/grüße"),
        ("https://www.example.org/A?b", "https://www.example.org/A?b"),
        ("/thank-you", "/thank-you"),
    ],
)
def test_an_address_is_sent_with_its_host_in_ascii(url: str, sent: str) -> None:
    assert to_send(url) == sent


@pytest.mark.parametrize(
    ("url", "name"),
    [("https://i❤.example/a", "i❤.example"), ("https://münchen.example", None), ("no address", None)],
)
def test_a_name_that_no_browser_looks_up_is_named(url: str, name: str | None) -> None:
    assert unusable_name(url) == name
