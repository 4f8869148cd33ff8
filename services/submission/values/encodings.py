"""Decode the bytes of a form in the encoding that they were written in."""

import codecs

# What browsers write forms in (https://encoding.spec.whatwg.org/#names-and-labels), by Python's names; other
# codecs of Python are no encodings of text, or may be made to run for long.
_KNOWN = frozenset(
    {
        "utf-8",
        *(f"cp{number}" for number in range(1250, 1259)),
        *(f"iso8859-{number}" for number in range(2, 17)),
    }
    | {"koi8-r", "koi8-u", "gbk", "gb18030", "big5", "euc_jp", "shift_jis", "euc_kr"}
)
# Browsers read these as an encoding that has further characters.
_WESTERN = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030"}
FALLBACK = "cp1252"


def text_of(raw: bytes, declared: str | None = None) -> str:
    """Decode as UTF-8, else in the encoding `declared`, else as windows-1252, with U+FFFD for other bytes.

    UTF-8 comes first: programs declare ISO-8859-1 by habit, and other text is hardly ever UTF-8 by chance.
    """
    for encoding in ("utf-8", _codec(declared)):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode(FALLBACK, errors="replace")


def _codec(declared: str | None) -> str:
    try:
        name = codecs.lookup(declared or FALLBACK).name
    except (LookupError, ValueError):
        return FALLBACK
    name = _WESTERN.get(name, name)
    return name if name in _KNOWN else FALLBACK
