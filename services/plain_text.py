"""Text that strangers wrote, free of what steers a terminal, a header or a spreadsheet."""

from __future__ import annotations

import re

NOT_TEXT = "This is not valid text."
# Unicode's category Cc.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def without_controls(value: str) -> str:
    """The text as it is. Raises ValueError: it has control characters, line breaks, or was no UTF-8."""
    # What a decoder leaves in the place of bytes that are no UTF-8: the original is lost.
    if "\ufffd" in value:
        raise ValueError(NOT_TEXT)
    if CONTROL.search(value):
        raise ValueError("Control characters and line breaks are not allowed here.")
    return value


def without_controls_but_breaks(value: str) -> str:
    """The same for a text of several lines."""
    without_controls(value.translate({ord(character): None for character in "\r\n\t"}))
    return value
