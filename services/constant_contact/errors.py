"""What can go wrong at Constant Contact. Every failure carries its remedy.

ConstantContactError
├── Unreachable          PAUSE_ALL     not sent, or outcome unknown (safe to repeat: sign-ups are upserts)
├── ServerFault          PAUSE_ALL     5xx
├── Throttled            PAUSE_ALL     429, clears within the second
├── QuotaExceeded        PAUSE_ALL     429, clears at 00:00 UTC
├── NoCallLeft           PAUSE_ALL     our own quota has no call to give now; nothing was sent
├── ConnectionUnusable   PAUSE_ALL     no valid access token can be had now
├── Unauthorized         NEEDS_PERSON  401 with a fresh token
├── Forbidden            NEEDS_PERSON  403: scope, role or deactivated application
├── Misconfigured        PARK          404, 405, 406, 415: something in the sign-up, or our mistake
├── Conflict             RETRY         409: two simultaneous edits of one contact
├── NotAsked             PARK          who opted out is not asked (again) whether to come back
├── TooManyFields        PARK          more custom fields than one operation takes; nothing was sent
└── Rejected             PARK          400 and any other 4xx: this sign-up as it stands
"""

import re
from enum import Enum
from typing import ClassVar

# Keys are shown to visitors; anything that is not plainly a key is not.
KEY = re.compile(r"[a-z_]+(\.[a-z_]+){0,5}")
LONGEST_KEY = 100


class Remedy(Enum):
    """What to do about a failed call."""

    RETRY = "retry this sign-up later"
    PAUSE_ALL = "pause every sign-up and probe"
    PARK = "put this sign-up aside for a person"
    NEEDS_PERSON = "pause every sign-up until a person acts"


class ConstantContactError(Exception):
    """Root. `plain` is a sentence for anybody; `key` is the vendor's error_key.

    `detail` is never shown as it stands; where it `quotes_vendor`, `delivery.refusal_sentence` makes of it
    what admins are shown.
    `words` are a sentence of ours that says more than `plain`; they hold no secret and no text of the vendor.
    `shared` is the trait that is certain to be at fault, also in other deliveries that have it.
    """

    remedy: ClassVar[Remedy]
    plain: ClassVar[str]
    quotes_vendor: ClassVar[bool] = True
    shared: str | None = None

    def __init__(
        self, *, key: str | None = None, detail: str | None = None, words: str | None = None
    ) -> None:
        """Keep what the vendor said; `key` and `detail` are not shown to visitors."""
        self.key = key
        self.detail = detail
        self.words = words
        super().__init__(self.plain)

    @property
    def reason(self) -> str:
        """Return the sentence, with the vendor's error key that its support and manual know."""
        sentence = self.words or self.plain
        named = self.key and len(self.key) <= LONGEST_KEY and KEY.fullmatch(self.key)
        return f"{sentence} ({self.key})" if named else sentence


class Unreachable(ConstantContactError):
    """No answer that can be trusted: refused, timed out, cut, or not in the vendor's own form.

    Its `words` name the cause, such as a certificate file that is missing.
    """

    remedy = Remedy.PAUSE_ALL
    plain = "Constant Contact cannot be reached."
    quotes_vendor = False


class ServerFault(ConstantContactError):
    """A 5xx answer."""

    remedy = Remedy.PAUSE_ALL
    plain = "Constant Contact has a fault of its own."


class Throttled(ConstantContactError):
    """More than the permitted calls in a second."""

    remedy = Remedy.PAUSE_ALL
    plain = "Constant Contact asked us to slow down."


class QuotaExceeded(ConstantContactError):
    """The day's calls are used up."""

    remedy = Remedy.PAUSE_ALL
    plain = "Today's calls to Constant Contact are used up; they start again at 00:00 UTC."


class NoCallLeft(ConstantContactError):
    """Deliveries use the whole quota, or it is paused; nothing was sent."""

    remedy = Remedy.PAUSE_ALL
    plain = "All permitted calls to Constant Contact are in use at the moment."
    quotes_vendor = False


class ConnectionUnusable(ConstantContactError):
    """The connection gives no access token now; its own state says why."""

    remedy = Remedy.PAUSE_ALL
    plain = "The connection to Constant Contact cannot be used at the moment."
    quotes_vendor = False


class Unauthorized(ConstantContactError):
    """401 although the token was fresh."""

    remedy = Remedy.NEEDS_PERSON
    plain = "Constant Contact does not accept our access. Reconnect on the overview page."


class Forbidden(ConstantContactError):
    """403; the vendor does not tell its three causes apart."""

    remedy = Remedy.NEEDS_PERSON
    plain = (
        "Constant Contact forbids this: the connected user may lack the right role, "
        "the permission was not granted, or the application is switched off."
    )


class Misconfigured(ConstantContactError):
    """404, 405, 406 or 415: something both sides rely on is not there."""

    remedy = Remedy.PARK
    plain = "Constant Contact does not know what we asked for. Was a list deleted?"


class Conflict(ConstantContactError):
    """409: the contact was being edited at the same moment."""

    remedy = Remedy.RETRY
    plain = "The contact was being changed at the same moment; it will be sent again."


class NotAsked(ConstantContactError):
    """The vendor does not mail somebody who opted out the question whether to come back."""

    remedy = Remedy.PARK
    plain = (
        "This person had left and asks to come back. Constant Contact mails its question whether they really "
        "want to only once, and refused to send it now, so nothing was changed. If you know that it is the "
        "person's own wish, subscribe them in Constant Contact."
    )


class TooManyFields(ConstantContactError):
    """POST and PUT of contacts take 25 custom fields, those that the contact has already included."""

    remedy = Remedy.PARK
    plain = (
        "A contact whose address has more than 50 characters takes at most 25 custom fields, and this one "
        "would have more, so nothing was sent. Enter it in Constant Contact by hand."
    )


class Rejected(ConstantContactError):
    """400, or a 4xx without a meaning of its own: the vendor will not take this sign-up as it stands."""

    remedy = Remedy.PARK
    plain = "Constant Contact refused this sign-up as it stands."
