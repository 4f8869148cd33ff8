"""POST /v3/contacts/sign_up_form."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from sandbox import PRESET_LIST_ID, ConnectionDropped
from sandbox.contacts.rules import sign_up
from sandbox.state import World
from tests.sandbox.vendor import SIGN_UP, Vendor, person

Api = Callable[..., TestResponse]
EVENTS = "22222222-2222-4222-8222-222222222222"
SOURCE_FIELD = "44444444-4444-4444-8444-444444444444"
INTERESTS_FIELD = "55555555-5555-4555-8555-555555555555"
DAY = 86_400


def test_creates(api: Api, vendor: Vendor) -> None:
    """A new address becomes a contact with explicit permission by the contact's own act."""
    answer = api("POST", SIGN_UP, person(first_name="Ada", last_name="Byron", phone_number="555 0100"))
    assert answer.status_code == 201
    contact = vendor.contact()
    assert answer.json == {"contact_id": contact["contact_id"], "action": "created"}
    assert contact["email_address"] == "ada@example.com"
    assert (contact["permission_to_send"], contact["opt_in_source"]) == ("explicit", "Contact")
    assert (contact["first_name"], contact["phone_number"]) == ("Ada", "555 0100")
    assert contact["list_memberships"] == [PRESET_LIST_ID]


def test_updates_partially_and_appends(api: Api, vendor: Vendor) -> None:
    """A known address in any case is updated: what is left out stays, lists and fields are appended."""
    field = {"custom_field_id": SOURCE_FIELD, "value": "fair"}
    created = (
        api("POST", SIGN_UP, person(first_name="Ada", job_title="Countess", custom_fields=[field])).json or {}
    )
    more = {"custom_field_id": INTERESTS_FIELD, "value": "engines"}
    answer = api(
        "POST",
        SIGN_UP,
        person(
            email_address="ADA@Example.COM",
            first_name="Augusta",
            list_memberships=[EVENTS],
            custom_fields=[more],
        ),
    )
    assert answer.status_code == 200
    assert answer.json == {"contact_id": created["contact_id"], "action": "updated"}
    contact = vendor.contact()
    assert (contact["first_name"], contact["job_title"]) == ("Augusta", "Countess")
    assert contact["list_memberships"] == [PRESET_LIST_ID, EVENTS]
    assert contact["custom_fields"] == [field, more]


def test_updated_contacts_become_explicit_even_unsubscribed_ones(api: Api, vendor: Vendor) -> None:
    """The upsert brings an unsubscribed person back: exactly why it must not be replayed blindly."""
    path = f"/v3/contacts/{(api('POST', SIGN_UP, person()).json or {})['contact_id']}"
    email = {"address": "ada@example.com", "permission_to_send": "unsubscribed"}
    api("PUT", path, {"update_source": "Contact", "email_address": email})
    assert vendor.contact()["permission_to_send"] == "unsubscribed"
    assert api("POST", SIGN_UP, person()).status_code == 200
    assert vendor.contact()["permission_to_send"] == "explicit"
    assert "opt_out_date" not in (api("GET", path).json or {})["email_address"]


def test_revives_deleted_contacts(api: Api, vendor: Vendor) -> None:
    """A deleted contact comes back under its old id, on the lists of this sign-up only."""
    contact_id = (api("POST", SIGN_UP, person()).json or {})["contact_id"]
    api("DELETE", f"/v3/contacts/{contact_id}")
    answer = api("POST", SIGN_UP, person(list_memberships=[EVENTS]))
    assert (answer.status_code, (answer.json or {})["contact_id"]) == (200, contact_id)
    assert vendor.contact()["deleted_at"] is None
    assert vendor.contact()["list_memberships"] == [EVENTS]


def test_confirmed_opt_in(api: Api, vendor: Vendor) -> None:
    """With Confirmed Opt-in new contacts are pending; the next sign-up makes them explicit."""
    vendor.settings(confirmed_opt_in=True)
    api("POST", SIGN_UP, person())
    assert vendor.contact()["permission_to_send"] == "pending_confirmation"
    api("POST", SIGN_UP, person())
    assert vendor.contact()["permission_to_send"] == "explicit"


