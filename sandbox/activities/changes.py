"""What each bulk operation does to one contact, as of a time in epoch seconds; the world's lock is held.

Each returns what could not be done, in words. Tags and lists that were deleted meanwhile are skipped.
"""

from sandbox.activities.sources import live_list_ids
from sandbox.contacts import rules
from sandbox.contacts.records import Contact
from sandbox.state import World

MOST_LISTS = 50


def add_tags(world: World, contact: Contact, tag_ids: list[str], _at: float) -> list[str]:
    """Give tags to a contact; those it has stay."""
    added = [each for each in tag_ids if each in world.tags]
    contact.taggings = list(dict.fromkeys([*contact.taggings, *added]))
    return []


def remove_tags(_world: World, contact: Contact, tag_ids: list[str], _at: float) -> list[str]:
    """Take tags off a contact."""
    contact.taggings = [tag for tag in contact.taggings if tag not in tag_ids]
    return []


def add_to_lists(world: World, contact: Contact, list_ids: list[str], at: float) -> list[str]:
    """Put a contact on lists; its permission stays, an unsubscribed contact's too (assumed)."""
    added = [each for each in list_ids if each in live_list_ids(world)]
    memberships = list(dict.fromkeys([*contact.list_memberships, *added]))
    if len(memberships) > MOST_LISTS:
        return [f"Contact {contact.contact_id} would be on more than {MOST_LISTS} lists"]
    contact.list_memberships, contact.updated_at = memberships, at
    return []


def remove_from_lists(_world: World, contact: Contact, list_ids: list[str], at: float) -> list[str]:
    """Take a contact off lists; it may end up on none (assumed)."""
    contact.list_memberships = [each for each in contact.list_memberships if each not in list_ids]
    contact.updated_at = at
    return []


def delete(_world: World, contact: Contact, _ids: list[str], at: float) -> list[str]:
    """Delete a contact."""
    rules.delete(contact, at)
    return []
