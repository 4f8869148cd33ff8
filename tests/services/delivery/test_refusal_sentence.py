"""The vendor's own sentence as admins see it: it says what was wrong, and nothing of the person."""

import time
from typing import Any

import pytest

from services.constant_contact.errors import (
    ConnectionUnusable,
    ConstantContactError,
    Forbidden,
    NoCallLeft,
    Rejected,
    ServerFault,
    TooManyFields,
    Unreachable,
)
from services.delivery.refusal_sentence import LONGEST, vendor_sentence
from store.outbox.claimed import Carried, Claimed

LIST = "11111111-1111-4111-8111-111111111111"
PAYLOAD = {
    "email_address": "Ann.O'Brien@Mail.example.org",
    "first_name": "Mary Ann",
    "last_name": "O'Brien",
    "company_name": "Brien & Sons",
    "phone_number": "(555) 555-1212",
    "birthday_month": 10,
    "street_address": {"kind": "home", "street": "12 Elm Street", "city": "Springfield"},
    "sms_channel": {"sms_address": "5555551212", "country_code": "US"},
    "custom_fields": {"kind": "Labrador", "Letter": "Dear all, my dog is called Rex and he is very old"},
    "list_memberships": [LIST],
    "tags": {"spring": False},
}


def claimed(payload: dict[str, Any], *younger: dict[str, Any]) -> Claimed:
    return Claimed(
        delivery_id=1,
        source="signup",
        source_id="s1",
        kind="sign_up",
        contact_key="ann@example.org",
        payload=payload,
        received_at=1,
        attempts=1,
        fence=1,
        attempt_id=1,
        starts_at=1,
        probe=False,
        alone=False,
        younger=tuple(Carried(number, wish, 1) for number, wish in enumerate(younger, 2)),
    )


def shown(detail: str | None, payload: dict[str, Any] | None = None) -> str | None:
    return vendor_sentence(Rejected(detail=detail), claimed(PAYLOAD if payload is None else payload))


@pytest.mark.parametrize(
    "sentence",
    [
        "#/email_address: required key is missing.",
        f"The list {LIST} does not exist (spring), see custom_fields[0].custom_field_id.",
        "Custom field 'Shoe size' must be one of: 36, 37, 38. At most 50 allowed.",
        "createContactRequest.streetAddresses: contacts.api.validation.error",
        "Retry after 2026-11: 4 per second, 10,000 per day.",
        "The token has expired. Your access code is wrong.",
    ],
)
def test_what_tells_the_cause_stays(sentence: str) -> None:
    """Ids, names of fields, lists and tags, small numbers."""
    assert shown(sentence) == sentence


@pytest.mark.parametrize(
    ("sentence", "left"),
    [
        ("Email Ann.O'Brien@mail.example.org is invalid", "Email [hidden] is invalid"),
        ("Email 'roberta@other.example' is taken", "Email '[hidden]' is taken"),
        ("Email bob%40other.example is taken", "Email [hidden] is taken"),
        ("用户 ｂob＠other.example 无效", "用户 [hidden] 无效"),
        ("Local part ann.o'brien is blocked", "Local part [hidden] is blocked"),
        ("first_name 'MARY ANN' is too long", "first_name '[hidden]' is too long"),
        ("Name Mary is not allowed", "Name [hidden] is not allowed"),
        ("O&#39;Brien is not allowed", "[hidden] is not allowed"),
        ("Brien &amp; Sons is not allowed", "[hidden] is not allowed"),
        ("Phone (555) 555-1212 is invalid", "Phone [hidden] is invalid"),
        ("Phone +1 555.555.1212 is invalid", "Phone [hidden] is invalid"),
        ("Number 5555551212", "Number [hidden]"),
        ("12 elm street, SPRINGFIELD: unknown", "[hidden], [hidden]: unknown"),
        ("Value 'Labrador' is no option", "Value '[hidden]' is no option"),
        ("Value 'Dear all, my dog is ca...' is too long", "Value '[hidden]...' is too long"),
    ],
)
def test_what_the_person_said_is_hidden(sentence: str, left: str) -> None:
    """Whole, or as much as the vendor quotes of it; addresses and numbers of anybody's."""
    assert shown(sentence) == left


def test_what_others_said_whom_the_call_carried_is_hidden_too() -> None:
    """The refusal may be of the younger one."""
    error = Rejected(detail="Nobody is called Zoe or 王芳.")
    call = claimed({"email_address": "a@b.org"}, {"first_name": "Zoe"}, {"last_name": "王"})
    assert vendor_sentence(error, call) == "Nobody is called [hidden] or [hidden]芳."


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "mF9aB5f4-1JqMzK8qLw0xY7uT2rE6pQ3sD1gH5jN9vC",
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ",
    ],
)
@pytest.mark.parametrize(
    "sentence",
    [
        "{} is no token",
        "Bearer {} expired",
        "refresh_token={}",
        "https://x.example/?code={}",
        '"token": "{}"',
    ],
)
def test_a_token_is_never_kept(sentence: str, secret: str) -> None:
    """In whatever place."""
    text = shown(sentence.format(secret))
    assert text is not None
    assert not any(secret[start : start + 8] in text for start in range(len(secret) - 8))


@pytest.mark.parametrize(
    "sentence", ["access_token=hunter2", "client secret: hunter2", "Bearer hunter22 ended"]
)
def test_a_short_secret_with_its_name_is_hidden(sentence: str) -> None:
    """A label tells what it is."""
    assert "hunter2" not in str(shown(sentence))


def test_it_is_one_line_of_plain_text() -> None:
    """Line breaks, control characters and what turns the direction are gone."""
    assert shown("First\n\tsecond\u202e \x1b[2J") == "First second �[2J"


def test_a_long_one_is_shortened_and_an_address_at_the_end_of_what_is_read_not_halved() -> None:
    """An answer may have two megabytes."""
    text = shown("word " * 400_000)
    assert text is not None
    assert (len(text), text[-1]) == (LONGEST, "…")
    assert "roberta@other" not in str(shown("roberta@other.example " * 10_000))
    for many in range(2_990, 3_010):
        assert "roberta@other" not in str(shown(" " * many + "roberta@other.example"))


@pytest.mark.parametrize(
    "evil", ["@" * 3_000, "a" * 3_000, "1-" * 1_500, "(" * 3_000, "a@" * 1_500, "token " * 500]
)
def test_no_answer_holds_it_up(evil: str) -> None:
    """The patterns do not go back and forth; a second is a hundred times what it takes."""
    began = time.monotonic()
    shown(evil)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("error", [Unreachable, NoCallLeft, ConnectionUnusable])
def test_what_we_say_ourselves_is_not_put_into_the_vendors_mouth(error: type[ConstantContactError]) -> None:
    """Such as the class of a network error."""
    assert vendor_sentence(error(detail="ConnectTimeout: x"), claimed(PAYLOAD)) is None


@pytest.mark.parametrize("error", [Rejected(), Rejected(detail=" "), TooManyFields()])
def test_no_sentence_is_none(error: ConstantContactError) -> None:
    """Nothing is shown then."""
    assert vendor_sentence(error, claimed(PAYLOAD)) is None


@pytest.mark.parametrize("error", [Forbidden, ServerFault])
def test_a_refusal_of_all_has_its_sentence_too(error: type[ConstantContactError]) -> None:
    """It may be the only thing that tells the causes of a 403 apart."""
    assert vendor_sentence(error(detail="Missing role."), claimed(PAYLOAD)) == "Missing role."
