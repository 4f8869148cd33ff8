"""Turn web addresses in an owner's texts into links that open in a new tab; everything else is escaped.

`linked` in static/embed.js does the same, by the same rule; links.json beside the test has the examples for
both.
"""

import re
from collections.abc import Iterator

from flask import Flask
from markupsafe import Markup, escape

# An address begins behind a character that cannot be part of one, has no user name before its host, and ends
# at a line break, a blank, or a quotation mark.
_HOST_END = r"\s/?#@:<>\"“”«»()\[\]{},;!'’…|\\^`"
_ADDRESS = re.compile(
    r"(^|[^A-Za-z0-9_@./-])((?:https?://|www\.)(?![^\s/?#]*@)"
    rf"[^{_HOST_END}.][^{_HOST_END}]*(?::[0-9]+)?(?:[/?#][^\s<>\"“”«»]*)?)",
    re.IGNORECASE,
)
# Characters that end the sentence and not the address; a bracket only if it was not opened in the address.
_PUNCTUATION = re.compile(r"[.,;:!?'’…*_~]+$")
_BRACKETS = {")": "(", "]": "["}


def install(app: Flask) -> None:
    """Let templates say `text | linked`."""
    app.add_template_filter(linked, "linked")


def linked(text: str) -> Markup:
    """Return the text as HTML, with its web addresses as links."""
    return Markup("").join(_link(part) if is_address else escape(part) for part, is_address in parts(text))


def parts(text: str) -> Iterator[tuple[str, bool]]:
    """Split the text into pieces, each with whether it is an address; joined they are the text."""
    end = 0
    for found in _ADDRESS.finditer(text):
        address = _without_punctuation(found[2])
        if found.start(2) > end:
            yield text[end : found.start(2)], False
        yield address, True
        end = found.start(2) + len(address)
    if end < len(text):
        yield text[end:], False


def _without_punctuation(address: str) -> str:
    shorter = _PUNCTUATION.sub("", address)
    opening = _BRACKETS.get(shorter[-1:])
    if opening and shorter.count(opening) < shorter.count(shorter[-1]):
        shorter = shorter[:-1]
    return address if shorter == address else _without_punctuation(shorter)


def _link(address: str) -> Markup:
    url = address if address.lower().startswith("http") else f"https://{address}"
    return Markup('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>').format(url, address)
