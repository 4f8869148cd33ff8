"""The custom fields of the account."""

from itertools import count
from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint

from sandbox.api import json_object, page, page_parameters, scope_check
from sandbox.contacts.custom_values import SELECTS, TYPES, CustomField
from sandbox.contacts.records import timestamp
from sandbox.errors import Conflict, Invalid, NotFound
from sandbox.state import World, current_world

MOST_FIELDS = MOST_CHOICES = 100

blueprint = Blueprint("custom_fields", __name__, url_prefix="/v3/contact_custom_fields")
blueprint.before_request(scope_check("contact_data"))


def resource(item: CustomField) -> dict[str, Any]:
    """Return the contract's CustomField; members that do not apply are left out."""
    shown: dict[str, Any] = {
        "custom_field_id": item.custom_field_id,
        "label": item.label,
        "name": item.name,
        "type": item.type,
        "updated_at": timestamp(item.updated_at),
        "created_at": timestamp(item.created_at),
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
    """Return all custom fields, page by page."""
    world, parameters = current_world(), page_parameters()
    with world.lock:
        shown, links = page(list(world.custom_fields.values()), parameters, most=100)
        return {"custom_fields": [resource(item) for item in shown]} | ({"_links": links} if links else {})


@blueprint.post("")
def create() -> tuple[dict[str, Any], int]:
    """Create a custom field."""
    body, world = _checked(json_object()), current_world()
    with world.lock:
        _refuse_taken(world, body["label"])
        if len(world.custom_fields) >= MOST_FIELDS:
            raise Invalid(f"An account may have at most {MOST_FIELDS} custom fields")
        now = world.now()
        created = CustomField(str(uuid4()), created_at=now, updated_at=now, **body)
        world.custom_fields[created.custom_field_id] = created
        return resource(created), 201


@blueprint.get("/<uuid:custom_field_id>")
def show(custom_field_id: UUID) -> dict[str, Any]:
    """Return one custom field."""
    world = current_world()
    with world.lock:
        return resource(_existing(world, custom_field_id))


@blueprint.put("/<uuid:custom_field_id>")
def change(custom_field_id: UUID) -> dict[str, Any]:
    """Replace the label and the choices.

    A choice without an id is new; one that is left out is gone, at the contacts too.
    """
    body, world = json_object(), current_world()
    with world.lock:
        found = _existing(world, custom_field_id)
        label = _checked(body | {"type": found.type})["label"]
        _refuse_taken(world, label, but=found.custom_field_id)
        found.choices = _changed_choices(found, _ordered(body.get("choices", [])))
        found.label, found.updated_at = label, world.now()
        for contact in world.contacts.values():
            found.follow(contact.custom_fields)
        return resource(found)


@blueprint.delete("/<uuid:custom_field_id>")
def delete(custom_field_id: UUID) -> tuple[str, int]:
    """Delete a custom field, and its values at the contacts."""
    world = current_world()
    with world.lock:
        del world.custom_fields[_existing(world, custom_field_id).custom_field_id]
        for contact in world.contacts.values():
            contact.custom_fields.pop(str(custom_field_id), None)
    return "", 204


def _existing(world: World, custom_field_id: UUID) -> CustomField:
    found = world.custom_fields.get(str(custom_field_id))
    if found is None:
        raise NotFound("The custom field does not exist")
    return found


def _refuse_taken(world: World, label: str, *, but: str | None = None) -> None:
    fields = world.custom_fields.values()
    if any(item.label.lower() == label.lower() and item.custom_field_id != but for item in fields):
        raise Conflict("Validation failed: Custom field label already exists")


def _changed_choices(found: CustomField, choices: list[dict[str, Any]]) -> dict[int, str]:
    """Return the labels by id; new ids follow the highest that is in use.

    Raises:
        Invalid: an id is not one of this field's choices, or stands there twice.
    """
    kept = [choice["choice_id"] for choice in choices if "choice_id" in choice]
    if len(set(map(str, kept))) < len(kept) or not all(number in found.choices for number in kept):
        raise Invalid("choices: choice_id must name a choice of this field, once")
    new = count(max(found.choices, default=0) + 1)
    return {choice.get("choice_id") or next(new): choice["choice_label"] for choice in choices}


def _checked(body: dict[str, Any]) -> dict[str, Any]:
    """Return the members of the contract's CustomFieldRequest that are imitated."""
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
    labels = {number: choice["choice_label"] for number, choice in enumerate(_ordered(choices), start=1)}
    return {"label": label, "type": kind, "choices": labels, "metadata": metadata}


def _is_choice(choice: object) -> bool:
    if not isinstance(choice, dict):
        return False
    label, numbers = choice.get("choice_label"), [choice.get("choice_id", 1), choice.get("display_order", 1)]
    whole = all(isinstance(number, int) and not isinstance(number, bool) for number in numbers)
    return isinstance(label, str) and 0 < len(label) <= 255 and whole


def _ordered(choices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the choices by `display_order`, for which the place in the array stands where it is missing."""
    numbered = enumerate(choices, start=1)
    return [choice for _, choice in sorted(numbered, key=lambda each: each[1].get("display_order", each[0]))]
