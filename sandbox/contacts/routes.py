"""The contact operations."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, request

from sandbox.api import comma_list, flag, json_object, page, page_parameters, scope_check
from sandbox.contacts import input_checks, rules
from sandbox.contacts.records import SUB_RESOURCES, Contact
from sandbox.errors import Conflict, Invalid, NotFound, NotImitated
from sandbox.gateway import wait_out_delay
from sandbox.state import World, current_world

blueprint = Blueprint("contacts", __name__, url_prefix="/v3/contacts")
blueprint.before_request(scope_check("contact_data"))

_STATUSES = ("all", "active", "deleted", "not_set", "pending_confirmation", "temp_hold", "unsubscribed")
_DATES: dict[str, Callable[[Contact], float | None]] = {
    "created": lambda contact: contact.created_at,
    "updated": lambda contact: contact.updated_at,
    "optout": lambda contact: contact.email.opt_out_date if contact.email else None,
}
_NOT_IMITATED = ("segment_id", "sms_status")
# Parameters that filter by ids: how many they take at most, and the ids that a contact has.
_ID_FILTERS: dict[str, tuple[int, Callable[[Contact], list[str]]]] = {
    "lists": (25, lambda contact: contact.list_memberships),
    "tags": (50, lambda contact: contact.taggings),
}
# The members of the contract's ContactsCounts, and the permissions that they count.
_COUNTED = {
    "explicit": "explicit",
    "implicit": "implicit",
    "pending": "pending_confirmation",
    "unsubscribed": "unsubscribed",
}


@blueprint.post("/sign_up_form")
def sign_up() -> tuple[dict[str, Any], int]:
    """Create a contact or update it partially, by a person's own consent."""
    body, world = json_object(), current_world()
    with world.lock:
        input_checks.sign_up(world, body)
        key = rules.edit_key(world, body)
    with _editing(world, key), world.lock:
        rules.guard_against_abuse(world, body)
        contact, created = rules.sign_up(world, body)
    action, status = ("created", 201) if created else ("updated", 200)
    return {"contact_id": contact.contact_id, "action": action}, status


@blueprint.post("")
def create() -> tuple[dict[str, Any], int]:
    """Create a contact."""
    body, world = json_object(), current_world()
    with world.lock:
        input_checks.create(world, body)
    address = body.get("email_address", {}).get("address", "")
    with _editing(world, address.lower()), world.lock:
        return rules.create(world, body).resource(SUB_RESOURCES), 201


@blueprint.get("")
def index() -> dict[str, Any]:
    """Return the contacts that match every condition, page by page."""
    world, parameters = current_world(), page_parameters()
    include = _include(parameters)
    with world.lock:
        found = _found(world, parameters)
        shown, links = page(found, parameters, most=500)
        answer: dict[str, Any] = {"contacts": [contact.resource(include) for contact in shown]}
    if flag(parameters, "include_count"):
        answer["contacts_count"] = len(found)
    return answer | ({"_links": links} if links else {})


@blueprint.get("/counts")
def counts() -> dict[str, int]:
    """Return how many contacts there are, and how many of each consent."""
    world, include = current_world(), request.args.get("include")
    if include not in (None, "new_subscriber"):
        raise Invalid("include accepts new_subscriber")
    with world.lock:
        live = [contact for contact in world.contacts.values() if contact.deleted_at is None]
        permissions = Counter(contact.email.permission_to_send for contact in live if contact.email)
        answer = {"total": len(live)} | {name: permissions[counted] for name, counted in _COUNTED.items()}
        if include:
            answer[include] = sum(contact.subscribed_lately(world.now()) for contact in live)
    return answer


@blueprint.get("/<uuid:contact_id>")
def show(contact_id: UUID) -> dict[str, Any]:
    """Return one contact, deleted ones included."""
    world, include = current_world(), _include(dict(request.args.items()))
    with world.lock:
        return rules.existing(world, str(contact_id)).resource(include)


@blueprint.put("/<uuid:contact_id>")
def replace(contact_id: UUID) -> dict[str, Any]:
    """Replace a contact."""
    body, world = json_object(), current_world()
    with world.lock:
        contact = rules.existing(world, str(contact_id))
        input_checks.replace(world, body)
    with _editing(world, contact.edit_key), world.lock:
        rules.replace(world, contact, body)
        return contact.resource(SUB_RESOURCES)


