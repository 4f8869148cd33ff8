"""Bulk operations on contacts, and the states of all activities."""

from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify, request

from sandbox.activities import changes, sources
from sandbox.activities.activity import Activity
from sandbox.api import json_object, page, page_parameters, scope_check
from sandbox.contacts.records import Contact
from sandbox.errors import Invalid, NotFound
from sandbox.state import World, current_world

Change = Callable[[World, Contact, list[str], float], list[str]]

_STATES = ("processing", "completed", "cancelled", "failed", "timed_out")

blueprint = Blueprint("activities", __name__, url_prefix="/v3/activities")
blueprint.before_request(scope_check("contact_data"))


@blueprint.get("")
def index() -> dict[str, Any]:
    """Return the activities of the last ten days, oldest first, page by page."""
    world, parameters = current_world(), page_parameters()
    state = parameters.get("state")
    if state not in (None, *_STATES):
        raise Invalid(f"state accepts {', '.join(_STATES)}")
    with world.lock:
        now = world.now()
        shown, links = page(world.activities.in_state(now, state), parameters, most=500)
        answer: dict[str, Any] = {"activities": [item.resource(now, href(item)) for item in shown]}
    return answer | ({"_links": links} if links else {})


@blueprint.get("/<uuid:activity_id>")
def show(activity_id: UUID) -> dict[str, Any]:
    """Return how far an activity has come."""
    world = current_world()
    with world.lock:
        found = world.activities.find(str(activity_id))
        if found is None:
            raise NotFound("The activity does not exist")
        return found.resource(world.now(), href(found))


@blueprint.post("/contacts_taggings_add")
def add_tags() -> Response:
    """Give tags to contacts: to those named by their ids at once, to others when the activity is done."""
    return _tagging(changes.add_tags)


@blueprint.post("/contacts_taggings_remove")
def remove_tags() -> Response:
    """Take tags off contacts."""
    return _tagging(changes.remove_tags)


@blueprint.post("/add_list_memberships")
def add_to_lists() -> Response:
    """Put contacts on lists."""
    return _membership(changes.add_to_lists, sources.ADD_TO_LISTS)


@blueprint.post("/remove_list_memberships")
def remove_from_lists() -> Response:
    """Take contacts off lists."""
    return _membership(changes.remove_from_lists, sources.REMOVE_FROM_LISTS)


@blueprint.post("/contact_delete")
def delete_contacts() -> Response:
    """Delete contacts that are named by their ids, or the members of lists."""
    body, world = json_object(), current_world()
    with world.lock:
        contacts = sources.chosen(world, {"source": body}, sources.DELETION)
        counts = {"list_count": len(body["list_ids"])} if body.get("list_ids") else {}
        return _queued(world, contacts, changes.delete, [], counts)


def _tagging(change: Change) -> Response:
    body, world = json_object(), current_world()
    with world.lock:
        contacts = sources.chosen(world, body, sources.TAGGING)
        tag_ids = sources.known_ids("tag_ids", body.get("tag_ids"), world.tags, sources.MOST_IDS)
        # A developer who looks into the sandbox after a sign-up finds the tags without waiting.
        at_once = change is changes.add_tags and bool(body["source"].get("contact_ids"))
        return _queued(world, contacts, change, tag_ids, {}, at_once=at_once)


def _membership(change: Change, criteria: Collection[str]) -> Response:
    body, world = json_object(), current_world()
    with world.lock:
        contacts = sources.chosen(world, body, criteria)
        known = sources.live_list_ids(world)
        list_ids = sources.known_ids("list_ids", body.get("list_ids"), known, sources.MOST_IDS)
        return _queued(world, contacts, change, list_ids, {"list_count": len(list_ids)})


def _queued(
    world: World,
    contacts: list[Contact],
    change: Change,
    ids: list[str],
    counts: dict[str, int],
    *,
    at_once: bool = False,
) -> Response:
    """Queue a change of contacts; those that are deleted by the time it is done are skipped."""
    world.activities.refuse_when_full(world.now())

    def work(at: float) -> list[str]:
        live = [contact for contact in contacts if contact.deleted_at is None]
        return [problem for contact in live for problem in change(world, contact, ids, at)]

    counted = {"items_total_count": len(contacts)} | counts
    activity = Activity(world.now(), world.settings.activity_seconds, counted)
    if at_once:
        activity.errors = work(world.now())
    else:
        activity.work = work
    return accepted(world, activity, 201)


def settle() -> None:
    """Do the work of the activities that are completed by now; called before each request."""
    world = current_world()
    with world.lock:
        world.activities.settle(world.now())


def accepted(world: World, activity: Activity, status: int) -> Response:
    """Queue an activity and return the answer that leads to it."""
    world.activities.add(activity)
    answer = jsonify(activity.accepted(href(activity)))
    answer.status_code = status
    return answer


def href(activity: Activity) -> str:
    """Return the address of an activity; under a mount point it begins with the mount point."""
    return f"{request.script_root}/v3/activities/{activity.activity_id}"
