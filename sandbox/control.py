"""The control endpoints: tests and developers look into the sandbox and upset it. No authentication."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from .errors import ControlRefused
from .faults import parse_fault
from .records import Contact, timestamp
from .state import CUSTOM_FIELDS, World, current_world

blueprint = Blueprint("control", __name__, url_prefix="/_sandbox")

_COUNTERS = (
    "api_calls",
    "token_calls",
    "refreshes",
    "throttled",
    "quota_exceeded",
    "conflicts",
    "abuse_refusals",
)


@blueprint.post("/reset")
def reset() -> dict[str, str]:
    """Back to the seed."""
    world = current_world()
    with world.lock:
        world.reset()
    return {"status": "reset"}


@blueprint.get("/state")
def state() -> dict[str, Any]:
    """Everything at a glance, without any token."""
    world = current_world()
    with world.lock:
        return {
            "contacts": [_contact(contact) for contact in world.contacts.values()],
            "lists": [
                item.resource() | {"membership_count": len(world.members(item.list_id))}
                for item in world.live_lists()
            ],
            "custom_fields": [
                {"custom_field_id": field_id, "label": label} for field_id, label in CUSTOM_FIELDS.items()
            ],
            "tags": [],
            "tokens": {"families": _families(world)},
            "counters": _counters(world),
            "settings": world.settings_shown(),
            "clock": _clock(world),
        }


@blueprint.get("/requests")
def requests() -> dict[str, Any]:
    """Every call to the API and the token endpoint, oldest first."""
    world = current_world()
    with world.lock:
        return {"requests": [dict(call) for call in world.calls]}


@blueprint.get("/faults")
def faults() -> dict[str, Any]:
    """The faults on order."""
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
        **{name: properties.get(name) for name in ("first_name", "last_name", "job_title", "company_name")},
        "phone_number": contact.phone_numbers[0]["phone_number"] if contact.phone_numbers else None,
        "permission_to_send": email.permission_to_send if email else None,
        "opt_in_source": email.opt_in_source if email else None,
        "list_memberships": list(contact.list_memberships),
        "custom_fields": contact.sub_resource("custom_fields"),
        "created_at": timestamp(contact.created_at),
        "updated_at": timestamp(contact.updated_at),
        "deleted_at": timestamp(contact.deleted_at),
    }
