"""Find out whether the account has new contacts confirm by e-mail, which holders of an API key are told.

Neither the answer of POST /contacts/sign_up_form nor a setting in the API shows that: only the contact itself
does, by its `permission_to_send`.
https://developer.constantcontact.com/api_guide/contacts_create_or_update.html
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from services.constant_contact.client import ConstantContact, SignedUp
from services.constant_contact.contacts import LONGEST_SIGN_UP_ADDRESS
from services.constant_contact.errors import ConstantContactError
from services.delivery.payload import TimedChange

# The action for a new contact that is asked by e-mail to confirm, and subscribed once the person does.
PENDING = "pending_confirmation"
# How long the answer is cached: a minute at first, and twice as long each time that it is the same.
SHORTEST_MS, LONGEST_MS = 60_000, 3_600_000


class ConfirmedOptIn:
    """Whether the account confirms: looked up at a new contact once a minute, in the end once an hour."""

    def __init__(self, vendor: ConstantContact, clock: Callable[[], int]) -> None:
        """`clock` tells epoch milliseconds."""
        self._vendor = vendor
        self._clock = clock
        self._confirms: bool | None = None
        self._looked_at = 0
        self._holds_ms = SHORTEST_MS

    def apply(
        self, signed_up: SignedUp, changes: Sequence[TimedChange], reserve: Callable[[], None]
    ) -> SignedUp:
        """Return the same, as `PENDING` where the account has the new contact confirm by e-mail.

        `reserve` is called before the look.
        """
        address = changes[0].change.address
        # A longer address is created as explicit, whatever the account's setting is.
        if signed_up.action != "created" or len(address) > LONGEST_SIGN_UP_ADDRESS:
            return signed_up
        if not self._is_known() and any(timed.change.tells_pending for timed in changes):
            self._look_up(address, reserve)
        return replace(signed_up, action=PENDING) if self._is_known() and self._confirms else signed_up

    def _is_known(self) -> bool:
        return self._confirms is not None and 0 <= self._clock() - self._looked_at < self._holds_ms

    def _look_up(self, address: str, reserve: Callable[[], None]) -> None:
        try:
            reserve()
            found = self._vendor.find_contact(address)
        except ConstantContactError:
            return  # the contact is signed up by now, whatever keeps it from being looked at
        if found is not None:
            same = found.is_pending == self._confirms
            self._holds_ms = min(2 * self._holds_ms, LONGEST_MS) if same else SHORTEST_MS
            self._confirms, self._looked_at = found.is_pending, self._clock()
