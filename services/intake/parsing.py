"""Read a body, JSON or an HTML form's, as a submission: with limits on its size, and in one way only."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from pydantic import ValidationError

from services.errors import FieldError, InvalidSubmission, MalformedSubmission
from services.forms.form import Form
from services.forms.hidden_fields import cut_source, drop_unseen
from services.forms.honeypot import trap_name
from services.plain_text import NamedTwice, admitted, mended, shortened, through, whole
from services.submission.custom_fields import field_of, gathered_tags
from services.submission.field_names import OWN_NAMES, PARTS
from services.submission.field_parts import composed
from services.submission.field_types import SENTENCES
from services.submission.fields import UNSEEN, Reading, Submission
from services.submission.reading import (
    MOST_IGNORED,
    Fields,
    fields_of_form,
    fields_of_json,
    named_to_sender,
    unwrapped,
)
from services.submission.values.encodings import text_of

# Far more than a form has; reading more would only cost time.
MOST_VALUES, MOST_LEVELS = 500, 10
TOO_MANY = f"The body has more than {MOST_VALUES} values."
TWICE = "The body names a field twice."
# Where an answer repeats a name that is not ours.
LONGEST_NAME_BYTES = 100
NO_LIST = "Choose at least one list: send list_id, list_ids or form."
KNOWN = OWN_NAMES | PARTS
# Between several ids in one text: ids have neither.
_SEVERAL = re.compile(r"[,;]")
THINGS = {"list_ids": "lists", "tags": "tags", "custom_fields": "custom fields"}


FormOf = Callable[[str], Form | None]


def no_form(_slug: str) -> Form | None:
    """Know no form, for tests and benchmarks."""
    return None


def read_json(raw: bytes, form_of: FormOf = no_form) -> Submission:
    """Read a JSON body; `form_of` finds a known form, whose hidden fields cost no sign-up.

    Raises:
        MalformedSubmission: it is not JSON, names a field twice, or is too large or too deep.
        InvalidSubmission: it is not an object, or fields are missing or wrong.
    """
    try:
        document = _DECODER.decode(text_of(raw).removeprefix("\ufeff"))
        if isinstance(document, str) and document.lstrip()[:1] in {"{", "["}:
            # It was encoded as JSON twice.
            document = _DECODER.decode(document)
    except (ValueError, RecursionError):
        raise MalformedSubmission("The body is not valid JSON.") from None
    _check_size(document)
    document = unwrapped(document)
    if not isinstance(document, dict):
        raise InvalidSubmission([FieldError("body", "Send one JSON object with the fields of the sign-up.")])
    return _read(fields_of_json(document), form_of)


def read_form(pairs: Iterable[tuple[str, str]], form_of: FormOf = no_form) -> Submission:
    """Read the pairs of an HTML form; a name may be repeated and may end in []. `form_of` as for JSON.

    Raises:
        MalformedSubmission: there are too many.
        InvalidSubmission: fields are missing or wrong.
    """
    bounded = list(islice(pairs, MOST_VALUES + 1))
    if len(bounded) > MOST_VALUES:
        raise MalformedSubmission(TOO_MANY)
    return _read(fields_of_form(bounded), form_of)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")  # RFC 8259 §6 has no NaN and no Infinity


def _once_each(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        # RFC 8259 §4 leaves open which one counts: what another program checked may not be what we store.
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


def _read(found: Fields, form_of: FormOf) -> Submission:
    sent_form = found.known.get("form")
    slug = sent_form if isinstance(sent_form, str) else None
    trap = found.unknown.pop(trap_name(slug.strip() if slug else None), None)
    fields, refused = _admitted(found.unknown | found.known)
    ignored = found.not_understood + composed(fields)
    ignored += [] if cut_source(fields) else ["source"]
    fields = {name: value for name, value in fields.items() if name in OWN_NAMES}
    spelling = "list_id" if "list_id" in fields and "list_ids" not in fields else "list_ids"
    if fields.keys() & {"list_id", "list_ids"}:
        fields["list_ids"] = _gather_lists(fields.pop("list_id", None), fields.get("list_ids"))
    if "tags" in fields:
        fields["tags"] = gathered_tags(_several_tags(fields["tags"]))
    submission, errors = _validated(fields, refused, spelling)
    form = form_of(slug.strip()) if errors and slug else None
    before: list[FieldError] = []
    while form and errors != before and (dropped := drop_unseen(fields, errors, form)):
        ignored, before = ignored + dropped, errors
        refused = [error for error in refused if error.field not in dropped]
        submission, errors = _validated(fields, refused, spelling)
    named = _named(ignored)
    if errors or submission is None:
        raise InvalidSubmission(_once_per_field(errors), form=slug, ignored=named)
    return submission.read_as(Reading(named, found.plain, None if trap is None else str(trap)))


def _validated(
    fields: Mapping[str, Any], refused: Sequence[FieldError], spelling: str
) -> tuple[Submission | None, list[FieldError]]:
    errors: list[FieldError] = []
    if not fields.get("list_ids") and not fields.get("form"):
        errors.append(FieldError(spelling, NO_LIST))
    try:
        submission = Submission.model_validate(fields)
    except ValidationError as error:
        return None, [*refused, *(_field_error(detail, spelling) for detail in error.errors()), *errors]
    return submission, [*refused, *errors]


def _named(ignored: Iterable[str]) -> tuple[str, ...]:
    names = (named_to_sender(name) for name in ignored)
    return tuple(dict.fromkeys(name for name in names if name))[:MOST_IGNORED]


def _admitted(document: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    """Return the fields as services/plain_text.py admits them, and an error for each that it refuses."""
    fields: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name, value in document.items():
        try:
            if name == "custom_fields" and isinstance(value, dict):
                fields[name] = _custom_fields(value, errors)
            elif name in KNOWN:
                fields[name] = through(value, mended if name in UNSEEN else admitted)
            else:
                # Dropped; but half a character (a lone surrogate) is an error of the sender's program.
                through({name: value}, whole, twice=True)
        except NamedTwice:
            raise MalformedSubmission(TWICE) from None
        except ValueError as wrong:
            fields[name] = None
            errors.append(FieldError(_short_name(name) or "body", str(wrong)))
    return fields, errors


def _custom_fields(sent: Mapping[str, Any], errors: list[FieldError]) -> dict[str, Any]:
    """Admit each by itself, so that the answer can tell which one is wrong."""
    fields: dict[str, Any] = {}
    for name, value in sent.items():
        try:
            fields |= _new({admitted(name): through(value, admitted)}, fields)
        except NamedTwice:
            raise
        except ValueError as wrong:
            errors.append(FieldError(field_of(_short_name(name)), str(wrong)))
    return fields


def _new(field: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    if field.keys() & fields.keys():
        raise NamedTwice
    return field


def _short_name(name: str) -> str:
    return shortened(mended(name), LONGEST_NAME_BYTES)


def _several_tags(value: object) -> object:
    """Split one text at its commas into tags; in an array each stands for itself."""
    if isinstance(value, str):
        return value.split(",")
    if isinstance(value, list):
        return [str(each) if type(each) in {int, float} else each for each in value if each is not None]
    return None if value in (False, {}) else str(value) if type(value) in {int, float} else value


def _gather_lists(*values: object) -> object:
    """Return the distinct ids of list_id and list_ids, each a text or an array."""
    gathered: list[object] = []
    for value in values:
        if isinstance(value, list | tuple):
            gathered += value
        elif value is not None:
            gathered.append(value)
    gathered = [
        one for each in gathered for one in (_SEVERAL.split(each) if isinstance(each, str) else [each])
    ]
    return tuple(dict.fromkeys(v.strip() if isinstance(v, str) else repr(v) for v in gathered if v != ""))


def _field_error(detail: Any, spelling: str) -> FieldError:
    name = str(detail["loc"][0])
    if name == "custom_fields" and len(detail["loc"]) > 1:
        name = field_of(_short_name(str(detail["loc"][1])))
    if detail["type"] == "value_error":
        sentence = str(detail["ctx"]["error"])
    else:
        sentence = SENTENCES[detail["type"]].format(**detail.get("ctx", {}), things=THINGS.get(name))
    return FieldError(spelling if name == "list_ids" else name, sentence)


def _once_per_field(errors: Iterable[FieldError]) -> list[FieldError]:
    return list({error.field: error for error in reversed(list(errors))}.values())[::-1]
