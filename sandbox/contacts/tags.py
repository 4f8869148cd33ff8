"""The account's tags."""

from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, Response, request

from sandbox.activities.activity import Activity
from sandbox.activities.views import accepted
from sandbox.api import flag, json_object, page, page_parameters, scope_check
from sandbox.contacts.records import Tag
from sandbox.errors import Conflict, Invalid, NotFound
from sandbox.state import World, current_world

blueprint = Blueprint("tags", __name__, url_prefix="/v3/contact_tags")
blueprint.before_request(scope_check("contact_data"))


@blueprint.get("")
def index() -> dict[str, Any]:
    """Return all tags, page by page."""
    world, parameters = current_world(), page_parameters()
    with world.lock:
        shown, links = page(list(world.tags.values()), parameters, most=500)
        tags = [item.resource() for item in shown]
        if flag(parameters, "include_count"):
            tags = [tag | {"contacts_count": world.tagged(tag["tag_id"])} for tag in tags]
    return {"tags": tags} | ({"_links": links} if links else {})


@blueprint.post("")
def create() -> tuple[dict[str, Any], int]:
    """Create a tag with a name of its own."""
    body, world = json_object(), current_world()
    source = body.get("tag_source")
    if "tag_source" in body and not isinstance(source, str):
        raise Invalid("tag_source must be a string")
    with world.lock:
        created = Tag(str(uuid4()), _free_name(world, body), world.now(), world.now(), source)
        world.tags[created.tag_id] = created
        return created.resource(), 201


@blueprint.get("/<uuid:tag_id>")
def show(tag_id: UUID) -> dict[str, Any]:
    """Return one tag."""
    world, counted = current_world(), flag(dict(request.args.items()), "include_count")
    with world.lock:
        found = _existing(world, tag_id)
        return found.resource() | ({"contacts_count": world.tagged(found.tag_id)} if counted else {})


@blueprint.put("/<uuid:tag_id>")
def rename(tag_id: UUID) -> dict[str, Any]:
    """Give a tag another name; its source stays."""
    body, world = json_object(), current_world()
    with world.lock:
        found = _existing(world, tag_id)
        found.name = _free_name(world, body, but=found.tag_id)
        found.updated_at = world.now()
        return found.resource()


@blueprint.delete("/<uuid:tag_id>")
def delete(tag_id: UUID) -> Response:
    """Delete a tag and take it off its contacts; here at once, though reported as an activity."""
    world = current_world()
    with world.lock:
        found = _existing(world, tag_id)
        del world.tags[found.tag_id]
        for contact in world.contacts.values():
            contact.taggings = [tag for tag in contact.taggings if tag != found.tag_id]
        counts = {"items_total_count": 1}
        return accepted(world, Activity(world.now(), world.settings.activity_seconds, counts), 202)


def _existing(world: World, tag_id: UUID) -> Tag:
    found = world.tags.get(str(tag_id))
    if found is None:
        raise NotFound("The tag does not exist")
    return found


def _free_name(world: World, body: dict[str, Any], *, but: str | None = None) -> str:
    """Return the name that a body asks for.

    Raises:
        Invalid: there is none, or it is too long.
        Conflict: another tag has it.
    """
    name = body.get("name")
    if not isinstance(name, str) or not name.strip() or len(name) > 255:
        raise Invalid("name is required: a string of 1 to 255 characters")
    if any(item.name.lower() == name.lower() and item.tag_id != but for item in world.tags.values()):
        raise Conflict("Validation failed: Tag name already exists")
    return name
