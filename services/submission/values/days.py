"""A day as Constant Contact takes it, in any of the vendor's spellings.

MM/DD/YYYY, M/D/YYYY, YYYY/MM/DD, YYYY/M/D, YYYY-MM-DD, YYYY-M-D, MM-DD-YYYY and M-D-YYYY, as the vendor's
contract lists them for `anniversary`; besides what JavaScript and databases make of a day, a time behind it.
"""

from __future__ import annotations

import re
from datetime import date

_TIME = r"[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-/])(\d{{1,2}})\2(\d{{1,2}})(?:{_TIME})?")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/])(\d{1,2})\2(\d{4})")


def day_of(text: str) -> date | None:
    """The day that is meant; None where there is no such day, or it is written otherwise."""
    if not text.isascii():
        return None
    if found := _YEAR_FIRST.fullmatch(text):
        year, _, month, day = found.groups()
    elif found := _YEAR_LAST.fullmatch(text):
        month, _, day, year = found.groups()
    else:
        return None
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
