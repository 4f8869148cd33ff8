"""Whether an answer of the sandbox is one that the vendor's contract knows."""

import json
import re
from functools import cache
from typing import Any

from jsonschema import Draft4Validator, FormatChecker  # type: ignore[import-untyped]

from tests.sandbox.contract.exceptions import excused
from tests.sandbox.contract.extract import EXTRACT

_CONTRACT: dict[str, Any] = json.loads(EXTRACT.read_text(encoding="utf-8"))
OPERATIONS: dict[str, dict[str, Any]] = _CONTRACT["operations"]
# The vendor's error bodies: the contract has no schema for them; its guide and first-hand notes show three.
_ERROR = {
    "type": "object",
    "properties": {"error_key": {"type": "string"}, "error_message": {"type": "string"}},
    "required": ["error_key", "error_message"],
    "additionalProperties": False,
}
_GATEWAY = {
    "type": "object",
    "properties": {"message": {"type": "string"}},
    "required": ["message"],
    "additionalProperties": False,
}
_ERRORS = json.dumps({"anyOf": [{"type": "array", "minItems": 1, "items": _ERROR}, _ERROR, _GATEWAY]})


def problems(method: str, path: str, status: int, text: str) -> list[str]:
    """Return what the contract does not know about an answer to `path`, which is below /v3."""
    template = _template_of(path)
    operation = f"{method} {template}"
    if operation not in OPERATIONS:
        wanted = 404 if template is None else 405
        found = [] if status in (wanted, 429) else [f"{method} {path}: {status} where {wanted} is due"]
        return found + _violations(f"{method} {path}", status, text, _ERRORS)
    found = [] if _allowed(operation, status) else [f"{operation}: {status} is not in the contract"]
    if status >= 400:
        return found + _violations(operation, status, text, _ERRORS)
    if status == 204:
        return [*found, f"{operation}: 204 has a body"] if text else found
    schema = OPERATIONS[operation].get(str(status))
    return found if schema is None else found + _violations(operation, status, text, json.dumps(schema))


def _template_of(path: str) -> str | None:
    """Return the path template that a path means; the most literal one wins."""
    templates = {operation.split(" ")[1] for operation in OPERATIONS}
    fitting = [template for template in templates if _pattern(template).fullmatch(path)]
    return min(fitting, key=lambda template: template.count("{"), default=None)


def _allowed(operation: str, status: int) -> bool:
    return str(status) in OPERATIONS[operation] or excused(operation, status)


def _violations(operation: str, status: int, text: str, schema: str) -> list[str]:
    try:
        body = json.loads(text)
    except ValueError:
        return [f"{operation}: {status} is not JSON: {text[:80]!r}"]
    return [
        f"{operation}: {status} {error.json_path}: {error.message}"
        for error in _validator(schema).iter_errors(body)
    ]


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)))


@cache
def _validator(schema: str) -> Any:
    # Closed objects: the vendor's are open, but a member that the sandbox makes up is a lie.
    rules = _closed(json.loads(schema)) | {"definitions": _closed(_CONTRACT["definitions"])}
    return Draft4Validator(rules, format_checker=FormatChecker())


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    return closed | {"additionalProperties": False} if isinstance(closed.get("properties"), dict) else closed
