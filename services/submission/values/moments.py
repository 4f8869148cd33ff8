"""A day with a time, as browsers (`datetime-local`), programs and people write it."""

import re
from datetime import datetime

from services.submission.values.days import in_likely_year, not_a_day

NO_TIME = "Enter a date and a time like 2006-11-15 18:30."
_SHAPE = re.compile(
    r"(\d{4}-\d{1,2}-\d{1,2})[T ] ?(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(?: ?(Z|[+-]\d{2}:?\d{2}))?",
    re.IGNORECASE,
)


def parse_moment(text: str) -> str:
    """Return the moment in ISO 8601 to the second, with an offset only where one was sent.

    The vendor's contract gives ISO 8601 for its own moments and no format for a field of type `datetime`.

    Raises:
        ValueError: there is no such moment; the text is a sentence for the person who typed it.
    """
    found = _SHAPE.fullmatch(text) if text.isascii() else None
    if found is None:
        raise ValueError(not_a_day(text, NO_TIME))
    day, hour, minute, second, offset = found.groups()
    try:
        date = datetime.strptime(day, "%Y-%m-%d")  # noqa: DTZ007 - without an offset there is no zone
        moment = date.replace(hour=int(hour), minute=int(minute), second=int(second or 0))
        if offset and offset.upper() != "Z":
            datetime.fromisoformat(f"2000-01-01T00:00:00{offset}")
    except ValueError:
        raise ValueError(NO_TIME) from None
    in_likely_year(moment.date())
    return moment.isoformat() + (offset or "").upper()
