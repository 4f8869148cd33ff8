"""What becomes of a sign-up of somebody who left: an opt-out wins over every older sign-up.

Each sign-up is judged by the time it was received, also where one call could carry several. Whoever asks to
come back may be a stranger who typed an address: the vendor asks the person, unless sender or setting decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from services.constant_contact.contacts import Contact
from services.delivery.errors import AskedBefore, AsksToReturn, LeftSince
from services.delivery.kind import Returning
from services.delivery.payload import ContactChange, TimedChange

# What a delivery did instead of a sign-up: the person has a mail of the vendor's and is not subscribed yet.
ASKED = "confirmation_sent"


@dataclass(frozen=True)
class ReturnDecision:
    """Which changes may be sent; or, where it `asks`, for which the vendor asks the person by mail."""

    allowed: tuple[TimedChange, ...]
    asks: bool = False


def decide_return(
    changes: Sequence[TimedChange], existing: Contact, *, setting: Returning, asked_at: int | None
) -> ReturnDecision:
    """Judge the changes of a claim by whether their contact left.

    Args:
        changes: that of the claimed delivery, then those of younger ones that its call may carry.
        existing: the contact as it was just found.
        setting: what becomes of somebody who comes back, where the sender does not say.
        asked_at: when (epoch ms) the vendor was last made to ask this contact.

    Raises:
        LeftSince: the person left after it.
        AsksToReturn: the person left before it, and an admin decides.
        AskedBefore: the person left before it, and was asked since.
    """
    first, *younger = changes
    if existing.left_after(first.received_at):
        raise LeftSince
    allowed = takewhile(lambda other: not existing.left_after(other.received_at), younger)
    if not existing.opted_out:
        return ReturnDecision((first, *allowed))
    way = _way(first.change, setting)
    if way == "hold":
        raise AsksToReturn
    if way == "confirm" and asked_at is not None and asked_at >= (existing.left_at or 0):
        raise AskedBefore
    alike = takewhile(lambda other: _way(other.change, setting) == way, allowed)
    return ReturnDecision((first, *alike), asks=way == "confirm")


def _way(change: ContactChange, setting: Returning) -> Returning:
    return "accept" if change.returning == "accept" else setting
