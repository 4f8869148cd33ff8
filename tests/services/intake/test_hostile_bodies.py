"""Whatever is sent is read, or refused by name; never anything else, and never slowly."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.errors import FieldError, InvalidSubmission, MalformedSubmission
from services.intake.parsing import MOST_LEVELS, MOST_VALUES, read_form, read_json
from services.submission.fields import Submission

LIST = "11111111-1111-4111-8111-111111111111"
GOOD: dict[str, Any] = {"email": "ada@example.org", "list_id": LIST}
NAMES = st.sampled_from(
    [*Submission.model_fields, "list_id", "firstName", "listIds", "tags", "custom_fields"]
)
WHOLE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=60)
)
JSON_VALUES = st.recursive(
    WHOLE, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)
# Letters that look like others, join, turn direction, end lines, or are no character at all.
TRICKS = (
    "aA0.-_+@ \t\r\n\0\"'(),:;<>[]\\/%üßİı"
    "аеοＡ．。@＠ﬀ℀"
    "\u00ad\u0301\u200b\u200d\u202e\u2028\ufeff\ufffd\U0001f600\ud800"
)
TRICKY = st.text(alphabet=TRICKS, max_size=90)

quickly = settings(max_examples=150, derandomize=True, deadline=None)


def errors_of(read: Callable[[], object]) -> tuple[FieldError, ...]:
    """Empty when it was read; any other exception than a refusal fails the test."""
    try:
        read()
    except InvalidSubmission as error:
        return error.errors
    return ()


@quickly
@given(local=TRICKY, domain=TRICKY | st.just("example.org"))
@example(local="a" * 40, domain="ü" * 30 + ".org")
@example(local="a", domain="example.org.")
@example(local="a@b", domain="example.org")
def test_an_address_is_plain_ascii_or_refused(local: str, domain: str) -> None:
    """What is stored has no letter that looks like another, fits the vendor, and is read the same again."""
    document = GOOD | {"email": f"{local}@{domain}"}
    if errors := errors_of(lambda: read_json(json.dumps(document).encode())):
        assert [wrong.field for wrong in errors] == ["email"]
        return
    address = read_json(json.dumps(document).encode()).email
    assert address.isascii()
    assert address.isprintable()
    assert address == address.lower()
    assert address.count("@") == 1
    assert not set(address) & set(' "(),:;<>[]\\')
    assert len(address) <= 80
    assert read_form([("email", address), ("list_id", LIST)]).email == address


def test_an_address_that_grows_beyond_the_limit_is_refused() -> None:
    """80 characters count after its domain is written in ASCII, as it is stored."""
    long = "ü" * 20
    grows = GOOD | {"email": f"{'a' * 30}@{long}.{long}.org"}
    assert errors_of(lambda: read_json(json.dumps(grows).encode())) == (
        FieldError("email", "Use at most 80 characters."),
    )


@quickly
@given(fields=st.dictionaries(NAMES, JSON_VALUES, max_size=6))
def test_any_json_is_read_or_refused_by_field(fields: dict[str, Any]) -> None:
    """A sender always learns which field is wrong, in a sentence."""
    errors = errors_of(lambda: read_json(json.dumps(GOOD | fields).encode()))
    assert all(wrong.field and wrong.message[-1] in ".)" for wrong in errors)


@quickly
@given(pairs=st.lists(st.tuples(NAMES | st.text(max_size=5), TRICKY), max_size=8))
def test_any_form_is_read_or_refused_by_field(pairs: list[tuple[str, str]]) -> None:
    """The same for the pairs of a form."""
    errors = errors_of(lambda: read_form([*GOOD.items(), *pairs]))
    assert all(wrong.field and wrong.message[-1] in ".)" for wrong in errors)


@quickly
@given(raw=st.binary(max_size=80))
@example(raw=json.dumps(GOOD).encode("utf-16"))
@example(raw=b'{"email":"\xff","list_id":"x"}')
@example(raw=b'{"email":"a\x00b"}')
@example(raw=b"9" * 5_000)
def test_any_bytes_are_malformed_or_invalid(raw: bytes) -> None:
    """Also what looks like JSON in another encoding."""
    with pytest.raises((MalformedSubmission, InvalidSubmission)):
        read_json(raw)


@pytest.mark.parametrize("name", ["email", "first_name", "anything"])
def test_a_name_that_stands_twice_is_refused(name: str) -> None:
    """Two readers may take different ones; with the same value it is refused as well, at any depth."""
    twice = f'{{"{name}":"ada@example.org","{name}":"ada@example.org"}}'
    for raw in (twice, f'{{"email":"ada@example.org","list_id":"{LIST}","x":[{twice}]}}'):
        with pytest.raises(MalformedSubmission, match="twice"):
            read_json(raw.encode())


def test_too_many_values_are_refused() -> None:
    """As names, in an array, in a form; the most that is allowed is read."""
    room = MOST_VALUES - len(GOOD)
    full = {f"f{number}": "" for number in range(room)}
    assert read_json(json.dumps(GOOD | full).encode()).email == "ada@example.org"
    assert read_form((GOOD | full).items()).email == "ada@example.org"
    for more in ({"one": "more"}, {"array": [0] * MOST_VALUES}):
        with pytest.raises(MalformedSubmission, match="more than 500"):
            read_json(json.dumps(GOOD | (full if "one" in more else {}) | more).encode())
    with pytest.raises(MalformedSubmission, match="more than 500"):
        read_form((GOOD | full | {"one": "more"}).items())


def test_deep_json_is_refused() -> None:
    """In a field of ours and in any other; what a sender's system may nest is passed over."""

    def nested(levels: int) -> bytes:
        return b'{"email":"ada@example.org","list_id":"%s","x":%s%s}' % (
            LIST.encode(),
            b"[" * levels,
            b"]" * levels,
        )

    assert read_json(nested(MOST_LEVELS - 1)).email == "ada@example.org"
    for levels in (MOST_LEVELS, 900, 30_000):
        with pytest.raises(MalformedSubmission):
            read_json(nested(levels))


def test_bytes_that_were_no_utf8_are_refused() -> None:
    """A form's decoder has put U+FFFD in their place; the name they meant is lost."""
    errors = errors_of(lambda: read_form([*GOOD.items(), ("first_name", "J\ufffdrg")]))
    assert errors == (FieldError("first_name", "This is not valid text."),)
