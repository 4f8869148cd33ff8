"""Find the fields in a body of whatever origin: other tools' names, envelopes, values of another type.

Of two names for one field the documented one counts, unless its value is empty; else the first one. Names
that were not understood are told to the sender, except those that tools and browsers send for themselves.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.plain_text import mended, shortened
from services.submission.custom_fields import field_of
from services.submission.field_names import (
    FULL_NAME,
    OWN_NAMES,
    custom_field_of,
    meaning_of,
    opens,
    segments_of,
)
from services.submission.field_parts import composed
from services.submission.fields import NUMBERS_AS_SENT

MOST_IGNORED, LONGEST_IGNORED_BYTES = 10, 50
# Of these each value counts.
_LISTS = frozenset({"list_id", "list_ids", "tags"})
# Of a consent a hidden “false” may stand beside the tick; of any other field the last value counts.
_SEVERAL = frozenset({"consent", "sms_consent", *_LISTS})
# Values that are read elsewhere, in whatever type they come.
_AS_SENT = frozenset({"consent", "sms_consent", "custom_fields", "website", *_LISTS})
_FREE_TEXTS = frozenset({"source", "form"})
LONGEST_WHOLE = 1e15
# JSON may have them as 1e999.
_ENDLESS = (float("inf"), float("-inf"))
# The members that may name the value of a pair.
_NAMING = ("name", "key", "field", "label")
# Names that tools, browsers and advertisements add to a form for themselves.
_TECHNICAL = re.compile(
    r"_.*|(?:utm|mtm|pk|hs|hsa|mc|vero|ga|hubspot|wpforms|gform|frm|et_pb|nf|ff|is_submit|honeypot|bot|csrf|xsrf)[_-].*"
    r"|b_[0-9a-f]+_[0-9a-f]+|gclid|gbraid|wbraid|dclid|fbclid|msclkid|ttclid|twclid|li_fat_id|yclid|hutk"
    r"|submit.*|.*[_-]submit|button|btn|subscribe|op|commit|action|nonce|authenticity_token|csrf.*|xsrf.*|token"
    r"|form[_-]?(?:name|id|type|build_id|key|uid)|bot-field|ajax|url|page[_ ]?(?:url|title|id|uri)|post_?id"
    r"|queried_id"
    r"|referer_title|user[_ -]?agent|remote[_ -]?ip|ip|ip_?address|date|time|timestamp|powered[_ -]by|pageuri"
    r"|pagename"
    r"|u|f_id|id|v|version|lang|locale|timezone|status|status_if_new|email_type|double_optin|update_existing"
    r"|type|kind|create_source|update_source|permission_to_send|context|skipvalidation|legalconsentoptions"
    r"|triggertype|eventtype|event|webhook.*|execution_?mode|headers|params|query|website_[0-9a-f]{8}",
    re.IGNORECASE,
)


@dataclass
class Fields:
    """The fields found in a body, and the values under names that mean no field.

    `plain`: every name is a documented one. `ignored`: further names of fields that were found.
    """

    known: dict[str, Any] = field(default_factory=dict)
    unknown: dict[str, Any] = field(default_factory=dict)
    plain: bool = True
    ignored: list[str] = field(default_factory=list)

    @property
    def not_understood(self) -> list[str]:
        """The names with a value that mean no field, or not the one that counts."""
        return [*self.ignored, *(name for name, value in self.unknown.items() if _has_value(value))]


@dataclass(frozen=True)
class _Sent:
    name: str
    path: tuple[str, ...]
    value: object

    @property
    def meaning(self) -> str | None:
        return meaning_of(self.path)

    @property
    def documented(self) -> bool:
        return len(self.path) == 1 and self.path[0] in OWN_NAMES


def fields_of_json(document: Mapping[str, Any]) -> Fields:
    """Find the fields of an object of JSON."""
    return _fields([sent for sent in _members(document, ()) if sent is not None])


def fields_of_form(pairs: Iterable[tuple[str, str]]) -> Fields:
    """Find the fields in the pairs of an HTML form; a name may be repeated and may end in []."""
    sent: dict[str, _Sent] = {}
    custom_fields: dict[str, list[str]] = {}
    values: dict[str, list[str]] = {}
    for raw, value in pairs:
        name = raw.strip("\ufeff \t\r\n").removesuffix("[]")
        if custom := custom_field_of(name):
            custom_fields.setdefault(custom, []).append(value)
        else:
            values.setdefault(name, []).append(value)
    for name, each in values.items():
        path = segments_of(name)
        several = len(each) > 1 and meaning_of(path) in _SEVERAL
        sent[name] = _Sent(name, path, each if several else each[-1])
    found = _fields(sent.values())
    return Fields({"custom_fields": custom_fields} | found.known, found.unknown, found.plain, found.ignored)


def documented_pairs(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the form by the documented names, for showing it again; other names are left out."""
    known = fields_of_form(pairs).known
    sent = known.pop("custom_fields")
    custom_fields = sent if isinstance(sent, dict) else {}
    composed(known)
    found = [(name, str(each)) for name, value in known.items() for each in _listed(value)]
    return found + [(field_of(name), each) for name, values in custom_fields.items() for each in values]


