"""Clean a pasted e-mail address: make it the address that the person sees.

Invisible characters are removed wherever they stand: Unicode's format characters (category Cf: zero-width
blanks, direction marks, the byte order mark, the soft hyphen), what a screen does not show
(Default_Ignorable_Code_Point, https://www.unicode.org/reports/tr44/), and blanks. Full-width letters and
signs become ASCII (NFKC, https://www.unicode.org/reports/tr15/). What is copied along with an address is
removed too: `mailto:`, angle brackets around it, a comma, a semicolon or one full stop behind it.

No character that may be part of an address is removed or changed. A blank that was typed within a word stays,
and so do blanks between several words: joined, "Ann ann@example.org" would be somebody else's address. The
address is then refused with a sentence. `static/address.js` does the same before the browser judges.
"""

import re
import unicodedata

# Most addresses: there is nothing to clean.
_CLEAN = re.compile(r"[A-Za-z0-9_.+-]+@[A-Za-z0-9.-]*[A-Za-z0-9]")
_WIDE = re.compile("[\uff01-\uff5e\ufe50-\ufe6b]")
# Ideographic full stops, which IDNA takes for dots (https://www.unicode.org/reports/tr46/).
_DOTS = re.compile("[\u3002\uff61](?=[^@]*$)")
# Blanks that a keyboard types.
_PLAIN_BLANK = re.compile(r"[ \t\n\r\f\v]+")
_OTHER_BLANK = re.compile(r"[^\S ]|\u2800")
# Invisible, though no format characters: fillers and selectors.
_UNSHOWN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
# ZERO WIDTH NON-JOINER and JOINER are part of the spelling within a word of some scripts.
_JOINERS = "\u200c\u200d"
_BESIDE_SIGNS = re.compile(r"[ \xa0]*([@.])[ \xa0]*")
# Two names before an address, or a word after a whole one.
_WORDS = re.compile(r"[^ \xa0@]{2,}\xa0+[^ \xa0@]{2,}\xa0+[^@]*@|@[^@]*\.[^ \xa0@.]{2,}\xa0+[^ \xa0@.]{2,}")
_BRACKETS = re.compile(r"<([^<>]*)>")
_BEFORE = re.compile(r"\Amailto:", re.IGNORECASE)
_BEHIND = re.compile(r"[,;]+$|(?<![.])[.][,;]*$")
# No address with what is around it is longer, and the search for words in more text would take long.
LONGEST_PASTED = 500


def as_meant(pasted: str) -> str:
    """Return the address without invisible characters and what stands around it.

    It is neither validated nor lower-cased; more than 500 characters are returned as they are.
    """
    if len(pasted) > LONGEST_PASTED:
        return pasted
    while not _CLEAN.fullmatch(pasted) and (once := _mended(pasted)) != pasted:
        # A removal may bring together what is to be removed next.
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
    """Return whether the character is a joiner between letters of another script."""
    beside = text[at - 1 : at], text[at + 1 : at + 2]
    return text[at] in _JOINERS and all(
        sign and not sign.isascii() and unicodedata.category(sign)[0] in "LM" for sign in beside
    )
