"""The gate for text from outside."""

import io
import json
import unicodedata
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from services.constant_contact import responses as answers
from services.plain_text import (
    LOST,
    NamedTwice,
    admitted,
    header_text,
    mended,
    one_line,
    shortened,
    through,
    writable,
)

ANY = st.text(
    alphabet=st.characters(exclude_categories=()) | st.sampled_from("\ud800\x00\x1b\x9b\u202e\u2066\r\né")
)
quickly = settings(max_examples=300, derandomize=True, deadline=None)


def is_plain(text: str, *, breaks: bool = True) -> bool:
    allowed = "\t\r\n" if breaks else ""
    kinds = {unicodedata.category(character) for character in text if character not in allowed}
    turned = any(unicodedata.bidirectional(each) in {"LRE", "RLE", "LRO", "RLO", "PDF"} for each in text)
    return not kinds & {"Cs", "Cc"} and not turned and unicodedata.is_normalized("NFC", text)


@quickly
@given(text=ANY)
def test_what_is_admitted_is_plain_and_stays_so(text: str) -> None:
    """Or refused; a second time it changes nothing."""
    try:
        passed = admitted(text)
    except ValueError:
        return
    assert is_plain(passed)
    assert admitted(passed) == passed
    passed.encode()


@quickly
@given(text=ANY)
def test_what_is_mended_is_plain_too(text: str) -> None:
    """Whatever it was, it can be written, and what was lost can be seen."""
    passed = mended(text)
    assert is_plain(passed)
    assert mended(passed) == passed
    assert (LOST in passed) >= any("\ud800" <= character <= "\udfff" for character in text)
    writable(text).encode()


@quickly
@given(
    value=st.recursive(
        ANY, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY, inner, max_size=3)
    )
)
def test_no_depth_and_no_name_is_overlooked(value: Any) -> None:
    """Names of members as well; nothing is dropped for it."""

    def texts(inside: Any) -> list[str]:
        if isinstance(inside, dict):
            return [*inside, *(text for each in inside.values() for text in texts(each))]
        return [inside] if isinstance(inside, str) else [text for each in inside for text in texts(each)]

    passed = texts(through(value, mended, twice=True))
    assert len(passed) == len(texts(value))
    assert all(is_plain(text) for text in passed)


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "a\rb", "a\u2028b", "a\u2029b", "a\x85b", "a\x0bb"])
def test_one_line_is_one_line(text: str) -> None:
    """Also by the separators that only Unicode knows."""
    with pytest.raises(ValueError, match="line breaks"):
        one_line(text)


def test_one_spelling_of_each_letter_is_kept() -> None:
    """Composed, so that a name is found however it was typed."""
    assert admitted("Zu\u0308rich") == admitted("Z\u00fcrich") == "Z\u00fcrich"


def test_marks_of_direction_are_taken_away() -> None:
    """A telephone puts them around a number; nobody loses a sign-up for what cannot be seen."""
    assert one_line("\u202a+1 201 555 0123\u202c") == "+1 201 555 0123"
    assert one_line("\u2066שלום\u2069\u200f") == "שלום\u200f"


def test_two_names_that_become_one_are_told() -> None:
    """What somebody else checked may not be what we store."""
    with pytest.raises(NamedTwice):
        through({"a": 1, "a\u202e": 2}, admitted)


@pytest.mark.parametrize(("text", "most", "kept"), [("é" * 5, 5, "éé"), ("😀😀", 7, "😀"), ("abc", 3, "abc")])
def test_a_cut_text_ends_with_a_whole_character(text: str, most: int, kept: str) -> None:
    assert shortened(text, most) == kept


def test_a_header_is_one_line_within_its_bytes() -> None:
    """A server hands over bytes as letters, any number of them."""
    assert header_text("\xff" * 100_000, 500) == "ÿ" * 250
    assert header_text("Browser\x1b[31m\x9b1\tx", 500) == f"Browser{LOST}[31m{LOST}1 x"
    assert header_text("", 500) is header_text(None, 500) is None


def said_by_vendor(document: object) -> object:
    answer = requests.Response()
    answer.raw = io.BytesIO(json.dumps(document).encode())
    return answers.json_body(answer)


def test_what_the_vendor_says_is_mended() -> None:
    """Controls in any of its texts, names included, end nothing here; half a character is no answer."""
    said = {"lists": [{"name": "Spring\x1b\u202e", "na\x00me": ["\x00", 5, None, True]}]}
    assert said_by_vendor(said) == {
        "lists": [{"name": f"Spring{LOST}", f"na{LOST}me": [LOST, 5, None, True]}]
    }
    assert said_by_vendor({"a\x00": 1, "a\x01": 2}) == {f"a{LOST}": 1, f"a{LOST}{LOST}": 2}
    assert said_by_vendor({"name": "Spr\ud800ing"}) is None
