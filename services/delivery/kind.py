"""What every kind of delivery has to define: how it merges, is sent, restored and described.

`kinds.KINDS` lists the kinds; the column `deliveries.kind` chooses one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from services.account.fields_and_tags import FieldsAndTags
from services.account.lists import ListCache
from services.account.opt_outs import OptOutTable
from services.constant_contact.client import ConstantContact
from services.delivery.pacing import Calls
from store.outbox.claimed import Claimed
from store.signups.accept import NewSignup

# What becomes of somebody who had left and signs up. `confirm`: the vendor asks by mail. `accept`: it is the
# person's own wish. `hold`: an admin decides.
Returning = Literal["confirm", "accept", "hold"]


@dataclass(frozen=True, kw_only=True)
class Collaborators:
    """What kinds are made of.

    `returning` counts where a sign-up's sender says nothing about it. `clock` tells epoch milliseconds.
    """

    vendor: ConstantContact
    lists: ListCache
    fields_and_tags: FieldsAndTags
    opt_outs: OptOutTable
    returning: Returning
    clock: Callable[[], int]


@dataclass(frozen=True)
class Sent:
    """What a call has done: `action` at which contact, None where there is none.

    `carried` are the ids of the younger deliveries that went along. `note` is what a person should know.
    """

    contact_id: str | None
    action: str
    carried: tuple[int, ...] = ()
    note: str | None = None


class Kind(Protocol):
    """A kind of delivery. Its `name` stands in the column `deliveries.kind`."""

    name: ClassVar[str]
    # The event in the log when a delivery of this kind has succeeded.
    delivered_event: ClassVar[str]

    def __init__(self, collaborators: Collaborators) -> None:
        """Called once in each process."""

    @staticmethod
    def describe(document: Mapping[str, Any]) -> str:
        """Return what a delivery with this payload does, for lists that people read."""

    @staticmethod
    def restore(signup: NewSignup) -> dict[str, Any] | None:
        """Return the payload of a sign-up's delivery that was lost; None where none asks for this kind."""

    def carries(self, claimed: Claimed) -> tuple[int, ...]:
        """Return the ids of the younger deliveries of the same contact and kind that one call can merge."""

    def send(self, claimed: Claimed, reserve: Calls) -> Sent:
        """Carry the delivery out, and the younger ones with it; safe to repeat from the start at any point.

        `reserve` is called before each call.

        Raises:
            ConstantContactError: a call failed, or there is none left.
        """
