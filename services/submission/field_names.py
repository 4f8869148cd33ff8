"""Which field is meant by the name that a tool, a plug-in or an older page gives it.

A name is compared by its letters and digits alone, so `firstName`, `First Name`, `FIRST_NAME`, `first-name`
and Klaviyo's `$first_name` are one. `names[first_name]`, `name.first` and objects in JSON are paths: around
the last word stands an envelope, which has no meaning, or a group, whose name decides what the word means.
"""

import re
import unicodedata
from functools import lru_cache

from services.submission.fields import ALIASES, STREET_FIELDS, WIDGET_FIELDS, Submission

# The documented names of the fields.
OWN_NAMES = frozenset({"list_id", *Submission.model_fields})
# Parts of fields, which field_parts.py puts together.
FULL_NAME, BIRTHDAY, STREET_LINE_2 = "name", "birthday", "street_line_2"
PHONE_PARTS = ("phone_area", "phone_middle", "phone_end")
PARTS = frozenset({FULL_NAME, BIRTHDAY, STREET_LINE_2, *PHONE_PARTS})

# Their other names, in letters and digits only, as ALIASES has those of the fields.
_PART_NAMES = {
    FULL_NAME: "name fullname namefull firstandlastname firstlastname",
    BIRTHDAY: "birthday birthdate dateofbirth dob bday",
    STREET_LINE_2: "address2 addr2 addressline2 line2 street2 streetaddress2 streetline2",
}
# Names that have a meaning only as they are written: folded they would mean something else, or nothing.
_EXACT = {"$title": "job_title"} | dict.fromkeys(WIDGET_FIELDS, "captcha")
# `your-email` of Contact Form 7, `billing_email` of shops, `et_pb_contact_email_0` of Divi.
_PREFIXES = ("your", "etpbcontact", "user", "contact", "subscriber", "customer", "billing", "lead", "member")
# `username` names an account and no person.
_NO_FIELD = frozenset({"username"})
_WORDS_AROUND = (
    "data attributes profile properties mergefields mergevars merges fields formfields formdata formresponse",
    "body payload json contact subscriber subscription user member person customer lead signup submission",
    "values answers record entry item params inputs details wpforms your billing",
)
_ENVELOPES = frozenset(word for words in _WORDS_AROUND for word in words.split())
_NAME_PARTS = {
    **dict.fromkeys(("first", "firstname", "given", "givenname", "fname"), "first_name"),
    **dict.fromkeys(("last", "lastname", "family", "familyname", "surname", "lname"), "last_name"),
    **dict.fromkeys(("full", "fullname", "name", "value"), FULL_NAME),
}
_PHONE = dict(zip(("area", "detail1", "detail2"), PHONE_PARTS, strict=True)) | dict.fromkeys(
    ("number", "phone", "phonenumber", "value", "full"), "phone"
)
_BIRTHDAY = {"month": "birthday_month", "day": "birthday_day", "value": BIRTHDAY}
LONGEST_NAME, MOST_SEGMENTS = 120, 6
_SEGMENT = re.compile(r"[^\[\].]+")
_CUSTOM = re.compile(r"\s*custom[_-]?fields\[(.+)\]\s*", re.DOTALL | re.IGNORECASE)


def _folded(word: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKC", word).casefold() if letter.isalnum())


def _by_folded_name() -> dict[str, str]:
    table = {name: field for field, names in {**ALIASES, **_PART_NAMES}.items() for name in names.split()}
    # `Website` is a real question of some forms; only the name in small letters was our honeypot.
    return table | {_folded(name): name for name in OWN_NAMES - {"website"}}


_TABLE = _by_folded_name()
_ADDRESS = {name: field for name, field in _TABLE.items() if field in {*STREET_FIELDS, STREET_LINE_2}} | {
    "value": "street"
}
# By the name of a group, in folded letters: the fields that its members mean.
_GROUPS: dict[str, dict[str, str]] = {
    **dict.fromkeys(("name", "names", "fullname", "yourname"), _NAME_PARTS),
    **dict.fromkeys(
        ("address", "location", "streetaddress", "mailingaddress", "homeaddress", "billingaddress"), _ADDRESS
    ),
    **dict.fromkeys(("phone", "mobile", "telephone"), _PHONE),
    **dict.fromkeys(("birthday", "birthdate", "dateofbirth", "dob"), _BIRTHDAY),
    "company": {"name": "company_name", "value": "company_name"},
    "organization": {"name": "company_name", "value": "company_name"},
    **dict.fromkeys(("email", "emailaddress"), dict.fromkeys(("address", "email", "value"), "email")),
}


def segments_of(name: str) -> tuple[str, ...]:
    """Split a name such as `data[names][first]` or `name.first`; empty where it has too many words."""
    if len(name) > LONGEST_NAME:
        return ()
    found = tuple(_SEGMENT.findall(name))
    return found if len(found) <= MOST_SEGMENTS else ()


@lru_cache(maxsize=2048)
def meaning_of(path: tuple[str, ...]) -> str | None:
    """Return the field that the words of a name mean; None where they are not understood."""
    if not path:
        return None
    *around, last = path
    groups = [word for word in map(_folded, around) if word not in _ENVELOPES or word in _GROUPS]
    if not groups:
        return last if last in OWN_NAMES else _EXACT.get(last) or _alone(_folded(last))
    if len(groups) > 1:
        return None
    member = _folded(last)
    found = _GROUPS.get(groups[0], {}).get(member)
    # Elementor sends fields[first_name][value], beside [id] and [type].
    return found or (_alone(groups[0]) if member == "value" else None)


def opens(path: tuple[str, ...]) -> bool:
    """Return whether an object of that name is an envelope or a group, whose members may be fields."""
    word = _folded(path[-1])
    return word in _ENVELOPES or word in _GROUPS


def custom_field_of(name: str) -> str | None:
    """Return the custom field in an input's name such as `customFields[Shoe size]`."""
    found = _CUSTOM.fullmatch(name)
    return found[1] if found else None


def _alone(folded: str) -> str | None:
    for name in (folded, folded.rstrip("0123456789")):
        if found := _TABLE.get(name):
            return found
        for prefix in _PREFIXES:
            found = _TABLE.get(name.removeprefix(prefix)) if name not in _NO_FIELD else None
            if found:
                return found
    return None
