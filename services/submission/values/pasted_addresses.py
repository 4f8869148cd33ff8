"""An e-mail address as people paste it, made the address that they see.

What nobody sees goes, wherever it stands: Unicode's format characters (category Cf: zero-width blanks,
direction marks, the byte order mark, the soft hyphen), what a screen shows nothing of
(Default_Ignorable_Code_Point, https://www.unicode.org/reports/tr44/), and blanks. Full-width letters and
signs become ASCII (NFKC, https://www.unicode.org/reports/tr15/). What is copied along with an address goes as
well: `mailto:`, angle brackets around it, a comma, a semicolon or one full stop behind it.

No sign that may be part of an address is dropped or changed. A blank that somebody typed within a word stays,
and so do blanks between several words: joined, "Ann ann@example.org" would be somebody else's address. They
make the address one that is asked about. `static/address.js` does the same before the browser judges.
"""

from __future__ import annotations

import re
import unicodedata

# Most addresses: nothing to look for.
_CLEAN = re.compile(r"[A-Za-z0-9_.+-]+@[A-Za-z0-9.-]*[A-Za-z0-9]")
_WIDE = re.compile("[\uff01-\uff5e\ufe50-\ufe6b]")
# Ideographic full stops, which IDNA takes for dots (https://www.unicode.org/reports/tr46/).
_DOTS = re.compile("[\u3002\uff61](?=[^@]*$)")
# Typed by somebody, and not only copied along.
_PLAIN_BLANK = re.compile(r"[ \t\n\r\f\v]+")
_OTHER_BLANK = re.compile(r"[^\S ]|\u2800")
# Shown as nothing, though no format characters: fillers and selectors.
_UNSHOWN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
# ZERO WIDTH NON-JOINER and JOINER are letters' spelling where they stand within a word of such a script.
_JOINERS = "\u200c\u200d"
_BESIDE_SIGNS = re.compile(r"[ \xa0]*([@.])[ \xa0]*")
# Two names before an address, or a word after a whole one.
_WORDS = re.compile(r"[^ \xa0@]{2,}\xa0+[^ \xa0@]{2,}\xa0+[^@]*@|@[^@]*\.[^ \xa0@.]{2,}\xa0+[^ \xa0@.]{2,}")
_BRACKETS = re.compile(r"<([^<>]*)>")
_BEFORE = re.compile(r"\Amailto:", re.IGNORECASE)
_BEHIND = re.compile(r"[,;]+$|(?<![.])[.][,;]*$")
# Nothing around an address is longer, and the search for words in more would take long.
LONGEST_PASTED = 500


def as_meant(pasted: str) -> str:
    """The address without what nobody sees and what stands around it; not yet judged, and not lower-cased.

    What is longer than 500 characters is left as it is.
    """
    if len(pasted) > LONGEST_PASTED:
        return pasted
    while not _CLEAN.fullmatch(pasted) and (once := _mended(pasted)) != pasted:
        # What was taken out may have parted what is to be taken out.
        pasted = once
    return pasted


def _mended(text: str) -> str:
    text = _WIDE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    text = _PLAIN_BLANK.sub(" ", _without_unseen(_DOTS.sub(".", text)))
    text = _BESIDE_SIGNS.sub(r"\1", _OTHER_BLANK.sub("\xa0", text)).strip(" \xa0")
    bracketed = _BRACKETS.fullmatch(text)
    text = _BEHIND.sub("", _BEFORE.sub("", bracketed[1] if bracketed else text))
    return text if _WORDS.search(text) else text.replace("\xa0", "")


def _without_unseen(text: str) -> str:
    return "".join(sign for at, sign in enumerate(text) if not _unseen(sign) or _joins(text, at))


def _unseen(sign: str) -> bool:
    return unicodedata.category(sign) == "Cf" or bool(_UNSHOWN.match(sign))


def _joins(text: str, at: int) -> bool:
    """Whether a joiner stands there between letters of another script."""
    beside = text[at - 1 : at], text[at + 1 : at + 2]
    return text[at] in _JOINERS and all(
        sign and not sign.isascii() and unicodedata.category(sign)[0] in "LM" for sign in beside
    )
