"""Addresses as people paste them."""

import json
import sys
import unicodedata

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from sandbox.contacts.body import BodyCheck
from sandbox.errors import Invalid
from services.errors import InvalidSubmission
from services.intake.parsing import read_form, read_json
from services.submission.values.pasted_addresses import as_meant

# Line and paragraph separators are line breaks behind the gate for text.
TYPED = " \t\n\r\u2028\u2029"
LIST = "11111111-1111-4111-8111-111111111111"
NO_ADDRESS = "Enter an e-mail address like name@example.org."
# Each format character and each blank of Unicode, and what else shows as nothing.
UNSEEN = [
    *(
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in {"Cf", "Zs", "Zl", "Zp"}
    ),
    *"\t\n\r\u034f\u115f\u3164\ufe0f\uffa0\u2800",
]


def email_of(said: str) -> str:
    return read_json(json.dumps({"email": said, "list_id": LIST}).encode()).email


def refusal_of(said: str) -> str:
    with pytest.raises(InvalidSubmission) as caught:
        email_of(said)
    (error,) = caught.value.errors
    assert error.field == "email"
    return error.message


def test_what_nobody_sees_goes_wherever_it_stands() -> None:
    """Around the address, beside its signs, and within its words."""
    for sign in UNSEEN:
        assert email_of(f"{sign}ann@example.org{sign}") == "ann@example.org", ascii(sign)
        assert email_of(f"ann{sign}@{sign}example{sign}.{sign}org") == "ann@example.org", ascii(sign)
        if sign not in TYPED:
            assert email_of(f"a{sign}nn@exam{sign}ple.org") == "ann@example.org", ascii(sign)
    assert email_of("\u200b" * 100 + "ann@example.org") == "ann@example.org"
    assert read_form([("email", "ann@exam\u00adple.org\ufeff"), ("list_id", LIST)]).email == "ann@example.org"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("ａｎｎ＠ｅｘａｍｐｌｅ．ｏｒｇ", "ann@example.org"),
        ("ann＠example。org", "ann@example.org"),
        ("ann﹫example.org", "ann@example.org"),
        ("ann.\u00a0lee@example.org", "ann.lee@example.org"),
        ("mailto:Ann@Example.org", "ann@example.org"),
        ("<ann@example.org>", "ann@example.org"),
        ("＜mailto:ann@example.org＞;", "ann@example.org"),
        ("ann@example.org.", "ann@example.org"),
        ("ann@example.org ,", "ann@example.org"),
        ("ann@STRAßE.example", "ann@xn--strae-oqa.example"),
    ],
)
def test_full_width_letters_and_what_is_copied_along_are_understood(said: str, meant: str) -> None:
    assert email_of(said) == meant


@pytest.mark.parametrize(
    "said",
    [
        "Ann ann@example.org",
        "Ann\u00a0Lee\u00a0ann@example.org",
        "ann@example.org\u00a0Thanks",
        "ann\nlee@example.org",
        "<ann@example.org",
        "ann@example.org Thanks",
        "Ann Lee <ann@example.org>",
        "ann@example.org, bob@example.org",
        "ann,lee@example.org",
        "ann²@example.org",
        "ann…lee@example.org",
        "änn@example.org",
        "ann@example..org",
        "ann@-example.org",
        f"ann@{'x' * 64}.org",
        f"ann@{'ü' * 58}.org",
        "\u200b",
        "\u200b" * 600,
    ],
)
def test_a_mistake_is_asked_about_and_never_made_another_address(said: str) -> None:
    assert refusal_of(said) in {NO_ADDRESS, "Use at most 80 characters."}


def test_what_is_too_long_before_the_at_sign_is_refused_at_once() -> None:
    """64 characters are allowed there, also where the domain is short."""
    assert email_of(f"{'a' * 64}@example.org").startswith("aaaa")
    assert refusal_of(f"{'a' * 65}@example.org") == "Use at most 64 characters before the @."
    assert refusal_of(f"{'a!' * 33}@example.org") == "Use at most 64 characters before the @."
    assert refusal_of(f"{'a' * 69}@example.org") == "Use at most 80 characters."


LETTERS = st.sampled_from(
    [*"ab.A-_+' @", "@", "ü", "＠", "Ａ", "。", "<", ">", "mailto:", ",", ";", *"\u200b\u200c\u00ad\n"]
)
PARTS = st.text(alphabet="aB9.-_+'!ü\u200cه", min_size=1, max_size=12)


@given(st.lists(LETTERS, max_size=30).map("".join) | st.text(max_size=40))
def test_cleaning_twice_changes_nothing_more(said: str) -> None:
    once = as_meant(said)
    assert as_meant(once) == once


@given(st.builds("{}@{}.org".format, PARTS, PARTS))
def test_an_address_that_was_good_stays_the_same(said: str) -> None:
    """But for capitals and for the form of its domain."""
    try:
        valid = validate_email(said, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        return
    assert email_of(said) == (valid.ascii_email or "").lower()
    assert as_meant(said).casefold() == said.casefold()


@given(
    st.builds(
        "{}@{}.org".format,
        st.text(alphabet="aB9.-+'!ü", max_size=70),
        st.text(alphabet="aB9.-ü", max_size=70),
    )
)
def test_what_we_take_the_vendor_takes_by_its_shape(said: str) -> None:
    try:
        kept = email_of(said)
    except InvalidSubmission:
        return
    check = BodyCheck({}, (), {})
    check.email({"email_address": kept}, "email_address", 80)
    try:
        check.done()
    except Invalid as refused:
        pytest.fail(f"{kept}: {refused}")


def test_no_text_takes_long() -> None:
    """A search for words in any text of the body's length would."""
    assert as_meant("aa " * 5_000) == "aa " * 5_000
