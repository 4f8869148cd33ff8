"""The custom fields of the account."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint

from .api import json_object, page, page_parameters, scope_check
from .custom_values import SELECTS, TYPES, CustomField
from .errors import Conflict, Invalid, NotFound
from .records import timestamp
from .state import current_world

MOST_FIELDS = MOST_CHOICES = 100

blueprint = Blueprint("custom_fields", __name__, url_prefix="/v3/contact_custom_fields")
blueprint.before_request(scope_check("contact_data"))


def resource(item: CustomField) -> dict[str, Any]:
    """The contract's CustomField; members that do not apply are left out."""
    created_at = timestamp(item.created_at)
    shown: dict[str, Any] = {
        "custom_field_id": item.custom_field_id,
        "label": item.label,
        "name": item.name,
        "type": item.type,
        "updated_at": created_at,
        "created_at": created_at,
    }
    if item.metadata:
        shown["metadata"] = item.metadata
    if item.choices:
        shown["choices"] = [
            {"choice_id": number, "choice_label": label, "display_order": order}
            for order, (number, label) in enumerate(item.choices.items(), start=1)
        ]
    return shown


@blueprint.get("")
def index() -> dict[str, Any]:
    """All custom fields, page by page."""
    world, parameters = current_world(), page_parameters()
    with world.lock:
        shown, links = page(list(world.custom_fields.values()), parameters, most=100)
        return {"custom_fields": [resource(item) for item in shown]} | ({"_links": links} if links else {})


@blueprint.post("")
def create() -> tuple[dict[str, Any], int]:
    """A new custom field."""
    body, world = _checked(json_object()), current_world()
    with world.lock:
        if any(item.label.lower() == body["label"].lower() for item in world.custom_fields.values()):
            raise Conflict("Validation failed: Custom field label already exists")
        if len(world.custom_fields) >= MOST_FIELDS:
            raise Invalid(f"An account may have at most {MOST_FIELDS} custom fields")
        created = CustomField(str(uuid4()), created_at=world.now(), **body)
        world.custom_fields[created.custom_field_id] = created
        return resource(created), 201


@blueprint.delete("/<uuid:custom_field_id>")
def delete(custom_field_id: UUID) -> tuple[str, int]:
    """Delete a custom field, and what contacts hold in it."""
    world = current_world()
    with world.lock:
        if world.custom_fields.pop(str(custom_field_id), None) is None:
            raise NotFound("The custom field does not exist")
        for contact in world.contacts.values():
            contact.custom_fields.pop(str(custom_field_id), None)
    return "", 204


def _checked(body: dict[str, Any]) -> dict[str, Any]:
    """The members of the contract's CustomFieldRequest that are imitated."""
    label, kind = body.get("label"), body.get("type")
    choices, metadata = body.get("choices", []), body.get("metadata", {})
    problems = []
    if not isinstance(label, str) or not label.strip() or len(label) > 50:
        problems.append("label is required: a string of 1 to 50 characters")
    if kind not in TYPES:
        problems.append(f"type must be one of {', '.join(TYPES)}")
    if not isinstance(choices, list) or len(choices) > MOST_CHOICES or not all(map(_is_choice, choices)):
        problems.append(f"choices must be an array of at most {MOST_CHOICES} objects with a choice_label")
    elif bool(choices) != (kind in SELECTS):
        problems.append("choices belong to single_select and multi_select, which need them")
    if not isinstance(metadata, dict):
        problems.append("metadata must be an object")
    if problems:
        raise Invalid(*problems)
    labels = {number: choice["choice_label"] for number, choice in enumerate(choices, start=1)}
    return {"label": label, "type": kind, "choices": labels, "metadata": metadata}


def _is_choice(choice: object) -> bool:
    label = choice.get("choice_label") if isinstance(choice, dict) else None
    return isinstance(label, str) and 0 < len(label) <= 255
