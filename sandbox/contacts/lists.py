"""Contact lists."""

from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, Response, request

from sandbox.activities.activity import Activity
from sandbox.activities.views import accepted, href
from sandbox.api import comma_list, flag, json_object, page, page_parameters, scope_check
from sandbox.contacts.records import ContactList
from sandbox.errors import Conflict, Invalid, NotFound
from sandbox.state import World, current_world

MOST_LISTS = 1_000

blueprint = Blueprint("lists", __name__, url_prefix="/v3")
blueprint.before_request(scope_check("contact_data"))


@blueprint.get("/contact_lists")
def index() -> dict[str, Any]:
    """Return all lists, page by page."""
    world, parameters = current_world(), page_parameters()
    with world.lock:
        found = _found(world, parameters)
        shown, links = page(found, parameters, most=1_000)
        answer: dict[str, Any] = {"lists": [_with_count(world, item, parameters) for item in shown]}
    if flag(parameters, "include_count"):
        answer["lists_count"] = len(found)
    return answer | ({"_links": links} if links else {})


@blueprint.post("/contact_lists")
def create() -> tuple[dict[str, Any], int]:
    """Create a list."""
    body, world = _checked(json_object()), current_world()
    with world.lock:
        _refuse_duplicate(world, body["name"], but=None)
        if len(world.live_lists()) >= MOST_LISTS:
            raise Invalid(f"An account may have at most {MOST_LISTS} lists")
        now = world.now()
        created = ContactList(str(uuid4()), created_at=now, updated_at=now, **body)
        world.lists[created.list_id] = created
        return created.resource(), 201


@blueprint.get("/contact_lists/<uuid:list_id>")
def show(list_id: UUID) -> dict[str, Any]:
    """Return one list."""
    world = current_world()
    with world.lock:
        return _with_count(world, _existing(world, str(list_id)), dict(request.args.items()))


@blueprint.put("/contact_lists/<uuid:list_id>")
def change(list_id: UUID) -> dict[str, Any]:
    """Replace name, description and favorite of a list."""
    body, world = _checked(json_object()), current_world()
    with world.lock:
        changed = _existing(world, str(list_id))
        _refuse_duplicate(world, body["name"], but=str(list_id))
        changed.name, changed.description, changed.favorite = (
            body["name"],
            body["description"],
            body["favorite"],
        )
        changed.updated_at = world.now()
        return changed.resource()


@blueprint.delete("/contact_lists/<uuid:list_id>")
def delete(list_id: UUID) -> Response:
    """Delete a list and its memberships; here at once, though reported as an activity."""
    world = current_world()
    with world.lock:
        now = world.now()
        _existing(world, str(list_id)).deleted_at = now
        for contact in world.members(str(list_id)):
            contact.list_memberships.remove(str(list_id))
        activity = Activity(now, world.settings.activity_seconds)
        answer = accepted(world, activity, 202)
    answer.headers["Location"] = href(activity)
    return answer


def _existing(world: World, list_id: str) -> ContactList:
    found = world.lists.get(list_id)
    if found is None or found.deleted_at is not None:
        raise NotFound("The list does not exist")
    return found


def _found(world: World, parameters: dict[str, str]) -> list[ContactList]:
    statuses = comma_list(parameters.get("status", "active"))
    if not statuses or not statuses <= {"all", "active", "deleted"}:
        raise Invalid("status accepts all, active and deleted")
    name = parameters.get("name")
    return [
        item
        for item in world.lists.values()
        if ("all" in statuses or ("active" if item.deleted_at is None else "deleted") in statuses)
        and (name is None or item.name == name)
    ]


def _with_count(world: World, item: ContactList, parameters: dict[str, str]) -> dict[str, Any]:
    counted = parameters.get("include_membership_count")
    if counted is None:
        return item.resource()
    if counted not in ("all", "active"):
        raise Invalid("include_membership_count accepts all and active")
    members = world.members(item.list_id)
    count = sum(counted == "all" or contact.status == "active" for contact in members)
    return item.resource() | {"membership_count": count}


def _refuse_duplicate(world: World, name: str, *, but: str | None) -> None:
    if any(item.name.lower() == name.lower() and item.list_id != but for item in world.live_lists()):
        raise Conflict("Validation failed: List name already exists")


def _checked(body: dict[str, Any]) -> dict[str, Any]:
    """Return the members of the contract's ListInput; others are ignored."""
    name, description, favorite = body.get("name"), body.get("description"), body.get("favorite", False)
    problems = []
    if not isinstance(name, str) or not name.strip() or len(name) > 255:
        problems.append("name is required: a string of 1 to 255 characters")
    if description is not None and not isinstance(description, str):
        problems.append("description must be a string")
    if not isinstance(favorite, bool):
        problems.append("favorite must be true or false")
    if problems:
        raise Invalid(*problems)
    return {"name": name, "description": description or "", "favorite": favorite}
