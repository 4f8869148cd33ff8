"""The token endpoint's answer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.tokens import TokenPair, UnusableAnswer, parse_token_answer
from tests.oauth.vendor import START, jwt

GOOD = {"access_token": "a-secret", "token_type": "Bearer", "refresh_token": "r-secret", "expires_in": 28800}


def parse(**changes: object) -> TokenPair:
    body = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return parse_token_answer(json.dumps(body).encode(), now=START)


def test_a_complete_answer_is_read() -> None:
    """Tokens, scope and times arrive as the vendor sent them."""
    pair = parse(scope="contact_data")
    assert (pair.access, pair.refresh, pair.scope) == ("a-secret", "r-secret", "contact_data")
    assert (pair.issued_at, pair.expires_at) == (START, START + 28_800_000)


@pytest.mark.parametrize("kind", ["bearer", "BEARER"])
def test_the_token_type_is_compared_without_case(kind: str) -> None:
    """RFC 6749 section 5.1: the value is case insensitive."""
    assert parse(token_type=kind).access == "a-secret"


@pytest.mark.parametrize("absent", [None, ""])
def test_an_answer_without_refresh_token_is_complete(absent: str | None) -> None:
    """The vendor need not send a new one; blank means none."""
    assert parse(refresh_token=absent).refresh is None


@pytest.mark.parametrize(
    "changes",
    [
        {"access_token": None},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "two words"},
        {"access_token": "line\r\nX-Evil: 1"},
        {"token_type": None},
        {"token_type": "DPoP"},
        {"refresh_token": ["r-secret"]},
    ],
)
def test_half_an_answer_is_unusable(changes: dict[str, object]) -> None:
    """Nothing incomplete or unfit for a header gets through, and the message quotes nothing."""
    with pytest.raises(UnusableAnswer) as caught:
        parse(**changes)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"\xff", b"[" * 50_000])
def test_what_is_not_a_json_object_is_unusable(body: bytes) -> None:
    """Outage pages come with 200 too."""
    with pytest.raises(UnusableAnswer):
        parse_token_answer(body, now=START)


@pytest.mark.parametrize(
    ("value", "seconds"), [(28800, 28800), ("86400", 86400), (10, 10), (3600.0, 3600), (86400, 86400)]
)
def test_a_believable_expires_in_is_obeyed(value: object, seconds: int) -> None:
    """Numbers and numeric text between 10 s and 24 h."""
    assert parse(expires_in=value).expires_at == START + seconds * 1000


@pytest.mark.parametrize(
    "value", [None, 0, -5, 9, 86401, START // 1000, True, "", "soon", "9" * 5000, [], 1e300]
)
def test_an_unbelievable_expires_in_means_a_day(value: object) -> None:
    """Never a refresh loop and never an endless token."""
    assert parse(expires_in=value).expires_at == START + 86_400_000


def test_the_tokens_own_claims_decide_when_expires_in_does_not() -> None:
    """The lifetime is a duration, so our clock does not matter."""
    assert parse(expires_in=0, access_token=jwt(iat=1000, exp=8200)).expires_at == START + 7_200_000
    now = START // 1000
    assert parse(expires_in=None, access_token=jwt(exp=now + 600)).expires_at == START + 600_000


@pytest.mark.parametrize(
    "claims", [{}, {"exp": 5}, {"exp": "x", "iat": 1}, {"exp": None}, {"iat": 1, "exp": 9e9}]
)
def test_odd_claims_mean_a_day(claims: dict[str, object]) -> None:
    """Claims are a hint, never a reason to fail."""
    assert parse(expires_in=0, access_token=jwt(**claims)).expires_at == START + 86_400_000


_ODD: st.SearchStrategy[object] = (
    st.none() | st.integers() | st.floats() | st.text("a1. \n", max_size=6) | st.just([])
)


@given(st.dictionaries(st.sampled_from([*GOOD, "scope"]), _ODD))
def test_any_body_gives_a_sound_pair_or_is_unusable(changes: dict[str, object]) -> None:
    """No input raises anything else, and a lifetime always lies between 10 s and a day."""
    try:
        pair = parse_token_answer(json.dumps(GOOD | changes).encode(), now=START)
    except UnusableAnswer:
        return
    assert 10_000 <= pair.expires_at - pair.issued_at <= 86_400_000


def test_the_repr_of_a_pair_shows_no_token() -> None:
    """Pairs may appear in tracebacks."""
    assert "secret" not in repr(parse())
