"""The account's own addresses."""

from typing import Any

import pytest

from tests.sandbox.vendor import SCOPE, Vendor

EMAILS = "/v3/account/emails"


@pytest.fixture
def token(vendor: Vendor) -> str:
    return str(vendor.connect(scope=f"{SCOPE} account_update")["access_token"])


def test_an_address_is_added_unconfirmed(vendor: Vendor, token: str) -> None:
    """The owner's address is confirmed; a new one has no role yet."""
    (owner,) = vendor.call(token, "GET", EMAILS).json or []
    assert (owner["email_address"], owner["confirm_status"]) == ("owner@example.com", "CONFIRMED")
    assert owner["roles"] == ["CONTACT", "BILLING", "REPLY_TO"]
    added = vendor.call(token, "POST", EMAILS, {"email_address": "news@example.com"})
    assert added.status_code == 201
    assert (added.json or {})["confirm_status"] == "UNCONFIRMED"
    assert (added.json or {})["email_id"] != owner["email_id"]
    assert len(vendor.call(token, "GET", EMAILS).json or []) == 2


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("confirm_status=CONFIRMED", ["owner@example.com"]),
        ("confirm_status=U", ["news@example.com"]),
        ("role_code=B", ["owner@example.com"]),
        ("role_code=JOURNALING", []),
        ("email_address=News@example.com", ["news@example.com"]),
        ("email_address=nobody@example.com", []),
    ],
)
def test_addresses_are_found_by_one_parameter(
    vendor: Vendor, token: str, query: str, found: list[str]
) -> None:
    vendor.call(token, "POST", EMAILS, {"email_address": "news@example.com"})
    answer = vendor.call(token, "GET", f"{EMAILS}?{query}").json or []
    assert [item["email_address"] for item in answer] == found


@pytest.mark.parametrize(
    "query", ["confirm_status=maybe", "role_code=X", "confirm_status=C&email_address=owner@example.com"]
)
def test_other_parameters_are_refused(vendor: Vendor, token: str, query: str) -> None:
    assert vendor.call(token, "GET", f"{EMAILS}?{query}").status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"email_address": "OWNER@example.com"}, 409),
        ({"email_address": "no address"}, 400),
        ({"email_address": "a" * 60 + "@" + "b" * 20 + ".org"}, 400),
        ({}, 400),
    ],
)
def test_a_wrong_address_is_not_added(vendor: Vendor, token: str, body: dict[str, Any], status: int) -> None:
    assert vendor.call(token, "POST", EMAILS, body).status_code == status


def test_reading_and_adding_need_their_scopes(vendor: Vendor) -> None:
    reader = vendor.connect()["access_token"]
    assert vendor.call(reader, "POST", EMAILS, {"email_address": "news@example.com"}).status_code == 403
    without = vendor.connect(scope="contact_data")["access_token"]
    assert vendor.call(without, "GET", EMAILS).status_code == 403
