"""Years that people mean: a day with any other is asked about, and not taken for granted."""

from __future__ import annotations

import re
from datetime import date

from services.submission.values.days import day_of

FIRST_YEAR = 1900
FOUR_DIGITS = "Enter the year with four digits, such as 2006."
BEFORE_1900 = f"Is the year right? Enter one from {FIRST_YEAR} on."
NO_DAY = "Enter a date like 2006-11-15: year, month, day."
NO_TIME = "Enter a date and a time like 2006-11-15 18:30."
# "6/11/15" and "15.11.06": three numbers, none of which has the four digits of a year.
_TWO_DIGITS = re.compile(r"\d{1,2}([-/. ])\d{1,2}\1\d{1,2}(?![\d]).*", re.DOTALL)
# The first, and what browsers make of two digits: "0006-11-15".
_LAST_YEAR_OF_TWO_DIGITS = 99


def asked_about(day: date) -> date:
    """The day, unless hardly anybody means its year. Raises ValueError, with a sentence for who typed it."""
    if day.year <= _LAST_YEAR_OF_TWO_DIGITS:
        raise ValueError(FOUR_DIGITS)
    if day.year < FIRST_YEAR:
        raise ValueError(BEFORE_1900)
    return day


def day_said(text: str) -> str:
    """The day as YYYY-MM-DD. Raises ValueError, with a sentence for who typed it."""
    day = day_of(text)
    if day is None:
        raise ValueError(unread(text, NO_DAY))
    return asked_about(day).isoformat()


def unread(text: str, sentence: str) -> str:
    """What to say of a text that is no day: that of a year of two digits, or `sentence`."""
    return FOUR_DIGITS if text.isascii() and _TWO_DIGITS.fullmatch(text) else sentence
