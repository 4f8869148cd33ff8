"""Host names of other scripts, as browsers and the vendor write them: `xn--…`.

UTS #46 without its transitional mapping (https://www.unicode.org/reports/tr46/), as the URL standard has it
(https://url.spec.whatwg.org/#idna); what IDNA 2008 (RFC 5891) forbids, such as emoji, is refused.
"""

from functools import lru_cache

import idna

LONGEST_LABEL, LONGEST_NAME = 63, 253


class UnusableName(ValueError):
    """Browsers could not look the name up."""


@lru_cache(maxsize=1024)
def in_ascii(name: str) -> str:
    """Return the name in small letters, other scripts as xn--…; a name in ASCII is not judged.

    Raises:
        UnusableName: it cannot be written so.
    """
    if name.isascii():
        return name.lower()
    try:
        labels = idna.uts46_remap(name, std3_rules=False, transitional=False).split(".")
        written = ".".join(label if label.isascii() else idna.alabel(label).decode() for label in labels)
    except (idna.IDNAError, UnicodeError):
        raise UnusableName from None
    if len(written) > LONGEST_NAME or any(len(label) > LONGEST_LABEL for label in labels):
        raise UnusableName
    return written


@lru_cache(maxsize=1024)
def as_typed(name: str) -> str:
    """Return the name as people write it; in ASCII where that would be read as another name."""
    try:
        shown = idna.decode(name)
        return shown if in_ascii(shown) == name else name
    except (idna.IDNAError, UnusableName):
        return name
