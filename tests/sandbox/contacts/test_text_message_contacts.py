"""Contacts that are known by their number for text messages alone."""

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from sandbox import PRESET_LIST_ID
from tests.sandbox.contacts.test_sign_up import SMS
from tests.sandbox.vendor import SIGN_UP, Vendor, person

Api = Callable[..., TestResponse]
CONTACTS = "/v3/contacts"
EVENTS = "22222222-2222-4222-8222-222222222222"
OTHER_NUMBER = SMS | {"sms_address": "7815551213"}


def by_number(channel: object = SMS, **members: Any) -> dict[str, Any]:
    return {"list_memberships": [PRESET_LIST_ID], "sms_channel": channel} | members


def signed_up(api: Api, body: dict[str, Any], action: str) -> str:
    answer = api("POST", SIGN_UP, body)
    assert answer.status_code == (201 if action == "created" else 200), answer.text
    assert (answer.json or {})["action"] == action
    contact_id: str = (answer.json or {})["contact_id"]
    return contact_id


def test_signs_up_without_an_address(api: Api) -> None:
    """The resource has no `email_address` at all; everywhere else it is a contact like any other."""
    contact_id = signed_up(api, by_number(first_name="Ada"), "created")
    shown = api("GET", f"{CONTACTS}/{contact_id}?include=list_memberships").json or {}
    assert "email_address" not in shown
    assert (shown["first_name"], shown["list_memberships"]) == ("Ada", [PRESET_LIST_ID])
    assert shown["sms_channel"]["sms_address"] == "7815551212"
    assert len((api("GET", f"{CONTACTS}?lists={PRESET_LIST_ID}").json or {})["contacts"]) == 1
    assert (api("GET", f"{CONTACTS}?status=not_set").json or {})["contacts"]
    (newsletter, *_) = (api("GET", "/v3/contact_lists?include_membership_count=all").json or {})["lists"]
    assert newsletter["membership_count"] == 1


def test_a_known_number_is_an_update(api: Api, vendor: Vendor) -> None:
    """Lists are appended, properties change, and the number stays one contact's."""
    contact_id = signed_up(api, by_number(first_name="Ada"), "created")
    again = by_number(list_memberships=[EVENTS], last_name="Byron")
    assert signed_up(api, again, "updated") == contact_id
    assert signed_up(api, by_number(OTHER_NUMBER), "created") != contact_id
    held = next(c for c in vendor.state()["contacts"] if c["contact_id"] == contact_id)
    assert (held["first_name"], held["last_name"]) == ("Ada", "Byron")
    assert held["list_memberships"] == [PRESET_LIST_ID, EVENTS]


def test_a_number_finds_the_contact_that_also_has_an_address(api: Api) -> None:
    contact_id = signed_up(api, person(sms_channel=SMS), "created")
    assert signed_up(api, by_number(list_memberships=[EVENTS]), "updated") == contact_id
    shown = api("GET", f"{CONTACTS}/{contact_id}").json or {}
    assert shown["email_address"]["address"] == person()["email_address"]


def test_an_address_given_later_is_added(api: Api) -> None:
    """The contract: known is who has the address or the number."""
    contact_id = signed_up(api, by_number(), "created")
    assert signed_up(api, person(sms_channel=SMS), "updated") == contact_id
    shown = api("GET", f"{CONTACTS}?email=ada@example.com").json or {}
    assert [each["contact_id"] for each in shown["contacts"]] == [contact_id]
    assert shown["contacts"][0]["email_address"]["permission_to_send"] == "explicit"


def test_the_address_counts_before_the_number(api: Api) -> None:
    """Two people may share a telephone."""
    ada = signed_up(api, person(sms_channel=SMS), "created")
    assert signed_up(api, person(email_address="bob@example.com", sms_channel=SMS), "created") != ada


def test_deleted_and_back(api: Api) -> None:
    """Signing up restores a deleted contact, whatever it is known by."""
    contact_id = signed_up(api, by_number(), "created")
    assert api("DELETE", f"{CONTACTS}/{contact_id}").status_code == 204
    assert signed_up(api, by_number(), "updated") == contact_id
    assert "deleted_at" not in (api("GET", f"{CONTACTS}/{contact_id}").json or {})


def test_created_and_replaced_without_an_address(api: Api) -> None:
    """POST and PUT of contacts take the number in one piece."""
    channel = {
        "full_sms_address": "17815551212",
        "sms_channel_consents": [{"sms_consent_permission": "explicit", "consent_type": "promotional_sms"}],
    }
    body = {"create_source": "Contact", "sms_channel": channel}
    created = api("POST", CONTACTS, body)
    assert created.status_code == 201, created.text
    path = f"{CONTACTS}/{(created.json or {})['contact_id']}"
    change = {"update_source": "Contact", "first_name": "Ada", "list_memberships": [EVENTS]}
    changed = api("PUT", path, change).json or {}
    assert "email_address" not in changed
    assert changed["sms_channel"]["sms_address"] == "7815551212"


@pytest.mark.parametrize(
    "body",
    [
        {"list_memberships": [PRESET_LIST_ID]},
        {"list_memberships": [PRESET_LIST_ID], "first_name": "Ada", "phone_number": "781 555 1212"},
        {"sms_channel": SMS},
        by_number({}),
        by_number(None),
        by_number(email_address=""),
        by_number(email_address=None),
    ],
)
def test_neither_address_nor_number_is_refused(api: Api, vendor: Vendor, body: dict[str, Any]) -> None:
    """A telephone number is none for text messages, and a broken address is not left out."""
    assert api("POST", SIGN_UP, body).status_code == 400
    assert vendor.state()["contacts"] == []
