"""What the operations do to the account's contacts, apart from HTTP; called with the world's lock held."""

from typing import Any
from uuid import uuid4

from sandbox.contacts.body import PROPERTIES
from sandbox.contacts.records import Contact, Email, timestamp
from sandbox.contacts.sms import sms_resource
from sandbox.errors import Conflict, Invalid, NotFound
from sandbox.state import World

DAY = 86_400
ATTEMPTS_A_DAY = 5


def edit_key(world: World, body: dict[str, Any]) -> str:
    """Return the key by which the sign-up of `body` excludes simultaneous edits of the same contact."""
    known = _signing_up(world, body)
    if known is not None:
        return known.edit_key
    address: str = body.get("email_address") or body["sms_channel"]["sms_address"]
    return address.lower()


def guard_against_abuse(world: World, body: dict[str, Any]) -> None:
    """Count a sign-up attempt (vendor's support: more than 5 in 24 h flag the address for 48 h).

    One without an address is not counted (assumed).

    Raises:
        Invalid: the address is flagged; attempts made meanwhile do not prolong it (assumed).
    """
    key, now = body.get("email_address", "").lower(), world.now()
    if not key:
        return
    if now >= world.flagged_until.get(key, 0):
        attempts = [at for at in world.sign_up_attempts.get(key, []) if at > now - DAY]
        world.sign_up_attempts[key] = [*attempts, now]
        if len(attempts) < ATTEMPTS_A_DAY:
            return
        world.sign_up_attempts.pop(key)
        world.flagged_until[key] = now + 2 * DAY
    world.counters["abuse_refusals"] += 1
    raise Invalid("invalid email address")


def sign_up(world: World, body: dict[str, Any]) -> tuple[Contact, bool]:
    """Create or partially update a contact; return it, and whether it was created.

    Raises:
        Invalid: the contact would be on more than 50 lists.
    """
    now = world.now()
    contact = _signing_up(world, body)
    created = contact is None
    if contact is None:
        contact = Contact(str(uuid4()), "Contact", now, now)
    _append_lists(contact, body["list_memberships"])
    if contact.email is None and "email_address" in body:
        contact.email = _signed_up_email(world, body["email_address"])
    elif "email_address" in body:
        _make_explicit(contact, now)
    contact.properties |= {name: body[name] for name in PROPERTIES if name in body}
    named = [
        {name: item[name] for name in ("custom_field_id", "value")} for item in body.get("custom_fields", [])
    ]
    _put_custom_fields(world, contact, named)
    if "phone_number" in body:
        _put_kind(
            contact.phone_numbers,
            {"phone_number": body["phone_number"], "kind": "other"},
            "phone_number",
            now,
        )
    if "street_address" in body:
        _put_kind(contact.street_addresses, body["street_address"], "street_address", now)
    _put_sms(contact, body, "Contact", now)
    contact.updated_at, contact.update_source, contact.deleted_at = now, "Contact", None
    contact.sign_ups += 1
    _keep(world, contact)
    return contact, created


def create(world: World, body: dict[str, Any]) -> Contact:
    """Create a contact.

    Raises:
        Conflict: a contact, perhaps a deleted one, has the address; its id stands in the message only.
    """
    now, source = world.now(), body["create_source"]
    contact = Contact(str(uuid4()), source, now, now, update_source=source)
    if "email_address" in body:
        address = body["email_address"]["address"]
        _refuse_taken(world, address, but=None)
        contact.email = Email(address, "implicit", source, now, now, opt_in_date=now)
        _set_permission(contact.email, body["email_address"], source, now)
    contact.properties = {name: body[name] for name in PROPERTIES if name in body}
    contact.list_memberships = list(dict.fromkeys(body.get("list_memberships", [])))
    _replace_sub_resources(world, contact, body, now)
    _put_sms(contact, body, source, now)
    _keep(world, contact)
    return contact


