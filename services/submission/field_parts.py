"""Make fields of what came in parts or in one piece: a whole name, a birthday, a phone number, a street."""

import re
from typing import Any

from services.submission.field_names import BIRTHDAY, FULL_NAME, PHONE_PARTS, STREET_LINE_2
from services.submission.values.days import day_of

# Scripts without blanks between words (Han, Kana, Hangul, Thai, Lao, Khmer, Myanmar): a blank in a name does
# not part given and family name, and the family name often comes first.
_WITHOUT_BLANKS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
_MONTH_AND_DAY = re.compile(r"(\d{1,2})[/.-](\d{1,2})")
LAST_MONTH = 12
# The state of an entry, as tools and scripts send it: no state of any country.
_STATUSES = (
    "active inactive enabled disabled subscribed unsubscribed pending confirmed unconfirmed verified",
    "unverified archived deleted draft published true false null none undefined select default new",
    "open closed",
)
_NO_STATE = frozenset(word for words in _STATUSES for word in words.split())
_STREET = ("street", "city", "postal_code", "country")


def composed(fields: dict[str, Any]) -> list[str]:
    """Put the parts among `fields` together, in place; a field that was sent whole stays as it is.

    Return the names that were of no use: parts beside a whole field, and values that are none, such as an
    address with nothing but a `state` "disabled".
    """
    return [*_name(fields), *_birthday(fields), *_phone(fields), *_address(fields)]


def split_name(name: str) -> tuple[str, str | None]:
    """Split into first and last name at the last blank; not in scripts that have no blanks."""
    words = name.split()
    if len(words) < 2 or _WITHOUT_BLANKS.search(name):
        return " ".join(words), None
    return " ".join(words[:-1]), words[-1]


def _name(fields: dict[str, Any]) -> list[str]:
    name = fields.pop(FULL_NAME, None)
    if not isinstance(name, str) or not name.strip():
        return [FULL_NAME] if name else []
    sent = [fields.get(each) for each in ("first_name", "last_name")]
    if any(sent):
        return [] if name.split() == " ".join(str(each) for each in sent if each).split() else [FULL_NAME]
    first, last = split_name(name)
    fields["first_name"] = first
    if last:
        fields["last_name"] = last
    return []


def _birthday(fields: dict[str, Any]) -> list[str]:
    sent = fields.pop(BIRTHDAY, None)
    if not sent:
        return []
    if fields.get("birthday_month") or fields.get("birthday_day"):
        return [BIRTHDAY]
    if found := _month_and_day(sent):
        fields["birthday_month"], fields["birthday_day"] = found
    return [] if found else [BIRTHDAY]


def _month_and_day(sent: object) -> tuple[int, int] | None:
    """Read month before day, as the vendor and Mailchimp do, unless only the other order is a date."""
    text = sent.strip() if isinstance(sent, str) else ""
    if day := day_of(text):
        return day.month, day.day
    found = _MONTH_AND_DAY.fullmatch(text)
    if not found:
        return None
    first, second = int(found[1]), int(found[2])
    return (second, first) if first > LAST_MONTH >= second else (first, second)


def _phone(fields: dict[str, Any]) -> list[str]:
    parts = {name: fields.pop(name) for name in PHONE_PARTS if name in fields}
    sent = [str(part) for part in parts.values() if part]
    if sent and not fields.get("phone"):
        fields["phone"] = "-".join(sent)
        return []
    return list(parts) if sent else []


def _address(fields: dict[str, Any]) -> list[str]:
    more, state, unused = fields.pop(STREET_LINE_2, None), fields.get("state"), []
    if isinstance(more, str) and more.strip():
        street = fields.get("street")
        fields["street"] = f"{street}, {more.strip()}" if isinstance(street, str) and street.strip() else more
    alone = not any(fields.get(name) for name in _STREET)
    if isinstance(state, str) and alone and _says_no_state(state):
        del fields["state"]
        unused.append("state")
    return unused


def _says_no_state(text: str) -> bool:
    word = text.strip().casefold()
    return bool(word) and (word in _NO_STATE or not any(letter.isalpha() for letter in word))
