"""A day as people and programs write it, and as Constant Contact takes it.

MM/DD/YYYY, M/D/YYYY, YYYY/MM/DD, YYYY/M/D, YYYY-MM-DD, YYYY-M-D, MM-DD-YYYY and M-D-YYYY, as the vendor's
contract lists them for `anniversary`; also with a time behind it, as JavaScript and databases write a day.
"""

import re
from datetime import date

FIRST_YEAR = 1900
FOUR_DIGITS = "Enter the year with four digits, such as 2006."
BEFORE_1900 = f"Is the year right? Enter one from {FIRST_YEAR} on."
NO_DAY = "Enter a date like 2006-11-15: year, month, day."
_TIME = r"[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-/])(\d{{1,2}})\2(\d{{1,2}})(?:{_TIME})?")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/])(\d{1,2})\2(\d{4})")
# "6/11/15" and "15.11.06": three numbers, none of which has the four digits of a year.
_TWO_DIGITS = re.compile(r"\d{1,2}([-/. ])\d{1,2}\1\d{1,2}(?![\d]).*", re.DOTALL)
# Browsers make such years of two digits: "0006-11-15".
_LAST_YEAR_OF_TWO_DIGITS = 99


def day_of(text: str) -> date | None:
    """Return the day; None where there is no such day, or it is written otherwise."""
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


def parse_day(text: str) -> str:
    """Return the day as YYYY-MM-DD. Raises ValueError, with a sentence for the person who typed it."""
    day = day_of(text)
    if day is None:
        raise ValueError(not_a_day(text, NO_DAY))
    return in_likely_year(day).isoformat()


def in_likely_year(day: date) -> date:
    """Return the day. Raises ValueError, with a sentence, if hardly anybody means its year."""
    if day.year <= _LAST_YEAR_OF_TWO_DIGITS:
        raise ValueError(FOUR_DIGITS)
    if day.year < FIRST_YEAR:
        raise ValueError(BEFORE_1900)
    return day


def not_a_day(text: str, sentence: str) -> str:
    """Return what to tell the person: that the year has two digits, or `sentence`."""
    return FOUR_DIGITS if text.isascii() and _TWO_DIGITS.fullmatch(text) else sentence