GOOD: list[dict[str, Any]] = [
    {"email_address": "a" * 38 + "@example.com"},
    {"email_address": "o'hara+news@mail.example.co.uk"},
    {"first_name": "x" * 50, "last_name": "x" * 50, "job_title": "x" * 50, "company_name": "x" * 50},
    {"phone_number": "5" * 25},
    {"list_memberships": [PRESET_LIST_ID] * 50},
    {"birthday_month": 2, "birthday_day": 29},
    {"anniversary": "11/5/2006"},
    {"anniversary": "2006-11-15"},
    {"anniversary": "1-5-2006"},
    {"custom_fields": [{"custom_field_id": SOURCE_FIELD, "value": "x" * 255}] * 50},
    {"street_address": {"kind": "home", "street": "x" * 255, "city": "x" * 50}},
    {"favourite_colour": "ignored, since the contract's objects are open"},
]
BAD: list[dict[str, Any]] = [
    {"email_address": "a" * 39 + "@example.com"},
    {"email_address": {"address": "ada@example.com"}},
    {"email_address": "ada"},
    {"email_address": "ada@localhost"},
    {"email_address": "a da@example.com"},
    {"email_address": "ada..b@example.com"},
    {"email_address": ""},
    {"email_address": None},
    {"first_name": "x" * 51},
    {"last_name": 7},
    {"job_title": None},
    {"company_name": "x" * 51},
    {"phone_number": "5" * 26},
    {"list_memberships": []},
    {"list_memberships": [PRESET_LIST_ID] * 51},
    {"list_memberships": PRESET_LIST_ID},
    {"list_memberships": ["newsletter"]},
    {"list_memberships": [7]},
    {"list_memberships": ["99999999-9999-4999-8999-999999999999"]},
    {"birthday_month": 2},
    {"birthday_day": 2},
    {"birthday_month": 13, "birthday_day": 1},
    {"birthday_month": 1, "birthday_day": 32},
    {"birthday_month": "1", "birthday_day": 1},
    {"anniversary": "yesterday"},
    {"anniversary": "2006-02-30"},
    {"anniversary": "2006-11/15"},
    {"custom_fields": {}},
    {"custom_fields": [{"custom_field_id": SOURCE_FIELD, "value": "x"}] * 51},
    {"custom_fields": [{"custom_field_id": SOURCE_FIELD, "value": "x" * 256}]},
    {"custom_fields": [{"custom_field_id": SOURCE_FIELD}]},
    {"custom_fields": [{"custom_field_id": PRESET_LIST_ID, "value": "x"}]},
    {"street_address": [{"kind": "home"}]},
    {"street_address": {"city": "Boston"}},
    {"street_address": {"kind": "castle"}},
    {"street_address": {"kind": "home", "city": "x" * 51}},
    {"sms_channel": {}},
]


@pytest.mark.parametrize("members", GOOD)
def test_accepts_what_the_contract_allows(api: Api, members: dict[str, Any]) -> None:
    """Every limit of the contract may be used to the full."""
    answer = api("POST", SIGN_UP, person(**members))
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("members", BAD)
def test_refuses_what_the_contract_forbids(api: Api, vendor: Vendor, members: dict[str, Any]) -> None:
    """Just beyond a limit the answer is a 400 in the array shape, and nothing is stored."""
    answer = api("POST", SIGN_UP, person(**members))
    assert answer.status_code == 400
    assert all(set(entry) == {"error_key", "error_message"} for entry in answer.json or [{}])
    assert vendor.state()["contacts"] == []


def test_names_every_problem_at_once(api: Api) -> None:
    """Two broken members give two entries, each naming its member."""
    answer = api("POST", SIGN_UP, {"email_address": "ada", "first_name": 7})
    messages = [entry["error_message"] for entry in answer.json or []]
    assert [message.split()[0] for message in messages] == ["email_address", "first_name", "list_memberships"]


def test_at_most_fifty_lists_in_all(api: Api, vendor: Vendor) -> None:
    """Appending may not take a contact beyond 50 lists; the contact stays as it was."""
    ids = [(api("POST", "/v3/contact_lists", {"name": f"List {n}"}).json or {})["list_id"] for n in range(50)]
    assert api("POST", SIGN_UP, person(list_memberships=ids)).status_code == 201
    assert api("POST", SIGN_UP, person(first_name="Ada")).status_code == 400
    assert vendor.contact()["first_name"] is None


def test_street_address_and_phone_are_kept(api: Api) -> None:
    """They can be read as sub-resources, and a repeat replaces them."""
    body = person(phone_number="555 0100", street_address={"kind": "home", "city": "Boston"})
    api("POST", SIGN_UP, body)
    contact_id = (api("POST", SIGN_UP, body).json or {})["contact_id"]
    shown = api("GET", f"/v3/contacts/{contact_id}?include=phone_numbers,street_addresses").json or {}
    (phone,), (address,) = shown["phone_numbers"], shown["street_addresses"]
    assert (phone["phone_number"], address["kind"], address["city"]) == ("555 0100", "home", "Boston")


