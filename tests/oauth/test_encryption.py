"""Tokens at rest."""

import pytest

from oauth.encryption import TokenCipher
from oauth.errors import Undecryptable

OLD = "the old key of a year"
NEW = "the new key of today"


def test_what_was_sealed_opens_again() -> None:
    """Sealing loses nothing and shows nothing."""
    sealed = TokenCipher([NEW]).seal("tökén")
    assert "tökén" not in sealed
    assert TokenCipher([NEW]).unseal(sealed) == "tökén"


def test_an_old_key_still_opens_and_the_newest_seals() -> None:
    """Keys rotate by putting the new one first."""
    both = TokenCipher([NEW, OLD])
    assert both.unseal(TokenCipher([OLD]).seal("token")) == "token"
    assert TokenCipher([NEW]).unseal(both.seal("token")) == "token"


@pytest.mark.parametrize(
    "text",
    ["", "garbage", "tökén", TokenCipher([OLD]).seal("token")],
    ids=["nothing", "no ciphertext", "not ASCII", "of another key"],
)
def test_what_no_key_opens_is_undecryptable(text: str) -> None:
    """A wrong key and damage are one typed failure."""
    with pytest.raises(Undecryptable):
        TokenCipher([NEW]).unseal(text)


@pytest.mark.parametrize("keys", [[], [""], [NEW, "short"]])
def test_there_is_no_sealing_without_proper_keys(keys: list[str]) -> None:
    """No plain-text mode and no guessable key."""
    with pytest.raises(ValueError, match="ENCRYPTION_KEYS"):
        TokenCipher(keys)


def test_the_repr_shows_no_key() -> None:
    """A cipher may appear in a traceback."""
    assert repr(TokenCipher([NEW])) == "TokenCipher(…)"
