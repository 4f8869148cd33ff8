"""The vendor's own sentence of a refusal, without personal data, to be stored and shown to admins.

The vendor quotes what it was sent, so the sentence may hold anything of it. Every text of the payload, what
looks like an address or a telephone number, and what may be a token is hidden; ids of lists and fields stay.
"""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from services.constant_contact.errors import ConstantContactError
from services.delivery.payload import SMS
from services.plain_text import mended
from store.outbox.claimed import Claimed

HIDDEN = "[hidden]"
LONGEST = 300
# Characters of an answer that are read; the sentence is shortened to LONGEST anyway.
_READ = 3_000
# A value's beginning of that length identifies the person; the vendor may quote no more of it.
_IDENTIFYING = 12
_FEWEST_DIGITS = 7
# Ids of lists, names of tags, and our own mark: not the person's words.
_NOT_PERSONAL = frozenset({"list_memberships", "tags", "returning"})
_NAMES = frozenset({"first_name", "last_name"})

_LABELLED = re.compile(
    r"""(?xi) \b((?:[a-z]+[_ ])?(?:token|secret|password|key|code)|bearer|basic|authorization)
    (["']?\s*[:=]\s*["']?[^\s"',;]+ | \s+["']?(?=[\w.~+/-]*\d)[\w.~+/-]{8,}=*)"""
)
_QUERY = re.compile(r"(?i)(https?://[^\s?#]+)[?#]\S+")
_SHAPES = re.compile(
    r"""(?xi)
    (?P<address> [^\s"'<>()\[\],;:=]+ (?:@|＠|%40) [^\s"'<>()\[\],;:]+ )
    | (?P<id> (?<![\w-]) [0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12} (?![\w-]) )
    | (?P<token> (?<!\w) (?=[\w.~+/-]*\d) [\w.~+/-]{20,}=* | [a-z]{32,} )
    | (?P<number> [+(]*\d[\d\s().\-/]*\d )
    """
)


def vendor_sentence(error: ConstantContactError, claimed: Claimed) -> str | None:
    """Return what the vendor said of the call for `claimed`: one line of LONGEST characters, or None."""
    if not error.quotes_vendor or not error.detail:
        return None
    text = " ".join(html.unescape(mended(error.detail[:_READ])).split())
    if len(error.detail) > _READ:
        # The text was cut: its last word may be half of an address.
        text = text.rpartition(" ")[0]
    sent = [claimed.payload, *(other.payload for other in claimed.younger)]
    # The longest first: a name may be part of a company's name.
    said = {" ".join(value.split()) for payload in sent for value in _personal_texts(payload)}
    for value in sorted(said, key=len, reverse=True):
        text = _without(text, value)
    text = _LABELLED.sub(rf"\1 {HIDDEN}", _QUERY.sub(r"\1", text))
    return _shortened(_SHAPES.sub(_unless_harmless, text)) or None


def _personal_texts(payload: Mapping[str, Any]) -> Iterator[str]:
    """Yield every text of the payload that is the person's, and the words of the name one by one."""
    for name, value in payload.items():
        if name in _NOT_PERSONAL:
            continue
        # Of the consent to text messages only the number is personal; the rest are fixed words.
        yield from _texts(value["sms_address"] if name == SMS else value)
        if name in _NAMES and isinstance(value, str):
            yield from re.findall(r"\w+", value)
    yield str(payload.get("email_address", "")).rpartition("@")[0]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, Iterable):
        for member in value:
            yield from _texts(member)


def _without(text: str, value: str) -> str:
    """Return the text with the value hidden, in upper or lower case; of a long value also its beginning."""
    if not value or (len(value) == 1 and value.isascii()):
        # A single letter identifies nobody, and is in every sentence.
        return text
    # Scripts without blanks between words have no word boundaries to look for.
    before = r"(?<!\w)" if value[0].isascii() else ""
    after = r"(?!\w)" if value[-1].isascii() and len(value) <= _IDENTIFYING else ""
    found = re.compile(f"{before}{re.escape(value[:_IDENTIFYING])}{after}", re.IGNORECASE)
    parts, end = [], 0
    while match := found.search(text, end):
        parts += [text[end : match.start()], HIDDEN]
        end = match.end() + _alike(text[match.end() :], value[_IDENTIFYING:])
    return "".join([*parts, text[end:]])


def _alike(text: str, value: str) -> int:
    """Return how many characters both have in common at their beginning."""
    for place, (one, other) in enumerate(zip(text, value, strict=False)):
        if one.lower() != other.lower():
            return place
    return min(len(text), len(value))


def _unless_harmless(found: re.Match[str]) -> str:
    if found["id"]:
        return found[0]
    if found["number"] and sum(map(str.isdigit, found[0])) < _FEWEST_DIGITS:
        return found[0]
    return HIDDEN


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"
