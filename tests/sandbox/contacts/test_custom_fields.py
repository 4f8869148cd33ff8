"""The account's custom fields, and the contacts' values."""

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.sandbox.vendor import SIGN_UP, Vendor, person

Api = Callable[..., TestResponse]
FIELDS = "/v3/contact_custom_fields"


def fields(api: Api) -> dict[str, dict[str, Any]]:
    return {item["label"]: item for item in (api("GET", f"{FIELDS}?limit=100").json or {})["custom_fields"]}


def test_the_account_has_a_field_of_every_usual_type(api: Api) -> None:
    """Each with its id, its label, the name made of that, and selections with their choices."""
    found = fields(api)
    assert {item["type"] for item in found.values()} == {
        *("string", "number", "date", "currency", "boolean", "text_area", "single_select", "multi_select")
    }
    assert found["Shoe size"]["name"] == "Shoe_size"
    assert [choice["choice_label"] for choice in found["T-shirt"]["choices"]] == ["Small", "Medium", "Large"]
    assert found["Source"]["custom_field_id"] == "44444444-4444-4444-8444-444444444444"


def test_pages_follow_their_links(api: Api) -> None:
    """With a limit of two, the links lead through all of them."""
    page, seen = f"{FIELDS}?limit=2", []
    while page:
        answer = api("GET", page).json or {}
        seen += [item["label"] for item in answer["custom_fields"]]
        page = answer.get("_links", {}).get("next", {}).get("href")
    assert seen == list(fields(api))
    assert api("GET", f"{FIELDS}?limit=101").status_code == 400


def test_a_field_is_made_once_and_deleted(api: Api) -> None:
    """A label that is taken is a 409; a deleted field is gone, also from the contacts."""
    made = api(
        "POST", FIELDS, {"label": "Dog", "type": "single_select", "choices": [{"choice_label": "Yes"}]}
    )
    assert made.status_code == 201
    assert api("POST", FIELDS, {"label": "dog", "type": "string"}).status_code == 409
    field_id = (made.json or {})["custom_field_id"]
    value = {"custom_field_id": field_id, "value": "Yes"}
    assert api("POST", SIGN_UP, person(custom_fields=[value])).status_code == 201
    assert api("DELETE", f"{FIELDS}/{field_id}").status_code == 204
    assert api("DELETE", f"{FIELDS}/{field_id}").status_code == 404
    assert api("POST", SIGN_UP, person(custom_fields=[value])).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"label": "", "type": "string"},
        {"label": "x" * 51, "type": "string"},
        {"label": "Dog", "type": "animal"},
        {"label": "Dog", "type": "single_select"},
        {"label": "Dog", "type": "string", "choices": [{"choice_label": "Yes"}]},
        {"label": "Dog", "type": "multi_select", "choices": [{"choice_label": ""}]},
    ],
)
def test_a_field_that_breaks_the_contract_is_not_made(api: Api, body: dict[str, Any]) -> None:
    assert api("POST", FIELDS, body).status_code == 400


@pytest.mark.parametrize(
    ("label", "good", "bad"),
    [
        ("Shoe size", "42.5", "big"),
        ("Pledge", "10.00", "$10"),
        ("Member since", "2006-11-15", "2006-02-30"),
        ("Vegetarian", "true", "yes"),
        ("T-shirt", "Large", "Huge"),
        ("Topics", "Chess, Cooking", "Chess, Boxing"),
    ],
)
def test_a_value_must_suit_the_type(api: Api, vendor: Vendor, label: str, good: str, bad: str) -> None:
    """For the sign-up form, which takes values only, no ids of choices."""
    field_id = fields(api)[label]["custom_field_id"]
    refused = api("POST", SIGN_UP, person(custom_fields=[{"custom_field_id": field_id, "value": bad}]))
    assert refused.status_code == 400
    taken = api("POST", SIGN_UP, person(custom_fields=[{"custom_field_id": field_id, "value": good}]))
    assert taken.status_code == 201
    assert vendor.contact()["custom_fields"][0]["value"] == good


def test_a_contact_is_made_with_ids_of_choices(api: Api, vendor: Vendor) -> None:
    """POST /contacts and PUT take them, and show the labels beside them."""
    topics = fields(api)["Topics"]
    ids = [str(choice["choice_id"]) for choice in topics["choices"]][:2]
    body = {
        "email_address": {"address": "ada@example.com"},
        "create_source": "Contact",
        "custom_fields": [{"custom_field_id": topics["custom_field_id"], "choice_ids": ids}],
    }
    assert api("POST", "/v3/contacts", body).status_code == 201
    (held,) = vendor.contact()["custom_fields"]
    assert (held["value"], held["choice_ids"]) == ("Gardening, Cooking", ids)


def test_a_field_is_changed_and_its_contacts_follow(api: Api, vendor: Vendor) -> None:
    """Choices keep their ids, may get other labels, and end at the contacts when they are left out."""
    topics = fields(api)["Topics"]
    path = f"{FIELDS}/{topics['custom_field_id']}"
    value = {"custom_field_id": topics["custom_field_id"], "value": "Gardening, Chess"}
    api("POST", SIGN_UP, person(custom_fields=[value]))
    first = topics["choices"][0]["choice_id"]
    choices = [{"choice_label": "Art"}, {"choice_id": first, "choice_label": "Gardens", "display_order": 0}]
    assert api("PUT", path, {"label": "Themes", "choices": choices}).status_code == 200
    shown = api("GET", path).json or {}
    assert (shown["label"], shown["type"]) == ("Themes", "multi_select")
    assert [choice["choice_label"] for choice in shown["choices"]] == ["Gardens", "Art"]
    (held,) = vendor.contact()["custom_fields"]
    assert (held["value"], held["choice_ids"]) == ("Gardens", [str(first)])
    api("PUT", path, {"label": "Themes", "choices": [{"choice_label": "Other"}]})
    assert vendor.contact()["custom_fields"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"label": "Source", "choices": [{"choice_label": "A"}]}, 409),
        ({"label": "Topics"}, 400),
        ({"choices": [{"choice_label": "A"}]}, 400),
        ({"label": "Topics", "choices": [{"choice_id": 99, "choice_label": "A"}]}, 400),
        ({"label": "Topics", "choices": [{"choice_id": 1, "choice_label": "A"}] * 2}, 400),
    ],
)
def test_a_wrong_change_of_a_field_is_refused(api: Api, body: dict[str, Any], status: int) -> None:
    topics = fields(api)["Topics"]
    assert api("PUT", f"{FIELDS}/{topics['custom_field_id']}", body).status_code == status
    assert fields(api)["Topics"] == topics


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("2006-11-15T18:30:00", 201),
        ("2006-11-15T18:30:00Z", 201),
        ("2006-11-15", 400),
        ("2006-02-30T18:30:00", 400),
    ],
)
def test_a_moment_is_a_date_and_a_time(api: Api, value: str, status: int) -> None:
    """In ISO 8601, as the contract's own dates."""
    made = api("POST", FIELDS, {"label": "Next visit", "type": "datetime"}).json or {}
    said = {"custom_field_id": made["custom_field_id"], "value": value}
    assert api("POST", SIGN_UP, person(custom_fields=[said])).status_code == status
