"""The control endpoints, by which tests and developers inspect the sandbox and inject faults.

They answer callers on this machine only, by the address that opened the connection; there is no password. The
application that mounts the sandbox may admit others, and must refuse requests that a proxy on this machine
forwards.
"""

import ipaddress
import json
from collections.abc import Iterator, Sequence
from typing import Any

from flask import Blueprint, Response, request

from sandbox.contacts import rules
from sandbox.contacts.body import PROPERTIES
from sandbox.contacts.custom_fields import resource as custom_field
from sandbox.contacts.records import Contact, timestamp
from sandbox.control.call_log import Call
from sandbox.control.faults import parse_fault
from sandbox.errors import ControlRefused
from sandbox.state import World, current_world

blueprint = Blueprint("control", __name__, url_prefix="/_sandbox")

# The key in the WSGI environment by which the mounting application admits a caller.
CONTROL_GRANTED = "sandbox.control_granted"

_COUNTERS = (
    "api_calls",
    "token_calls",
    "refreshes",
    "throttled",
    "quota_exceeded",
    "conflicts",
    "abuse_refusals",
)
_PART = 200


@blueprint.before_request
def only_this_machine() -> tuple[dict[str, str], int] | None:
    """Refuse callers elsewhere; one without an address is in this process."""
    if request.environ.get(CONTROL_GRANTED) or _is_this_machine(request.remote_addr):
        return None
    return {"error": "only this machine controls the sandbox"}, 403


@blueprint.post("/reset")
def reset() -> dict[str, str]:
    """Reset everything to the initial data."""
    world = current_world()
    with world.lock:
        world.reset()
    return {"status": "reset"}


@blueprint.get("/state")
def state() -> dict[str, Any]:
    """Return the whole state, without any token."""
    world = current_world()
    with world.lock:
        return {
            "contacts": [_contact(contact) for contact in world.contacts.values()],
            "lists": [
                item.resource() | {"membership_count": len(world.members(item.list_id))}
                for item in world.live_lists()
            ],
            "custom_fields": [custom_field(item) for item in world.custom_fields.values()],
            "tags": [
                tag.resource() | {"contacts_count": world.tagged(tag.tag_id)} for tag in world.tags.values()
            ],
            "tokens": {"families": _families(world)},
            "counters": _counters(world),
            "days": world.limits.days(),
            "settings": world.settings_shown(),
            "clock": _clock(world),
        }


@blueprint.get("/counters")
def counters() -> dict[str, Any]:
    """Return the counters; the cost does not grow with the number of contacts."""
    world = current_world()
    with world.lock:
        return {"counters": _counters(world), "contacts": len(world.contacts), "clock": _clock(world)}


@blueprint.get("/accepted")
def accepted() -> dict[str, Any]:
    """Return when the API accepted a call: the latest times in epoch seconds, oldest first."""
    world = current_world()
    with world.lock:
        return {"times": list(world.limits.accepted)}


@blueprint.get("/requests")
def requests() -> Response:
    """Return calls to the API and the token endpoint, oldest first: after number `since`, at most `limit`."""
    since, limit, world = _count("since"), _count("limit"), current_world()
    with world.lock:
        calls = world.calls.after(since or 0, limit)
    return Response(_shown(calls), content_type="application/json")


def _shown(calls: Sequence[Call]) -> Iterator[str]:
    """Yield the JSON document in parts: while a large one is encoded at once, no other thread runs."""
    yield '{"requests":['
    for start in range(0, len(calls), _PART):
        part = ",".join(json.dumps(call.shown()) for call in calls[start : start + _PART])
        yield f",{part}" if start else part
    yield "]}"


def _count(name: str) -> int | None:
    text = request.args.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise ControlRefused(f"{name}: a whole number from 0, not {text!r}")
    return int(text)


@blueprint.get("/mail")
def mail() -> dict[str, Any]:
    """Return the e-mails that the application would have sent, oldest first, 500 at most."""
    world = current_world()
    with world.lock:
        return {"mail": world.mailbox.shown()}


@blueprint.get("/faults")
def faults() -> dict[str, Any]:
    """Return the faults on order."""
    world = current_world()
    with world.lock:
        return {"faults": world.faults.descriptions()}