def replace(world: World, contact: Contact, body: dict[str, Any]) -> None:
    """Replace a contact: omitted properties become null, omitted sub-resources and the address stay.

    Raises:
        Conflict: the new address belongs to another contact.
        Invalid: no list would remain, or a deleted contact is not revived by `update_source` Account.
    """
    now, source = world.now(), body["update_source"]
    memberships = list(dict.fromkeys(body.get("list_memberships", contact.list_memberships)))
    if contact.deleted_at is not None and source != "Account":
        raise Invalid("update_source must be Account to restore a deleted contact")
    if not memberships:
        raise Invalid("list_memberships: a contact must be on at least one list")
    if contact.deleted_at is not None and contact.email:
        _end_deletion(contact.email)
    if "email_address" in body:
        _replace_email(world, contact, body["email_address"], source)
    contact.properties = {name: body[name] for name in PROPERTIES if name in body}
    contact.list_memberships = memberships
    _replace_sub_resources(world, contact, body, now)
    _put_sms(contact, body, source, now)
    contact.updated_at, contact.update_source, contact.deleted_at = now, source, None


def opt_out(world: World, address: str) -> bool:
    """Unsubscribe the contact, as by the link in a mailing; return False when there is no such contact."""
    contact = find_by_address(world, address)
    if contact is None or contact.email is None:
        return False
    _set_permission(contact.email, {"permission_to_send": "unsubscribed"}, "Contact", world.now())
    contact.updated_at, contact.update_source = world.now(), "Contact"
    return True


def ask_to_return(world: World, contact: Contact, list_ids: list[str]) -> None:
    """Mail the contact the question whether to come back; nothing else changes before the person confirms.

    Contract: "You can only send a resubscribe email to the unsubscribed contact once. The contact is not
    resubscribed until after you receive their confirmation." That the refusals are a 400 is assumed.

    Raises:
        Invalid: the contact is not unsubscribed, is deleted, or was asked before.
    """
    if contact.deleted_at is not None or contact.status != "unsubscribed":
        raise Invalid("The contact is not unsubscribed")
    if contact.return_asked_at is not None:
        raise Invalid("A resubscribe email was sent to this contact before")
    contact.return_asked_at, contact.return_lists = world.now(), list(dict.fromkeys(list_ids))


def confirm_return(world: World, address: str) -> bool:
    """Resubscribe the contact, as by the link in that mail; return False when no such mail was sent."""
    contact = find_by_address(world, address)
    if contact is None or not contact.return_lists or contact.status != "unsubscribed":
        return False
    _append_lists(contact, contact.return_lists)
    contact.return_lists = []
    _make_explicit(contact, world.now())
    contact.updated_at, contact.update_source = world.now(), "Contact"
    return True


def delete(contact: Contact, at: float) -> None:
    """Delete a contact as of `at`; the record is kept, its memberships are not.

    Contract: the address of a deleted contact "contains opt_out_source and opt_out_date". That those of an
    earlier opt-out stay, and that the permission does, is assumed.
    """
    contact.deleted_at = contact.updated_at = at
    contact.list_memberships.clear()
    if contact.email and contact.email.opt_out_date is None:
        contact.email.opt_out_source, contact.email.opt_out_date = "Account", contact.deleted_at


def existing(world: World, contact_id: str) -> Contact:
    """Return the contact with this id, deleted or not.

    Raises:
        NotFound: there never was one.
    """
    if contact_id not in world.contacts:
        raise NotFound("The contact does not exist")
    return world.contacts[contact_id]


def find_by_address(world: World, address: str) -> Contact | None:
    """Return the contact with this address in whatever case, deleted ones included."""
    return world.contacts_by_address.get(address.lower())


def _signing_up(world: World, body: dict[str, Any]) -> Contact | None:
    """Return the contact with this address or number; of several one without an address (assumed)."""
    by_address = find_by_address(world, body.get("email_address", ""))
    if by_address is not None or "sms_channel" not in body:
        return by_address
    number = (body["sms_channel"]["dial_code"], body["sms_channel"]["sms_address"])
    with_number = [c for c in world.contacts.values() if c.sms_number == number]
    without_address = [c for c in with_number if c.email is None]
    candidates = without_address if "email_address" in body else without_address or with_number
    return next(iter(candidates), None)


def _signed_up_email(world: World, address: str) -> Email:
    now = world.now()
    permission = "pending_confirmation" if world.settings.confirmed_opt_in else "explicit"
    email = Email(address, permission, "Contact", now, now)
    email.opt_in_date = now if permission == "explicit" else None
    return email


