"""What becomes of a wish of somebody who left: an opt-out wins over every older wish.

Each wish is judged by the time it came in, also where one call could carry several. Whoever asks to come
back may be a stranger who typed an address: the vendor asks the person, unless sender or setting decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, ClassVar, Literal

from services.constant_contact.contacts import Contact
from services.constant_contact.errors import ConstantContactError, Remedy
from store.outbox.deliveries import Carried, Claimed

# `confirm`: the vendor asks by mail. `accept`: it is the person's own word. `hold`: an admin decides.
Returning = Literal["confirm", "accept", "hold"]
# In a stored wish whose sender knows that it is the person's own; never sent to the vendor.
RETURNING = "returning"
# What a delivery did instead of a sign-up: the person has a mail of the vendor's and is not subscribed yet.
ASKED = "confirmation_sent"


class LeftSince(ConstantContactError):
    """The person unsubscribed, or was deleted, after the sign-up; sending it would bring them back."""

    remedy: ClassVar[Remedy] = Remedy.PARK
    plain: ClassVar[str] = (
        "The person left since: they unsubscribed, or were deleted in Constant Contact, after this sign-up, "
        "so it was not sent. They come back with a new sign-up of their own."
    )


class AsksToReturn(ConstantContactError):
    """RETURNING=hold: a person decides on who had left and signs up."""

    remedy: ClassVar[Remedy] = Remedy.PARK
    plain: ClassVar[str] = (
        "The person left earlier and asks to come back, so nothing was sent (RETURNING=hold). If you know "
        "that it is their own wish, subscribe them in Constant Contact."
    )


class AskedBefore(ConstantContactError):
    """The vendor asks once; whoever typed the address again changes nothing."""

    remedy: ClassVar[Remedy] = Remedy.PARK
    plain: ClassVar[str] = (
        "The person left earlier and asks to come back. Constant Contact mails its question whether they "
        "really want to only once, and did so before, so nothing more was sent. They are subscribed as soon "
        "as they say yes; if you know that they want it, subscribe them in Constant Contact."
    )


@dataclass(frozen=True)
class ReturnDecision:
    """What may be sent: the claimed wish with `younger` ones; or, where it `asks`, the vendor's question."""

    younger: tuple[Carried, ...]
    asks: bool = False


def ruling(claimed: Claimed, held: Contact, *, setting: Returning, asked_at: int | None) -> ReturnDecision:
    """Judge a claimed wish by what the vendor holds of its contact.

    Args:
        claimed: the wish, with younger ones that its call may carry.
        held: the contact as it was just found.
        setting: what becomes of somebody who comes back, where the sender does not say.
        asked_at: when (epoch ms) the vendor was last made to ask this contact.

    Raises:
        LeftSince: the person left after it.
        AsksToReturn: the person left before it, and an admin decides.
        AskedBefore: the person left before it, and was asked since.
    """
    if held.left_after(claimed.received_at):
        raise LeftSince
    younger = takewhile(lambda other: not held.left_after(other.received_at), claimed.younger)
    if not held.opted_out:
        return ReturnDecision(tuple(younger))
    way = _way(claimed.payload, setting)
    if way == "hold":
        raise AsksToReturn
    if way == "confirm" and asked_at is not None and asked_at >= (held.left_at or 0):
        raise AskedBefore
    alike = takewhile(lambda other: _way(other.payload, setting) == way, younger)
    return ReturnDecision(tuple(alike), asks=way == "confirm")


def _way(wish: Mapping[str, Any], setting: Returning) -> Returning:
    return "accept" if wish.get(RETURNING) == "accept" else setting
