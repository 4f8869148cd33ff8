"""Query parameters as clients of the vendor write them."""

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from sandbox import PRESET_LIST_ID
from tests.sandbox.vendor import SIGN_UP, Vendor, person

Api = Callable[..., TestResponse]
CONTACTS = "/v3/contacts"
EVENTS = "22222222-2222-4222-8222-222222222222"
VOLUNTEERS = "33333333-3333-4333-8333-333333333333"


def signed_up(api: Api, name: str, *lists: str) -> str:
    body = person(email_address=f"{name}@example.com", list_memberships=[*lists] or [PRESET_LIST_ID])
    contact_id: str = (api("POST", SIGN_UP, body).json or {})["contact_id"]
    return contact_id


def found(api: Api, **query: str) -> set[str]:
    answer = api("GET", CONTACTS, query_string=query)
    assert answer.status_code == 200, answer.text
    return {contact["email_address"]["address"].split("@")[0] for contact in (answer.json or {})["contacts"]}


@pytest.mark.parametrize(
    ("given", "counted"),
    [("1", True), ("0", False), ("true", True), ("false", False), ("True", True), ("FALSE", False)],
)
@pytest.mark.parametrize("path", ["/v3/contact_lists", CONTACTS])
def test_a_boolean_is_a_word_or_a_digit(api: Api, path: str, given: str, counted: bool) -> None:
    """The vendor's own PHP kit sends 1 and 0."""
    signed_up(api, "ada")
    answer = api("GET", path, query_string={"include_count": given})
    assert any(name.endswith("_count") for name in answer.json or {}) == counted


@pytest.mark.parametrize("given", ["1", "0", "true"])
def test_a_digit_is_a_boolean_for_tags(api: Api, given: str) -> None:
    api("POST", "/v3/contact_tags", {"name": "VIP"})
    (tag,) = (api("GET", "/v3/contact_tags", query_string={"include_count": given}).json or {})["tags"]
    assert ("contacts_count" in tag) == (given != "0")


@pytest.mark.parametrize("given", ["2", "yes", "-1", "01", ""])
@pytest.mark.parametrize("path", ["/v3/contact_lists", CONTACTS, "/v3/contact_tags"])
def test_what_is_no_boolean_is_refused(api: Api, path: str, given: str) -> None:
    assert api("GET", path, query_string={"include_count": given}).status_code == 400


def test_contacts_by_tags(api: Api) -> None:
    """Contacts with one of the tags, as with lists; an unused tag finds no contact."""
    tags = [(api("POST", "/v3/contact_tags", {"name": name}).json or {})["tag_id"] for name in "abc"]
    signed_up(api, "cy")
    for name, tag_id in (("ada", tags[0]), ("bob", tags[1])):
        body = {"source": {"contact_ids": [signed_up(api, name)]}, "tag_ids": [tag_id]}
        assert api("POST", "/v3/activities/contacts_taggings_add", body).status_code == 201
    assert found(api, tags=tags[0]) == {"ada"}
    assert found(api, tags=",".join(tags)) == {"ada", "bob"}
    assert found(api, tags=f"{tags[0]} , {tags[1]}", lists=PRESET_LIST_ID) == {"ada", "bob"}
    assert found(api, tags=tags[2]) == set()
    assert found(api, tags=PRESET_LIST_ID) == set()
    assert found(api, tags=tags[0], lists=EVENTS) == set()
    assert found(api, tags=tags[0].upper()) == {"ada"}


@pytest.mark.parametrize("form", ["{},{}", "{}, {}", " {} ,{} ", "{},,{},"])
def test_blanks_in_lists_of_ids_do_no_harm(api: Api, form: str) -> None:
    for name, contact_list in (("ada", PRESET_LIST_ID), ("bob", EVENTS), ("cy", VOLUNTEERS)):
        signed_up(api, name, contact_list)
    assert found(api, lists=form.format(PRESET_LIST_ID, EVENTS)) == {"ada", "bob"}


def test_blanks_in_statuses_and_sub_resources_do_no_harm(api: Api) -> None:
    signed_up(api, "ada")
    api("DELETE", f"{CONTACTS}/{signed_up(api, 'bob')}")
    assert found(api, status="active, deleted") == {"ada", "bob"}
    assert found(api, status=" all ") == {"ada", "bob"}
    include: dict[str, Any] = {"include": "taggings , list_memberships"}
    (contact,) = (api("GET", CONTACTS, query_string=include).json or {})["contacts"]
    assert {"taggings", "list_memberships"} <= contact.keys()


def test_conditions_with_blanks_go_through_all_pages(vendor: Vendor, api: Api) -> None:
    """The link to the next page contains them."""
    for number in range(3):
        signed_up(api, f"p{number}", PRESET_LIST_ID if number else EVENTS)
    query = {"lists": f"{PRESET_LIST_ID}, {EVENTS}", "limit": "2", "include_count": "1"}
    first = api("GET", CONTACTS, query_string=query).json or {}
    second = api("GET", first["_links"]["next"]["href"]).json or {}
    assert (first["contacts_count"], second["contacts_count"]) == (3, 3)
    assert len(first["contacts"]) + len(second["contacts"]) == 3
