"""The one gate for text from outside: visitors, admins, headers and Constant Contact alike.

Behind it a text holds no half characters (surrogates, which neither UTF-8 nor a database can write), no
control characters of C0 and C1 but tabs and line breaks, nothing that turns the direction of what follows,
and each letter in one spelling only (NFC, https://www.unicode.org/reports/tr15/). A text whose author can
mend it is refused (`admitted`); any other is mended (`mended`), with U+FFFD for what was lost.
"""

import re
import unicodedata
from collections.abc import Callable

NOT_TEXT = "This is not valid text."
NO_CONTROLS = "Control characters and line breaks are not allowed here."
LOST = "\ufffd"

HALF = re.compile(r"[\ud800-\udfff]")
# Unicode's category Cc, but for tab, line feed and carriage return.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BREAK = re.compile(r"[\t\r\n]")
# Embeddings, overrides and isolates (https://www.unicode.org/reports/tr9/): they let a text show otherwise
# than it reads. Removed, not refused: telephones put them around numbers that are copied from their contacts.
_DIRECTIONS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
# LINE SEPARATOR and PARAGRAPH SEPARATOR.
_UNIFORM = _DIRECTIONS | {0x2028: "\n", 0x2029: "\n"}


class NamedTwice(ValueError):
    """Two names of one object are the same text behind the gate."""


def admitted(value: str) -> str:
    """The text as it is kept, line breaks as LF.

    Raises:
        ValueError: it is no text, or has control characters; with a sentence.
    """
    if not value.isascii():
        # What a decoder leaves in the place of bytes that are no UTF-8: the original is lost.
        if HALF.search(value) or LOST in value:
            raise ValueError(NOT_TEXT)
        value = _uniform(value)
    if _CONTROL.search(value):
        raise ValueError(NO_CONTROLS)
    # Browsers count a line break as one character, and send it as two.
    return value.replace("\r\n", "\n").replace("\r", "\n")


def one_line(value: str) -> str:
    """An admitted text, without tabs and line breaks. Raises ValueError: it has some, or is not admitted."""
    value = admitted(value)
    if _BREAK.search(value):
        raise ValueError(NO_CONTROLS)
    return value


def mended(value: str) -> str:
    """The text with U+FFFD for each half character and control character; raises nothing."""
    if not value.isascii():
        value = _uniform(HALF.sub(LOST, value))
    return _CONTROL.sub(LOST, value)


def whole(value: str) -> str:
    """The same, but raises ValueError for half characters: who sends them sends something broken."""
    if HALF.search(value):
        raise ValueError(NOT_TEXT)
    return mended(value)


def writable(value: str) -> str:
    """What can be written of a text that an earlier release let in, else as it stands; raises nothing."""
    return _CONTROL.sub(LOST, HALF.sub(LOST, value))


def through(value: object, gate: Callable[[str], str], *, twice: bool = False) -> object:
    """A JSON value whose texts, names included, went through `gate` at every depth.

    Raises:
        NamedTwice: two names of an object are the same behind the gate, and may not stand `twice`, the
            second with one more U+FFFD.
        ValueError: what the gate raises.
    """
    if isinstance(value, str):
        return gate(value)
    if isinstance(value, dict):
        members: dict[str, object] = {}
        for name, member in value.items():
            passed = gate(name)
            while passed in members:
                if not twice:
                    raise NamedTwice
                passed += LOST
            members[passed] = through(member, gate, twice=twice)
        return members
    if isinstance(value, list | tuple):
        return [through(member, gate, twice=twice) for member in value]
    return value


def shortened(value: str, most_bytes: int) -> str:
    """As many whole characters as fit into so many bytes of UTF-8."""
    if len(value) * 4 <= most_bytes:
        return value
    return value.encode(errors="replace")[:most_bytes].decode(errors="ignore")


def header_text(value: str | None, most_bytes: int) -> str | None:
    """A header of a request as it is kept, in one line and in at most so many bytes; None for nothing."""
    if not value:
        return None
    # The length is looked at first: a server may take headers of any size.
    return shortened(_BREAK.sub(" ", mended(value[:most_bytes])), most_bytes).strip() or None


def _uniform(value: str) -> str:
    return unicodedata.normalize("NFC", value.translate(_UNIFORM))
