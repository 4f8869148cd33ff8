"""The bodies of the contact operations, checked against the contract; called with the world's lock held."""

from typing import Any

from sandbox.contacts.body import PERMISSIONS, SOURCES, BodyCheck
from sandbox.state import World


def sign_up(world: World, body: dict[str, Any]) -> None:
    """Check a body against the contract's ContactCreateOrUpdateInput.

    Raises:
        Invalid: with every problem found.
    """
    check = _check(world, body)
    if "email_address" in body or "sms_channel" not in body:
        check.email(body, "email_address", 50)
    check.properties()
    check.text(body, "phone_number", 25)
    check.list_memberships(least=1, required=True)
    check.custom_fields(50)
    check.nested("street_address", check.street_address)
    check.nested("sms_channel", check.sms_sign_up)
    check.done()


def create(world: World, body: dict[str, Any]) -> None:
    """Check a body against the contract's ContactPostRequest.

    Raises:
        Invalid: with every problem found.
    """
    check = _check_contact(world, body)
    check.choice(body, "create_source", SOURCES, required=True)
    if not {"first_name", "last_name", "email_address", "sms_channel"} & set(body):
        check.problem("one of first_name, last_name, email_address and sms_channel is required")
    check.list_memberships(least=0)
    check.done()


def replace(world: World, body: dict[str, Any]) -> None:
    """Check a body against the contract's ContactPutRequest.

    Raises:
        Invalid: with every problem found.
    """
    check = _check_contact(world, body)
    check.choice(body, "update_source", SOURCES, required=True)
    check.list_memberships(least=1)
    check.done()


def resubscribe(world: World, body: dict[str, Any]) -> None:
    """Check a body against the contract's ContactResubscribeRequest.

    Raises:
        Invalid: `list_ids` does not hold 1 to 50 ids of lists (the upper bound is assumed).
    """
    check = _check(world, {"list_memberships": body.get("list_ids")})
    check.list_memberships(least=1, required=True)
    check.done()


def _check(world: World, body: dict[str, Any]) -> BodyCheck:
    return BodyCheck(body, {item.list_id for item in world.live_lists()}, world.custom_fields)


def _check_contact(world: World, body: dict[str, Any]) -> BodyCheck:
    check = _check(world, body)

    def email(holder: dict[str, Any]) -> None:
        check.email(holder, "address", 80)
        check.choice(holder, "permission_to_send", PERMISSIONS)
        check.text(holder, "opt_out_reason", 255)

    check.nested("sms_channel", check.sms_channel)
    check.nested("email_address", email)
    check.properties()
    check.custom_fields(25, by_id=True)
    check.sub_resources(world.tags)
    return check
