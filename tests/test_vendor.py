"""How the vendor's client and the keeper of tokens are put together."""

from __future__ import annotations

import pytest

from oauth import Keeper
from oauth.errors import NotConnected
from services.constant_contact import ConnectionUnusable
from vendor import authorizing


class Disconnected(Keeper):
    """Has no token to give."""

    def __init__(self) -> None:
        self.asked = 0

    def current(self) -> str:
        self.asked += 1
        raise NotConnected


def test_who_has_no_token_books_no_call() -> None:
    """What the keeper says becomes what the delivery understands, at the moment when it asks."""
    keeper = Disconnected()
    authorize = authorizing(keeper)
    assert keeper.asked == 0
    with pytest.raises(ConnectionUnusable) as caught:
        authorize()
    assert (caught.value.detail, keeper.asked) == ("NotConnected", 1)
