"""The account operations that a connecting application needs."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox.account.emails import CONDITIONS, AccountEmail
from sandbox.api import json_object, require
from sandbox.contacts.body import BodyCheck
from sandbox.errors import Conflict, Invalid
from sandbox.state import current_world

blueprint = Blueprint("account", __name__, url_prefix="/v3/account")

_SUMMARY = {
    "contact_email": "owner@example.com",
    "contact_phone": "5550100100",
    "country_code": "US",
    "encoded_account_id": "a0sandbox0001",
    "first_name": "Olivia",
    "last_name": "Owner",
    "organization_name": "Sandbox Society",
    "organization_phone": "555-010-0100",
    "state_code": "MA",
    "time_zone_id": "US/Eastern",
    "website": "https://sandbox.example.com",
}
_ADDRESS = {
    "address_line1": "1 Sandbox Street",
    "city": "Boston",
    "state_code": "MA",
    "postal_code": "02451",
    "country_code": "US",
}
_CAMPAIGN_PRIVILEGES = {10: "account:read", 30: "campaign:create", 31: "campaign:read", 32: "campaign:write"}
_CONTACT_PRIVILEGES = {
    20: "contacts:read",
    21: "contacts:write",
    22: "contacts:lists:read",
    23: "contacts:lists:write",
}


@blueprint.get("/summary")
def summary() -> dict[str, Any]:
    """Return who the account belongs to; a company logo does not exist, so nothing is returned for it."""
    require("account_read")
    extras = [name.strip() for name in request.args.get("extra_fields", "").split(",") if name.strip()]
    if not set(extras) <= {"physical_address", "company_logo"}:
        raise Invalid("extra_fields accepts physical_address and company_logo")
    return _SUMMARY | ({"physical_address": _ADDRESS} if "physical_address" in extras else {})


@blueprint.get("/emails")
def emails() -> Response:
    """Return the account's own addresses, narrowed by one parameter at most."""
    require("account_read")
    given = {name: value for name, value in request.args.items() if name in CONDITIONS}
    if len(given) > 1:
        raise Invalid(f"one parameter at a time, not {', '.join(given)}")
    world = current_world()
    with world.lock:
        shown = [item.resource() for item in world.account_emails if item.meets(given)]
    return jsonify(shown)


@blueprint.post("/emails")
def add_email() -> tuple[dict[str, Any], int]:
    """Add an address; it stays unconfirmed, as no mail is ever sent.

    Raises:
        Conflict: the account has it already, in whatever case.
    """
    require("account_update")
    body, world = json_object(), current_world()
    check = BodyCheck(body, (), {})
    check.email(body, "email_address", 80)
    check.done()
    with world.lock:
        known = {item.email_address.lower() for item in world.account_emails}
        if body["email_address"].lower() in known:
            raise Conflict("The account has this email address already")
        added = AccountEmail(body["email_address"], len(known) + 1)
        world.account_emails.append(added)
        return added.created(), 201


@blueprint.get("/user/privileges")
def user_privileges() -> Response:
    """Return the privileges of the token's user; needs no scope. Names are the vendor's, ids are invented."""
    grant = require(None)
    privileges = _CAMPAIGN_PRIVILEGES | (_CONTACT_PRIVILEGES if grant.user == "owner" else {})
    return jsonify(
        [{"privilege_id": number, "privilege_name": name} for number, name in sorted(privileges.items())]
    )
