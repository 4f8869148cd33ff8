"""From a body, JSON or an HTML form's, to a sign-up: bounded, and read in one way only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from services.custom_input import custom_name, field_of, gathered_tags
from services.errors import FieldError, InvalidSubmission, MalformedSubmission
from services.plain_text import NamedTwice, admitted, mended, shortened, through, whole
from services.submission import SENTENCES, SPELLINGS, UNSEEN, Submission

# Far more than a form has; what comes behind would only cost time.
MOST_VALUES, MOST_LEVELS = 500, 10
TOO_MANY = f"The body has more than {MOST_VALUES} values."
TWICE = "The body names a field twice."
# Of a name that is not ours: the answer repeats it.
LONGEST_NAME_BYTES = 100
NO_LIST = "Choose at least one list: send list_id, list_ids or form."
KNOWN = frozenset({"list_id", *Submission.model_fields})
THINGS = {"list_ids": "lists", "tags": "tags", "custom_fields": "custom fields"}


def read_json(raw: bytes) -> Submission:
    """Read a JSON body.

    Raises:
        MalformedSubmission: it is not JSON in UTF-8, names a field twice, or is too large or too deep.
        InvalidSubmission: it is not an object, or fields are missing or wrong.
    """
    try:
        document = _DECODER.decode(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise MalformedSubmission("The body is not valid JSON.") from None
    _check_size(document)
    if not isinstance(document, dict):
        raise InvalidSubmission([FieldError("body", "Send one JSON object with the fields of the sign-up.")])
    return _read(document)


def read_form(pairs: Iterable[tuple[str, str]]) -> Submission:
    """Read the pairs of an HTML form; a name may be repeated and may end in [].

    Raises:
        MalformedSubmission: there are too many.
        InvalidSubmission: fields are missing or wrong.
    """
    fields: dict[str, Any] = {}
    custom_fields: dict[str, list[str]] = {}
    for number, (raw_name, value) in enumerate(pairs):
        if number == MOST_VALUES:
            raise MalformedSubmission(TOO_MANY)
        name = SPELLINGS.get(raw_name.removesuffix("[]"), raw_name.removesuffix("[]"))
        if name in {"list_id", "list_ids", "tags"}:
            fields.setdefault(name, []).append(value)
        elif custom := custom_name(name):
            custom_fields.setdefault(custom, []).append(value)
        else:
            fields[name] = value
    return _read({"custom_fields": custom_fields} | fields)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")  # RFC 8259 §6 has no NaN and no Infinity


def _once_each(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        # RFC 8259 §4 leaves open which one counts: what somebody else checked may not be what we store.
        raise MalformedSubmission(TWICE)
    return fields


_DECODER = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_once_each)


def _check_size(document: object) -> None:
    level, values = [document], 0
    for _ in range(MOST_LEVELS):
        level = [inner for outer in level for inner in _inside(outer)]
        values += len(level)
        if values > MOST_VALUES:
            raise MalformedSubmission(TOO_MANY)
        if not level:
            return
    raise MalformedSubmission("The body is nested too deeply.")


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _read(document: Mapping[str, Any]) -> Submission:
    fields, refused = _admitted(document)
    spelling = "list_id" if "list_id" in fields and "list_ids" not in fields else "list_ids"
    fields["list_ids"] = _gather_lists(fields.pop("list_id", None), fields.get("list_ids"))
    if "tags" in fields:
        fields["tags"] = gathered_tags(fields["tags"])
    errors: list[FieldError] = []
    if not fields["list_ids"] and not fields.get("form"):
        errors.append(FieldError(spelling, NO_LIST))
    try:
        submission = Submission.model_validate(fields)
    except ValidationError as error:
        errors = [_field_error(detail, spelling) for detail in error.errors()] + errors
    if errors := refused + errors:
        raise InvalidSubmission(_once_per_field(errors))
    return submission


def _admitted(document: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    """The fields behind the gate for text, by their names, and an error for each that did not pass it."""
    fields: dict[str, Any] = {}
    errors: list[FieldError] = []
    for said, value in document.items():
        name = SPELLINGS.get(said, said)
        try:
            if name == "custom_fields" and isinstance(value, dict):
                fields[name] = _custom_fields(value, errors)
            elif name in KNOWN:
                fields[name] = through(value, mended if name in UNSEEN else admitted)
            else:
                # Dropped, whatever it is like behind the gate; but who sends half a character is told.
                through({said: value}, whole, twice=True)
        except NamedTwice:
            raise MalformedSubmission(TWICE) from None
        except ValueError as wrong:
            fields[name] = None
            errors.append(FieldError(_told(name) or "body", str(wrong)))
    return fields, errors


def _custom_fields(said: Mapping[str, Any], errors: list[FieldError]) -> dict[str, Any]:
    """Each by itself, so that the answer can tell which one is wrong."""
    fields: dict[str, Any] = {}
    for name, value in said.items():
        try:
            fields |= _new({admitted(name): through(value, admitted)}, fields)
        except NamedTwice:
            raise
        except ValueError as wrong:
            errors.append(FieldError(field_of(_told(name)), str(wrong)))
    return fields


def _new(field: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    if field.keys() & fields.keys():
        raise NamedTwice
    return field


def _told(name: str) -> str:
    return shortened(mended(name), LONGEST_NAME_BYTES)


def _gather_lists(*values: object) -> object:
    """One tuple of distinct ids out of list_id and list_ids, each a text or an array."""
    gathered: list[object] = []
    for value in values:
        if isinstance(value, list | tuple):
            gathered += value
        elif value is not None:
            gathered.append(value)
    return tuple(dict.fromkeys(v.strip() if isinstance(v, str) else repr(v) for v in gathered if v != ""))


def _field_error(detail: Any, spelling: str) -> FieldError:
    name = str(detail["loc"][0])
    if name == "custom_fields" and len(detail["loc"]) > 1:
        name = field_of(_told(str(detail["loc"][1])))
    if detail["type"] == "value_error":
        sentence = str(detail["ctx"]["error"])
    else:
        sentence = SENTENCES[detail["type"]].format(**detail.get("ctx", {}), things=THINGS.get(name))
    return FieldError(spelling if name == "list_ids" else name, sentence)


def _once_per_field(errors: Iterable[FieldError]) -> list[FieldError]:
    return list({error.field: error for error in reversed(list(errors))}.values())[::-1]