@blueprint.post("/faults")
def order_fault() -> tuple[dict[str, Any], int]:
    """Order a fault."""
    fault, world = parse_fault(_body()), current_world()
    with world.lock:
        world.faults.add(fault)
        return {"faults": world.faults.descriptions()}, 201


@blueprint.delete("/faults")
def clear_faults() -> dict[str, Any]:
    """Cancel all faults."""
    world = current_world()
    with world.lock:
        world.faults.clear()
    return {"faults": []}


@blueprint.post("/settings")
def change_settings() -> dict[str, Any]:
    """Change some of the settings; the answer holds all of them."""
    changes, world = _body(), current_world()
    with world.lock:
        world.settings = world.settings.changed(changes)
        return {"settings": world.settings_shown()}


@blueprint.post("/clock")
def advance_clock() -> dict[str, Any]:
    """Move the sandbox's clock forward by `advance` seconds."""
    body, world = _body(), current_world()
    seconds = body.get("advance")
    if (
        set(body) != {"advance"}
        or isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or seconds < 0
    ):
        raise ControlRefused("advance: a number of seconds from 0, and nothing else")
    with world.lock:
        world.advanced += seconds
        return {"clock": _clock(world)}


@blueprint.post("/unsubscribe")
def unsubscribe() -> dict[str, str]:
    """Unsubscribe the contact with this `email`, as by the link in a mailing."""
    body, world = _body(), current_world()
    with world.lock:
        if not rules.opt_out(world, str(body.get("email"))):
            raise ControlRefused("email: there is no contact with this address")
    return {"status": "unsubscribed"}


@blueprint.post("/confirm-return")
def confirm_return() -> dict[str, str]:
    """Resubscribe the contact with this `email`, as by the link of the mail that asks for it."""
    body, world = _body(), current_world()
    with world.lock:
        if not rules.confirm_return(world, str(body.get("email"))):
            raise ControlRefused("email: nobody of this address was asked whether to come back")
    return {"status": "confirmed"}


def _is_this_machine(peer: str | None) -> bool:
    try:
        return peer is None or ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False


def _body() -> dict[str, Any]:
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise ControlRefused("the body must be a JSON object")
    return body


def _clock(world: World) -> dict[str, float]:
    return {"now": world.now(), "advanced": world.advanced}


def _counters(world: World) -> dict[str, int]:
    counters = {name: world.counters[name] for name in _COUNTERS}
    return counters | {
        "calls_today": world.limits.used_today(world.now()),
        "accepted": world.limits.accepted_in_all,
        "most_in_a_second": world.limits.most_in_a_second,
        "grace_hits": world.tokens.grace_hits,
        "reuse_revocations": world.tokens.reuse_revocations,
    }


def _families(world: World) -> list[dict[str, Any]]:
    now = world.now()
    return [
        {
            "family": family.family_id,
            "user": family.grant.user,
            "scope": " ".join(family.grant.scopes),
            "mode": family.mode,
            "newest": family.newest,
            "age_seconds": now - family.created_at,
            "newest_age_seconds": now - family.newest_at if family.newest else None,
            "unused_seconds": now - family.used_at,
            "refresh": family.refresh_state,
            "access_revoked": family.access_revoked,
        }
        for family in world.tokens.families.values()
    ]


def _contact(contact: Contact) -> dict[str, Any]:
    email, properties = contact.email, contact.properties
    return {
        "contact_id": contact.contact_id,
        "email_address": email.address if email else None,
        **{name: properties.get(name) for name in PROPERTIES},
        "street_addresses": contact.sub_resource("street_addresses"),
        "phone_number": contact.phone_numbers[0]["phone_number"] if contact.phone_numbers else None,
        "permission_to_send": email.permission_to_send if email else None,
        "opt_in_source": email.opt_in_source if email else None,
        "opt_out_date": timestamp(email.opt_out_date) if email else None,
        "return_asked_at": timestamp(contact.return_asked_at),
        "list_memberships": list(contact.list_memberships),
        "custom_fields": contact.sub_resource("custom_fields"),
        "sms_channel": contact.sms_channel,
        "taggings": contact.sub_resource("taggings"),
        "sign_ups": contact.sign_ups,
        "created_at": timestamp(contact.created_at),
        "updated_at": timestamp(contact.updated_at),
        "deleted_at": timestamp(contact.deleted_at),
    }
