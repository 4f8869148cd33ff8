"""Which contacts a bulk operation means: those it names, or those that meet one criterion.

The contract's `source`: "Source types are mutually exclusive." The contacts that meet a criterion are those
that do when the request arrives (assumed).
"""

from collections.abc import Collection, Mapping
from typing import Any

from sandbox.contacts.records import Contact
from sandbox.errors import Invalid, NotImitated
from sandbox.state import World

MOST_CONTACTS, MOST_IDS = 500, 50
TAGGING = ("contact_ids", "list_ids", "tag_ids", "all_active_contacts", "new_subscriber")
REMOVE_FROM_LISTS = ("contact_ids", "list_ids", "tag_ids", "all_active_contacts", "engagement_level")
ADD_TO_LISTS = (*REMOVE_FROM_LISTS, "segment_id")
DELETION = ("contact_ids", "list_ids")
_NOT_IMITATED = ("engagement_level", "segment_id")
_EXCLUDABLE = ("all_active_contacts", "list_ids")


def known_ids(name: str, ids: object, known: Collection[str], most: int) -> list[str]:
    """Return the ids, without repetitions.

    Raises:
        Invalid: not an array of 1 to `most` ids, or one does not exist (that this is a 400 is assumed).
    """
    if not isinstance(ids, list) or not 1 <= len(ids) <= most:
        raise Invalid(f"{name} must be an array of 1 to {most} ids")
    unknown = [str(each) for each in ids if not isinstance(each, str) or each not in known]
    if unknown:
        raise Invalid(f"{name}: {', '.join(unknown)} does not exist")
    return list(dict.fromkeys(ids))


def live_list_ids(world: World) -> list[str]:
    """Return the ids of the lists that are not deleted."""
    return [item.list_id for item in world.live_lists()]


def chosen(world: World, body: Mapping[str, Any], criteria: Collection[str]) -> list[Contact]:
    """Return the contacts that `source` of a request means, less those it excludes.

    Raises:
        Invalid: not exactly one of `criteria`, wrong ids, or an `exclude` that does not go with it.
        NotImitated: a criterion of the contract that the sandbox cannot tell.
    """
    name, value = _criterion(body.get("source"), criteria)
    excluded = _excluded(body, name)
    return [each for each in _meeting(world, name, value) if each.contact_id not in excluded]


def _criterion(source: object, criteria: Collection[str]) -> tuple[str, Any]:
    if not isinstance(source, dict):
        raise Invalid("source is required: an object")
    given = {name: value for name, value in source.items() if name in criteria and value is not False}
    if len(given) != 1:
        raise Invalid(f"source must hold exactly one of {', '.join(criteria)}")
    ((name, value),) = given.items()
    if name in _NOT_IMITATED:
        raise NotImitated(f"source.{name}")
    return name, value


def _excluded(body: Mapping[str, Any], criterion: str) -> set[str]:
    if "exclude" not in body:
        return set()
    exclude = body["exclude"]
    if criterion not in _EXCLUDABLE:
        raise Invalid(f"exclude goes with {' and '.join(_EXCLUDABLE)} only")
    ids = exclude.get("contact_ids", []) if isinstance(exclude, dict) else None
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise Invalid("exclude must be an object with contact_ids, an array of ids")
    return set(ids)


def _meeting(world: World, name: str, value: object) -> list[Contact]:
    if name == "contact_ids":
        return [world.contacts[each] for each in known_ids(name, value, world.contacts, MOST_CONTACTS)]
    live = [contact for contact in world.contacts.values() if contact.deleted_at is None]
    if name == "list_ids":
        lists = set(known_ids(name, value, live_list_ids(world), MOST_IDS))
        return [contact for contact in live if not lists.isdisjoint(contact.list_memberships)]
    if name == "tag_ids":
        tags = set(known_ids(name, value, world.tags, MOST_IDS))
        return [contact for contact in live if not tags.isdisjoint(contact.taggings)]
    if value is not True:
        raise Invalid(f"{name} must be true or false")
    if name == "new_subscriber":
        return [contact for contact in live if contact.subscribed_lately(world.now())]
    return [contact for contact in live if contact.status == "active"]
