"""A contact's number for text messages and the consents to them, as the API shows them."""

from typing import Any
from uuid import uuid4

# The members of a consent that sign_up_form requires, beside the number.
SIGN_UP_CONSENT = (
    "sms_consent_permission",
    "consent_type",
    "consent_medium_type",
    "consent_medium_url",
    "consent_medium_details",
)
CONSENT = ("sms_consent_permission", "consent_type")

_DATES = {"explicit": ["opt_in_date"], "unsubscribed": ["opt_out_date"]}


def sms_resource(
    channel: dict[str, Any], held: dict[str, Any] | None, source: str, now: str | None
) -> dict[str, Any]:
    """Return the contract's `sms_channel` of a ContactResource, after `channel` of a request was accepted."""
    consents = [
        {name: given[name] for name in CONSENT}
        | dict.fromkeys(_DATES.get(given["sms_consent_permission"], ()), now)
        | {"created_at": now, "updated_at": now}
        for given in channel["sms_channel_consents"]
    ]
    return {
        "sms_channel_id": held["sms_channel_id"] if held else str(uuid4()),
        **_number(channel, held or {}),
        "create_source": held["create_source"] if held else source,
        "update_source": source,
        "sms_channel_consents": consents,
    }


def _number(channel: dict[str, Any], held: dict[str, Any]) -> dict[str, str]:
    names = ("sms_address", "dial_code", "country_code")
    if "sms_address" in channel:
        return {name: channel[name] for name in names}
    whole = channel["full_sms_address"]
    if whole == held.get("dial_code", "") + held.get("sms_address", ""):
        return {name: held[name] for name in names}
    # The account's own country is assumed; the sandbox knows no others' dial codes.
    return dict(zip(names, (whole[1:], "1", "US") if whole[0] == "1" else (whole, "", ""), strict=True))
