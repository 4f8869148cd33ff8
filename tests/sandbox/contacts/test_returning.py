"""Asking an unsubscribed contact whether to come back, and what deleting does to an opt-out."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from werkzeug.test import TestResponse

from sandbox import PRESET_LIST_ID
from tests.sandbox.vendor import SIGN_UP, Vendor, person

Api = Callable[..., TestResponse]
CONTACTS = "/v3/contacts"
EVENTS = "22222222-2222-4222-8222-222222222222"
ADDRESS = "ada@example.com"
UNSUBSCRIBED = {"address": ADDRESS, "permission_to_send": "unsubscribed"}


@pytest.fixture
def contact_id(api: Api) -> str:
    """Return the id of a contact that signed up and opted out."""
    found = str((api("POST", SIGN_UP, person(email_address=ADDRESS)).json or {})["contact_id"])
    opted_out(api, found)
    return found


def opted_out(api: Api, contact_id: str) -> None:
    body = {"update_source": "Contact", "email_address": UNSUBSCRIBED}
    assert api("PUT", f"{CONTACTS}/{contact_id}", body).status_code == 200


def ask(api: Api, contact_id: str, body: Any = None) -> TestResponse:
    return api("PUT", f"{CONTACTS}/resubscribe/{contact_id}", body or {"list_ids": [EVENTS]})


def test_the_question_changes_nothing_until_it_is_answered(api: Api, vendor: Vendor, contact_id: str) -> None:
    """The contact stays unsubscribed and on its lists; the person's confirmation changes both."""
    assert ask(api, contact_id).status_code == 200
    asked = vendor.contact()
    assert (asked["permission_to_send"], asked["list_memberships"]) == ("unsubscribed", [PRESET_LIST_ID])
    assert asked["return_asked_at"]
    assert vendor.client.post("/_sandbox/confirm-return", json={"email": ADDRESS}).status_code == 200
    back = vendor.contact()
    assert (back["permission_to_send"], back["opt_out_date"]) == ("explicit", None)
    assert back["list_memberships"] == [PRESET_LIST_ID, EVENTS]
    assert vendor.client.post("/_sandbox/confirm-return", json={"email": ADDRESS}).status_code == 400


def test_a_contact_may_opt_out_by_itself(api: Api, vendor: Vendor) -> None:
    """By the control endpoint, in place of the link in a mailing."""
    api("POST", SIGN_UP, person(email_address=ADDRESS))
    unsubscribe = partial(vendor.client.post, "/_sandbox/unsubscribe")
    assert unsubscribe(json={"email": ADDRESS}).status_code == 200
    assert unsubscribe(json={"email": "nobody@example.com"}).status_code == 400
    (shown,) = (api("GET", f"{CONTACTS}?status=unsubscribed").json or {})["contacts"]
    assert shown["email_address"]["opt_out_source"] == "Contact"


def test_the_question_is_mailed_once(api: Api, contact_id: str) -> None:
    """The contract: “You can only send a resubscribe email to the unsubscribed contact once”."""
    assert [ask(api, contact_id).status_code for _ in range(2)] == [200, 400]


def test_only_who_is_unsubscribed_is_asked(api: Api, contact_id: str) -> None:
    """Not an active contact, not a deleted one, and not an unknown id."""
    there = (api("POST", SIGN_UP, person(email_address="bob@example.com")).json or {})["contact_id"]
    assert ask(api, there).status_code == 400
    api("DELETE", f"{CONTACTS}/{contact_id}")
    assert ask(api, contact_id).status_code == 400
    assert ask(api, "99999999-9999-4999-8999-999999999999").status_code == 404


@pytest.mark.parametrize("lists", [None, [], ["nonsense"], ["99999999-9999-4999-8999-999999999999"]])
def test_the_question_names_lists_of_the_account(api: Api, contact_id: str, lists: Any) -> None:
    """The contract requires `list_ids`."""
    assert ask(api, contact_id, {"list_ids": lists}).status_code == 400


def test_a_deleted_contact_shows_an_opt_out(api: Api, vendor: Vendor) -> None:
    """“For deleted contacts (email_address contains opt_out_source and opt_out_date)”; reviving ends it."""
    found = (api("POST", SIGN_UP, person(email_address=ADDRESS)).json or {})["contact_id"]
    api("DELETE", f"{CONTACTS}/{found}")
    (shown,) = (api("GET", f"{CONTACTS}?status=deleted&optout_after=2020-01-01").json or {})["contacts"]
    assert shown["email_address"]["opt_out_source"] == "Account"
    restore = {"update_source": "Account", "list_memberships": [EVENTS]}
    assert api("PUT", f"{CONTACTS}/{found}", restore).status_code == 200
    assert vendor.contact()["opt_out_date"] is None


def test_deleting_keeps_the_persons_own_opt_out(api: Api, contact_id: str) -> None:
    """The opt-out date and source of the person stay when the account deletes the contact."""
    before = (api("GET", f"{CONTACTS}/{contact_id}").json or {})["email_address"]["opt_out_date"]
    api("DELETE", f"{CONTACTS}/{contact_id}")
    email = (api("GET", f"{CONTACTS}/{contact_id}").json or {})["email_address"]
    assert (email["opt_out_source"], email["opt_out_date"]) == ("Contact", before)
