"""Whether the account confirms sign-ups by e-mail, so that who asked by an API key is told the truth.

The answer of POST /contacts/sign_up_form does not tell, nor does any setting that the API shows: only the
contact itself does, by its `permission_to_send`.
https://developer.constantcontact.com/api_guide/contacts_create_or_update.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from services.constant_contact.client import ConstantContact, SignedUp
from services.constant_contact.contacts import LONGEST_SIGN_UP_ADDRESS
from services.constant_contact.errors import ConstantContactError
from store.outbox.deliveries import Claimed

# In a wish whose sender is told how it ended; never sent to the vendor.
TELLS = "tells_pending"
# What became of a new contact that is asked by e-mail to confirm: it is subscribed with the person's yes.
PENDING = "pending_confirmation"
# How long a look holds: a minute at first, and twice as long each time that it showed the same.
SHORTEST_MS, LONGEST_MS = 60_000, 3_600_000


class Confirming:
    """Looks at a new contact once a minute, in the end once an hour; the others are taken to be like it."""

    def __init__(self, vendor: ConstantContact, clock: Callable[[], int]) -> None:
        """`clock` tells epoch milliseconds."""
        self._vendor = vendor
        self._clock = clock
        self._confirms: bool | None = None
        self._looked_at = 0
        self._holds_ms = SHORTEST_MS

    def told(self, signed_up: SignedUp, claimed: Claimed, book: Callable[[], None]) -> SignedUp:
        """The same, as `PENDING` where a new contact is known to be one; `book` books the look."""
        address = claimed.payload["email_address"]
        # A longer address is created as explicit, whatever the account's setting is.
        if signed_up.action != "created" or len(address) > LONGEST_SIGN_UP_ADDRESS:
            return signed_up
        if not self._knows() and _is_told(claimed):
            self._look(address, book)
        return replace(signed_up, action=PENDING) if self._knows() and self._confirms else signed_up

    def _knows(self) -> bool:
        return self._confirms is not None and 0 <= self._clock() - self._looked_at < self._holds_ms

    def _look(self, address: str, book: Callable[[], None]) -> None:
        try:
            book()
            found = self._vendor.find_contact(address)
        except ConstantContactError:
            return  # the contact is signed up by now, whatever keeps it from being looked at
        if found is not None:
            same = found.is_pending == self._confirms
            self._holds_ms = min(2 * self._holds_ms, LONGEST_MS) if same else SHORTEST_MS
            self._confirms, self._looked_at = found.is_pending, self._clock()


def _is_told(claimed: Claimed) -> bool:
    return any(wish.get(TELLS) for wish in (claimed.payload, *(other.payload for other in claimed.younger)))