def _keep(world: World, contact: Contact) -> None:
    world.contacts[contact.contact_id] = contact
    if contact.email:
        world.contacts_by_address[contact.email.address.lower()] = contact


def _refuse_taken(world: World, address: str, *, but: str | None) -> None:
    known = find_by_address(world, address)
    if known is not None and known.contact_id != but:
        raise Conflict(f"Validation failed: Email already exists for contact {known.contact_id}")


def _replace_email(world: World, contact: Contact, body: dict[str, Any], source: str) -> None:
    now = world.now()
    _refuse_taken(world, body["address"], but=contact.contact_id)
    if contact.email is None:
        contact.email = Email(body["address"], "implicit", source, now, now, opt_in_date=now)
    world.contacts_by_address.pop(contact.email.address.lower(), None)
    contact.email.address, contact.email.updated_at = body["address"], now
    _keep(world, contact)
    _set_permission(contact.email, body, source, now)


def _set_permission(email: Email, body: dict[str, Any], source: str, now: float) -> None:
    permission = body.get("permission_to_send", email.permission_to_send)
    if permission == "unsubscribed":
        email.opt_out_source, email.opt_out_date = source, now
        email.opt_out_reason = body.get("opt_out_reason")
    else:
        _forget_opt_out(email)
    email.permission_to_send = permission


def _end_deletion(email: Email) -> None:
    if email.permission_to_send != "unsubscribed":
        _forget_opt_out(email)


def _forget_opt_out(email: Email) -> None:
    email.opt_out_source = email.opt_out_date = email.opt_out_reason = None


def _make_explicit(contact: Contact, now: float) -> None:
    """Contract: an update sets permission_to_send to explicit; unsubscribed contacts are no exception."""
    email = contact.email
    if email is None:
        return
    if email.permission_to_send != "explicit":
        email.permission_to_send, email.opt_in_source, email.opt_in_date = "explicit", "Contact", now
    _forget_opt_out(email)
    email.updated_at = now


def _append_lists(contact: Contact, list_ids: list[str]) -> None:
    memberships = list(dict.fromkeys([*contact.list_memberships, *list_ids]))
    if len(memberships) > 50:
        raise Invalid("list_memberships: a contact may be on at most 50 lists")
    contact.list_memberships = memberships


def _put_custom_fields(world: World, contact: Contact, items: list[dict[str, Any]]) -> None:
    for item in items:
        field_id = item["custom_field_id"]
        contact.custom_fields[field_id] = world.custom_fields[field_id].stored(item)


def _put_kind(entries: list[dict[str, Any]], item: dict[str, Any], name: str, now: float) -> None:
    """Add an entry in place of an older one of the same kind: a contact has one of each kind (assumed)."""
    entries[:] = [entry for entry in entries if entry["kind"] != item["kind"]]
    entries.append(_dated(item, name, now))


def _put_sms(contact: Contact, body: dict[str, Any], source: str, now: float) -> None:
    """Replace the number and its consents, if the body has any; left out, they stay (assumed)."""
    if channel := body.get("sms_channel"):
        contact.sms_channel = sms_resource(channel, contact.sms_channel, source, timestamp(now))


def _dated(item: dict[str, Any], name: str, now: float) -> dict[str, Any]:
    return {f"{name}_id": str(uuid4()), **item, "created_at": timestamp(now), "updated_at": timestamp(now)}


def _replace_sub_resources(world: World, contact: Contact, body: dict[str, Any], now: float) -> None:
    if "custom_fields" in body:
        contact.custom_fields.clear()
        _put_custom_fields(world, contact, body["custom_fields"])
    if "taggings" in body:
        contact.taggings = list(dict.fromkeys(body["taggings"]))
    if "phone_numbers" in body:
        contact.phone_numbers = [
            _dated({"kind": "other"} | i, "phone_number", now) for i in body["phone_numbers"]
        ]
    if "street_addresses" in body:
        contact.street_addresses = [_dated(i, "street_address", now) for i in body["street_addresses"]]
    if "notes" in body:
        contact.notes = [
            {"note_id": str(uuid4()), "created_at": timestamp(now), "content": note["content"]}
            for note in body["notes"]
        ]