@blueprint.put("/resubscribe/<uuid:contact_id>")
def ask_to_return(contact_id: UUID) -> dict[str, Any]:
    """Mail an unsubscribed contact the question whether to come back, once."""
    body, world = json_object(), current_world()
    with world.lock:
        contact = rules.existing(world, str(contact_id))
        input_checks.resubscribe(world, body)
    with _editing(world, contact.edit_key), world.lock:
        rules.ask_to_return(world, contact, body["list_ids"])
        return contact.resource(SUB_RESOURCES)


@blueprint.delete("/<uuid:contact_id>")
def delete(contact_id: UUID) -> tuple[str, int]:
    """Delete a contact."""
    world = current_world()
    with world.lock:
        contact = rules.existing(world, str(contact_id))
        if contact.deleted_at is not None:
            raise NotFound("The contact is deleted already")
    with _editing(world, contact.edit_key), world.lock:
        rules.delete(contact, world.now())
    return "", 204


@contextmanager
def _editing(world: World, key: str) -> Iterator[None]:
    """Mark a contact as being edited, an injected delay included; the world's lock is not held meanwhile.

    Raises:
        Conflict: "You sent simultaneous requests that are attempting to modify the same contact."
    """
    with world.lock:
        editing = world.editing
        if key and key in editing:
            world.counters["conflicts"] += 1
            raise Conflict("Another request is modifying the same contact")
        editing.add(key)
    try:
        wait_out_delay()
        yield
    finally:
        with world.lock:
            editing.discard(key)


def _include(parameters: dict[str, str]) -> set[str]:
    include = comma_list(parameters.get("include", ""))
    if not include <= set(SUB_RESOURCES):
        raise Invalid(f"include accepts {', '.join(SUB_RESOURCES)}")
    return include


def _found(world: World, parameters: dict[str, str]) -> list[Contact]:
    conditions = [_status_condition(parameters), *_date_conditions(parameters), *_id_conditions(parameters)]
    candidates: Collection[Contact] = world.contacts.values()
    for name in _NOT_IMITATED:
        if name in parameters:
            raise NotImitated(f"The parameter {name}")
    if "email" in parameters:
        known = rules.find_by_address(world, parameters["email"])
        candidates = [known] if known else []
    return [c for c in candidates if all(condition(c) for condition in conditions)]


def _status_condition(parameters: dict[str, str]) -> Callable[[Contact], bool]:
    if "status" not in parameters:
        return lambda contact: contact.deleted_at is None
    statuses = comma_list(parameters["status"])
    if not statuses or not statuses <= set(_STATUSES):
        raise Invalid(f"status accepts {', '.join(_STATUSES)}")
    return lambda contact: "all" in statuses or contact.status in statuses


def _id_conditions(parameters: dict[str, str]) -> Iterator[Callable[[Contact], bool]]:
    for name, (most, ids_of) in _ID_FILTERS.items():
        if name in parameters:
            ids = comma_list(parameters[name].lower())
            if len(ids) > most:
                raise Invalid(f"{name} accepts at most {most} ids")
            yield _id_condition(ids, ids_of)


def _id_condition(ids: set[str], ids_of: Callable[[Contact], list[str]]) -> Callable[[Contact], bool]:
    return lambda contact: not ids.isdisjoint(ids_of(contact))


def _date_conditions(parameters: dict[str, str]) -> Iterator[Callable[[Contact], bool]]:
    for name, date_of in _DATES.items():
        for bound, sign in (("after", 1), ("before", -1)):
            if f"{name}_{bound}" in parameters:
                limit = _seconds(f"{name}_{bound}", parameters[f"{name}_{bound}"])
                yield _date_condition(date_of, sign, limit)


def _date_condition(
    date_of: Callable[[Contact], float | None], sign: int, limit: float
) -> Callable[[Contact], bool]:
    def meets(contact: Contact) -> bool:
        at = date_of(contact)
        return at is not None and sign * (at - limit) > 0

    return meets


def _seconds(name: str, value: str) -> float:
    try:
        # A plus sign of an offset that was not percent-encoded arrives as a space.
        at = datetime.fromisoformat(value.replace(" ", "+"))
    except ValueError:
        raise Invalid(f"{name} must be an ISO 8601 date") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
