"""What the API's description is made of: the schemas of the models, and the answers that have these."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from services.delivery.worker import DrainReport
from services.errors import FieldError
from services.operations.health import HealthReport
from services.signups.views import SignupView
from services.submission.fields import Submission
from web.api.status import ListsView
from web.error_answers import JSON, WORDS

Document = dict[str, Any]

IGNORED = {"type": "array", "items": {"type": "string"}, "description": "Names that were not understood."}
PROBLEM = "application/problem+json"
_SCHEMAS = "#/components/schemas/{model}"


def schemas() -> Document:
    """Return the schema of every model that the description refers to."""
    _, found = models_json_schema([(Submission, "validation")], ref_template=_SCHEMAS)
    made: Document = dict(found["$defs"])
    for kind in (SignupView, ListsView, HealthReport, DrainReport, FieldError):
        schema = TypeAdapter(kind).json_schema(ref_template=_SCHEMAS, mode="serialization")
        made |= schema.pop("$defs", {})
        made[kind.__name__] = schema
    # `GET /health` does not answer these.
    for name in ("storable", "suspected"):
        del made["HealthReport"]["properties"][name]
    made["HealthReport"]["required"].remove("storable")
    # `GET /health` answers sentences. The schema called "Problem" is that of an error.
    made["HealthReport"]["properties"]["problems"] = {"type": "array", "items": {"type": "string"}}
    del made["Level"]
    made["Submission"] = _as_sent(made["Submission"])
    for schema in made.values():
        del schema["description"]  # the docstring speaks to developers of this project
    return made | {"Problem": _problem_document()}


def _as_sent(submission: Document) -> Document:
    """Return the model as senders see it: one list may be named alone, as `list_id`."""
    properties = dict(submission["properties"])
    one = properties["list_ids"]["items"]
    properties["list_id"] = one | {"description": "One list; or send list_ids, or form."}
    either = [{"required": [name]} for name in ("list_ids", "list_id", "form")]
    return submission | {"properties": properties, "anyOf": either}


def _problem_document() -> Document:
    """Return the schema of an error (RFC 9457) with the fields that are wrong."""
    text = {"type": "string"}
    document = object_of({"type": text, "title": text, "status": {"type": "integer"}, "detail": text})
    document["properties"]["errors"] = {"type": "array", "items": reference("FieldError")}
    document["properties"]["ignored"] = IGNORED
    return document


def object_of(properties: Mapping[str, Any]) -> Document:
    """Return the schema of an object that has all these properties."""
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def reference(model: str) -> Document:
    """Return a reference to a model's schema."""
    return {"$ref": _SCHEMAS.format(model=model)}


def json_answer(description: str, schema: Mapping[str, Any]) -> Document:
    """Return an answer whose JSON has this schema."""
    return {"description": description, "content": {JSON: {"schema": schema}}}


def problems(*statuses: int, page: bool = False) -> Document:
    """Return the errors with these statuses; `page` as in `problem`."""
    return {str(status): problem(WORDS[status][0], page=page) for status in statuses}


def unavailable(description: str, *, page: bool = False) -> Document:
    """Return the 503 that a later try may not get."""
    return {"503": later(description, page=page)}


def later(description: str, *, page: bool) -> Document:
    """Return an error that says when to try again."""
    retry = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return problem(description, page=page) | {"headers": retry}


def problem(description: str, *, page: bool) -> Document:
    """Return an error; with `page` a browser that posted a form gets a page instead."""
    content: Document = {PROBLEM: {"schema": reference("Problem")}}
    if page:
        content["text/html"] = {"schema": {"type": "string"}}
    return {"description": description, "content": content}
