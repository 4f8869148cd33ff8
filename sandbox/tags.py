"""The account's tags, and the activity by which contacts get them; here everything is done at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, Response, jsonify, request

from .api import flag, json_object, page, page_parameters, scope_check
from .errors import Conflict, Invalid, NotFound
from .records import Tag, timestamp
from .state import World, current_world

MOST_CONTACTS, MOST_TAGS = 500, 50

blueprint = Blueprint("tags", __name__, url_prefix="/v3")
blueprint.before_request(scope_check("contact_data"))


@blueprint.get("/contact_tags")
def index() -> dict[str, Any]:
    """All tags, page by page."""
    world, parameters = current_world(), page_parameters()
    with world.lock:
        shown, links = page(list(world.tags.values()), parameters, most=500)
        tags = [item.resource() for item in shown]
        if flag(parameters, "include_count"):
            tags = [tag | {"contacts_count": world.tagged(tag["tag_id"])} for tag in tags]
    return {"tags": tags} | ({"_links": links} if links else {})


@blueprint.post("/contact_tags")
def create() -> tuple[dict[str, Any], int]:
    """A new tag; its name is unique."""
    body, world = json_object(), current_world()
    name = body.get("name")
    if not isinstance(name, str) or not name.strip() or len(name) > 255:
        raise Invalid("name is required: a string of 1 to 255 characters")
    with world.lock:
        if any(item.name.lower() == name.lower() for item in world.tags.values()):
            raise Conflict("Validation failed: Tag name already exists")
        created = Tag(str(uuid4()), name, world.now())
        world.tags[created.tag_id] = created
        return created.resource(), 201


@blueprint.delete("/contact_tags/<uuid:tag_id>")
def delete(tag_id: UUID) -> Response:
    """Delete a tag and take it off its contacts."""
    world = current_world()
    with world.lock:
        if world.tags.pop(str(tag_id), None) is None:
            raise NotFound("The tag does not exist")
        for contact in world.contacts.values():
            contact.taggings = [held for held in contact.taggings if held != str(tag_id)]
        activity = _activity(world)
    return _answer(activity, 202)


@blueprint.post("/activities/contacts_taggings_add")
def add() -> Response:
    """Give tags to contacts that are named by their ids; other sources are not imitated."""
    body, world = json_object(), current_world()
    source = body.get("source")
    if not isinstance(source, dict) or set(source) != {"contact_ids"}:
        raise Invalid("source must hold contact_ids; other sources are not imitated by the sandbox")
    with world.lock:
        contact_ids = _known("contact_ids", source["contact_ids"], world.contacts, MOST_CONTACTS)
        tag_ids = _known("tag_ids", body.get("tag_ids"), world.tags, MOST_TAGS)
        for contact_id in contact_ids:
            contact = world.contacts[contact_id]
            contact.taggings = list(dict.fromkeys([*contact.taggings, *tag_ids]))
        activity = _activity(world)
    return _answer(activity, 201)


def _known(name: str, ids: Any, known: dict[str, Any], most: int) -> list[str]:
    if not isinstance(ids, list) or not 1 <= len(ids) <= most:
        raise Invalid(f"{name} must be an array of 1 to {most} ids")
    unknown = [str(each) for each in ids if not isinstance(each, str) or each not in known]
    if unknown:
        raise Invalid(f"{name}: {', '.join(unknown)} does not exist")
    return ids


def _activity(world: World) -> dict[str, Any]:
    activity_id = str(uuid4())
    now = timestamp(world.now())
    activity: dict[str, Any] = {
        "activity_id": activity_id,
        "created_at": now,
        "updated_at": now,
        "activity_errors": [],
        "_links": {"self": {"href": f"{request.script_root}/v3/activities/{activity_id}"}},
    }
    world.activities[activity_id] = activity
    return activity


def _answer(activity: dict[str, Any], status: int) -> Response:
    answer = jsonify(activity | {"state": "initialized", "percent_done": 0})
    answer.status_code = status
    return answer
