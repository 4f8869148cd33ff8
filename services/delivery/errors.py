"""Why a delivery is put aside although the vendor did not refuse it. Each sentence says what a person can do.

ConstantContactError
├── NotInAccount   PARK   the account has no place for something that the sign-up says
├── ListGone       PARK   none of its lists exists any more
├── LeftSince      PARK   the person left after it
├── AsksToReturn   PARK   the person had left before it, and RETURNING=hold leaves it to an admin
└── AskedBefore    PARK   the person had left before it, and was asked by mail since
"""

from typing import ClassVar

from services.constant_contact.errors import ConstantContactError, Remedy


class NotInAccount(ConstantContactError):
    """The sign-up says something for which the account has no place; the rest of it was not sent either."""

    remedy: ClassVar[Remedy] = Remedy.PARK
    plain: ClassVar[str] = "The account has no place for something that this sign-up says."

    def __init__(self, sentence: str, shared: str | None = None) -> None:
        """`sentence` names what is missing and what to do, and nothing personal.

        `shared` is the trait that other sign-ups may have too, None where the fault is this one's alone.
        """
        super().__init__(words=sentence)
        self.shared = shared


class ListGone(ConstantContactError):
    """The account has none of the lists that the sign-up is for."""

    remedy: ClassVar[Remedy] = Remedy.PARK
    plain: ClassVar[str] = "The list no longer exists at Constant Contact."

    def __init__(self, sentence: str, shared: str) -> None:
        """`sentence` names all of the lists; `shared` is the trait of the first."""
        super().__init__(words=sentence)
        self.shared = shared


class LeftSince(ConstantContactError):
    """The person unsubscribed, or was deleted, after the sign-up; sending it would bring them back."""

    remedy: ClassVar[Remedy] = Remedy.PARK
    plain: ClassVar[str] = (
        "The person left since: they unsubscribed, or were deleted in Constant Contact, after this sign-up, "
        "so it was not sent. They come back with a new sign-up of their own."
    )


class AsksToReturn(ConstantContactError):
    """RETURNING=hold: an admin decides on a person who had left and signs up."""

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