def test_completed_sign_ups_are_counted_for_each_contact(api: Api, vendor: Vendor) -> None:
    """Completed ones count, also when the answer was lost; refused and failed calls do not."""
    api("POST", SIGN_UP, person())
    vendor.fault(drop="after")
    with pytest.raises(ConnectionDropped):
        api("POST", SIGN_UP, person())
    vendor.fault(status=503)
    api("POST", SIGN_UP, person())
    api("POST", SIGN_UP, person(first_name="x" * 51))
    api("POST", SIGN_UP, person(email_address="bob@example.com"))
    assert vendor.contact_named("ada@example.com")["sign_ups"] == 2
    assert vendor.contact_named("bob@example.com")["sign_ups"] == 1


def test_sign_ups_stay_fast_with_many_contacts(vendor: Vendor) -> None:
    """Ten thousand take well under a second; going through all contacts each time they took half a minute."""
    world: World = vendor.client.application.extensions["sandbox"]
    started = time.monotonic()
    for number in range(10_000):
        sign_up(world, person(email_address=f"p{number}@example.com"))
    assert time.monotonic() - started < 5


def test_abuse_guard(vendor: Vendor) -> None:
    """The sixth attempt within 24 h flags the address for 48 h, and no other address."""
    vendor.settings(access_token_seconds=10 * DAY)
    token = vendor.connect()["access_token"]

    def attempt(address: str) -> TestResponse:
        return vendor.call(token, "POST", SIGN_UP, person(email_address=address))

    assert [attempt("ada@example.com").status_code for _ in range(5)] == [201, 200, 200, 200, 200]
    flagged = attempt("Ada@example.com")
    assert flagged.status_code == 400
    assert (flagged.json or [])[0]["error_message"] == "invalid email address"
    assert attempt("bob@example.com").status_code == 201
    vendor.advance(2 * DAY - 1)
    assert attempt("ada@example.com").status_code == 400
    vendor.advance(1)
    assert attempt("ada@example.com").status_code == 200
    assert vendor.state()["counters"]["abuse_refusals"] == 2


def test_abuse_guard_forgets_after_a_day(vendor: Vendor) -> None:
    """Attempts older than 24 h do not count."""
    vendor.settings(access_token_seconds=10 * DAY)
    token = vendor.connect()["access_token"]
    for _ in range(5):
        vendor.call(token, "POST", SIGN_UP, person())
    vendor.advance(DAY)
    assert vendor.call(token, "POST", SIGN_UP, person()).status_code == 200


CONSENT = {
    "sms_consent_permission": "explicit",
    "consent_type": "promotional_sms",
    "consent_medium_type": "LF",
    "consent_medium_url": "https://www.example.org/",
    "consent_medium_details": "Ticked.",
}
SMS = {
    "sms_address": "7815551212",
    "dial_code": "1",
    "country_code": "US",
    "sms_channel_consents": [CONSENT],
}


def test_a_number_for_text_messages_is_kept_with_its_consent(api: Api, vendor: Vendor) -> None:
    """As the contract's ContactResource shows it; a newer one takes its place, an omitted one stays."""
    assert api("POST", SIGN_UP, person(sms_channel=SMS)).status_code == 201
    held = vendor.contact()["sms_channel"]
    assert {name: held[name] for name in ("sms_address", "dial_code", "country_code")} == {
        "sms_address": "7815551212",
        "dial_code": "1",
        "country_code": "US",
    }
    assert (held["create_source"], held["update_source"]) == ("Contact", "Contact")
    (consent,) = held["sms_channel_consents"]
    assert (consent["sms_consent_permission"], consent["consent_type"]) == ("explicit", "promotional_sms")
    assert "opt_in_date" in consent
    api("POST", SIGN_UP, person(first_name="Ada"))
    assert vendor.contact()["sms_channel"] == held
    api("POST", SIGN_UP, person(sms_channel=SMS | {"sms_address": "7815551213"}))
    assert vendor.contact()["sms_channel"]["sms_address"] == "7815551213"
    assert vendor.contact()["sms_channel"]["sms_channel_id"] == held["sms_channel_id"]


@pytest.mark.parametrize(
    "channel",
    [
        *({name: value for name, value in SMS.items() if name != missing} for missing in SMS),
        *(
            SMS | {"sms_channel_consents": [{n: v for n, v in CONSENT.items() if n != missing}]}
            for missing in CONSENT
        ),
        SMS | {"sms_address": "781-555-1212"},
        SMS | {"sms_address": 7815551212},
        SMS | {"dial_code": "+1"},
        SMS | {"country_code": "USA"},
        SMS | {"sms_channel_consents": {}},
        SMS | {"sms_channel_consents": [CONSENT | {"consent_type": "transactional_sms"}]},
        {"full_sms_address": "17815551212", "sms_channel_consents": [CONSENT]},
        "17815551212",
    ],
)
def test_a_number_or_consent_against_the_contract_is_refused(api: Api, channel: object) -> None:
    """Every required member must be there, with a value that the contract allows."""
    assert api("POST", SIGN_UP, person(sms_channel=channel)).status_code == 400
