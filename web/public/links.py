"""Web addresses in texts that an owner wrote become links that open in a new tab; all else is escaped.

`linked` in static/embed.js does the same, by the same rule; links.json beside the test has the examples for
both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flask import Flask
from markupsafe import Markup, escape

# An address begins after what cannot be a part of one, names no user before its host, and ends with its line,
# a blank, or a quotation mark.
_HOST_END = r"\s/?#@:<>\"“”«»()\[\]{},;!'’…|\\^`"
_ADDRESS = re.compile(
    r"(^|[^A-Za-z0-9_@./-])((?:https?://|www\.)(?![^\s/?#]*@)"
    rf"[^{_HOST_END}.][^{_HOST_END}]*(?::[0-9]+)?(?:[/?#][^\s<>\"“”«»]*)?)",
    re.IGNORECASE,
)
# What ends the sentence and not the address; a bracket only where the address does not open it.
_PUNCTUATION = re.compile(r"[.,;:!?'’…*_~]+$")
_BRACKETS = {")": "(", "]": "["}


def install(app: Flask) -> None:
    """Let templates say `text | linked`."""
    app.add_template_filter(linked, "linked")


def linked(text: str) -> Markup:
    """The text as HTML, with its web addresses as links."""
    return Markup("").join(_link(part) if is_address else escape(part) for part, is_address in parts(text))


def parts(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces, each with whether it is an address; together they are the text."""
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