def unwrapped(document: object) -> object:
    """Return the only object of an array, or pairs of name and value as an object."""
    while isinstance(document, list) and len(document) == 1 and not _pairs(document):
        document = document[0]
    return _pairs(document) or document


def named_to_sender(name: str) -> str | None:
    """Return the name as an answer repeats it; None for one that tools send for themselves."""
    if _TECHNICAL.fullmatch(name) or any(_TECHNICAL.fullmatch(word) for word in segments_of(name)[-1:]):
        return None
    return shortened(mended(name), LONGEST_IGNORED_BYTES).strip() or None


def _members(value: Mapping[str, Any], around: tuple[str, ...]) -> Iterator[_Sent]:
    for name, each in value.items():
        words = segments_of(name)
        path = (*around, *words)
        inner = unwrapped(each) if isinstance(each, dict | list) else each
        if isinstance(inner, dict) and words and meaning_of(path) != "custom_fields" and opens(path):
            yield from _members(inner, path)
        else:
            yield _Sent(".".join((*around, name)), path if words else (), each)


def _pairs(value: object) -> dict[str, Any] | None:
    """Return {"email": …} for [{"name": "email", "value": …}], as HubSpot and jQuery send it."""
    if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
        return None
    found: dict[str, Any] = {}
    for each in value:
        name = next((each[key] for key in _NAMING if isinstance(each.get(key), str)), None)
        if name is None or "value" not in each:
            return None
        name = name.removesuffix("[]")
        found[name] = [*_listed(found[name]), each["value"]] if name in found else each["value"]
    return found


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _fields(sent: Iterable[_Sent]) -> Fields:
    found = Fields()
    named: dict[str, list[_Sent]] = {}
    for each in sent:
        meaning = each.meaning
        if meaning is None:
            found.unknown[each.name] = each.value
        else:
            named.setdefault(meaning, []).append(each)
        found.plain = found.plain and (each.documented or meaning == "captcha" or each.value in ("", None))
    level = _level_of_address(named.get("email", []))
    for meaning, candidates in named.items():
        _choose(found, meaning, candidates, level)
    return found


def _level_of_address(sent: list[_Sent]) -> tuple[str, ...]:
    best = sorted(sent, key=lambda each: not each.documented)[:1]
    around = best[0].path[:-1] if best else ()
    # {"email": {"address": …}} is at the level of the group.
    return around[:-1] if meaning_of(around) == "email" else around


def _choose(found: Fields, meaning: str, candidates: list[_Sent], level: tuple[str, ...]) -> None:
    if meaning in _LISTS:
        documented = [each for each in candidates if each.documented]
        found.ignored += [each.name for each in candidates if documented and not each.documented]
        candidates = documented or candidates
        sent = [each.value for each in candidates if each.value is not None]
        found.known[meaning] = [one for value in sent for one in _listed(value)]
        if len(candidates) == 1:
            found.known[meaning] = candidates[0].value
        return
    if meaning == FULL_NAME:
        # A `name` at another level than the address is that of a form, a list or a workflow.
        beside = [each for each in candidates if each.path[: len(level)] == level]
        found.ignored += [each.name for each in candidates if each not in beside and len(each.path) > 1]
        candidates = beside
    ordered = sorted(candidates, key=lambda each: (not _has_value(each.value), not each.documented))
    if not ordered:
        return
    best, *others = ordered
    value, understood = _as_text(meaning, best.value)
    found.known[meaning] = value
    found.ignored += [] if understood else [best.name]
    found.ignored += [each.name for each in others if _has_value(each.value) and each.value != best.value]


def _as_text(meaning: str, value: object) -> tuple[Any, bool]:
    """Return a value of another type as text, and whether it means any."""
    if meaning == "custom_fields":
        return _pairs(value) or value or None, True
    if meaning in _AS_SENT:
        return value, True
    value = _only_value(value)
    if value is False or value in ({}, []):
        return None, True
    if value is True and meaning not in NUMBERS_AS_SENT:
        return ("true", True) if meaning in _FREE_TEXTS else (None, False)
    if isinstance(value, float) and value.is_integer() and abs(value) < LONGEST_WHOLE:
        value = int(value)
    if type(value) in {int, float} and meaning not in NUMBERS_AS_SENT and value not in _ENDLESS:
        return str(value), True
    return value, True


def _only_value(value: object) -> object:
    """Return the only value of an array: PHP, Zapier and form libraries send one for a repeatable name."""
    if not isinstance(value, list):
        return value
    once = [each for number, each in enumerate(value) if _has_value(each) and each not in value[:number]]
    return once[0] if len(once) == 1 else once


def _has_value(value: object) -> bool:
    return value not in (None, False, "", [], {}) and not (isinstance(value, str) and not value.strip())
