"""The account's tags, and the activity that gives them to contacts."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.test import TestResponse

from tests.sandbox.vendor import SIGN_UP, Vendor, person

Api = Callable[..., TestResponse]
TAGS = "/v3/contact_tags"
ADD = "/v3/activities/contacts_taggings_add"


def tag(api: Api, name: str) -> str:
    answer = api("POST", TAGS, {"name": name})
    assert answer.status_code == 201, answer.text
    return str((answer.json or {})["tag_id"])


def test_tags_are_made_and_listed_page_by_page(api: Api) -> None:
    """The vendor's next links lead through all of them; 500 a page are the most."""
    ids = [tag(api, f"tag {number}") for number in range(3)]
    page, seen = f"{TAGS}?limit=2", []
    while page:
        answer = api("GET", page).json or {}
        seen += [item["tag_id"] for item in answer["tags"]]
        page = answer.get("_links", {}).get("next", {}).get("href")
    assert seen == ids
    assert api("GET", f"{TAGS}?limit=501").status_code == 400


def test_a_name_is_taken_once(api: Api) -> None:
    """A duplicate is a 409, whatever its case; so is none without a name."""
    tag(api, "VIP")
    assert api("POST", TAGS, {"name": "vip"}).status_code == 409
    assert api("POST", TAGS, {"name": " "}).status_code == 400
    assert api("POST", TAGS, {"name": "x" * 256}).status_code == 400


def test_the_activity_tags_contacts_once(api: Api, vendor: Vendor) -> None:
    """Repeating it changes nothing; the contact, its tag's count and the state show it."""
    contact_id = (api("POST", SIGN_UP, person()).json or {})["contact_id"]
    vip = tag(api, "VIP")
    for _ in range(2):
        answer = api("POST", ADD, {"source": {"contact_ids": [contact_id]}, "tag_ids": [vip]})
        assert answer.status_code == 201
    assert (api("GET", f"/v3/contacts/{contact_id}?include=taggings").json or {})["taggings"] == [vip]
    assert [(item["name"], item["contacts_count"]) for item in vendor.state()["tags"]] == [("VIP", 1)]
    vendor.advance(2)
    activity = (answer.json or {})["_links"]["self"]["href"]
    assert (api("GET", activity).json or {})["state"] == "completed"


@pytest.mark.parametrize("fault", ["contact", "tag", "none", "51 tags", "list"])
def test_what_the_activity_cannot_do_is_a_400_and_tags_nobody(api: Api, vendor: Vendor, fault: str) -> None:
    contact_id = (api("POST", SIGN_UP, person()).json or {})["contact_id"]
    vip = tag(api, "VIP")
    bodies: dict[str, dict[str, Any]] = {
        "contact": {"source": {"contact_ids": [contact_id, str(uuid4())]}, "tag_ids": [vip]},
        "tag": {"source": {"contact_ids": [contact_id]}, "tag_ids": [vip, str(uuid4())]},
        "none": {"source": {"contact_ids": [contact_id]}, "tag_ids": []},
        "51 tags": {"source": {"contact_ids": [contact_id]}, "tag_ids": [vip] * 51},
        "list": {"source": {"list_ids": [contact_id]}, "tag_ids": [vip]},
    }
    assert api("POST", ADD, bodies[fault]).status_code == 400
    assert vendor.contact()["taggings"] == []


def test_a_deleted_tag_is_taken_off_its_contacts(api: Api, vendor: Vendor) -> None:
    contact_id = (api("POST", SIGN_UP, person()).json or {})["contact_id"]
    vip = tag(api, "VIP")
    api("POST", ADD, {"source": {"contact_ids": [contact_id]}, "tag_ids": [vip]})
    assert api("DELETE", f"{TAGS}/{vip}").status_code == 202
    assert vendor.contact()["taggings"] == []
    assert vendor.state()["tags"] == []
    assert api("DELETE", f"{TAGS}/{vip}").status_code == 404


def test_a_tag_is_read_and_renamed(api: Api) -> None:
    """Its source stays; a name of another tag is a 409, its own in another case is free."""
    made = api("POST", TAGS, {"name": "VIP", "tag_source": "Shop"}).json or {}
    path, other = f"{TAGS}/{made['tag_id']}", tag(api, "other")
    assert (api("GET", f"{path}?include_count=true").json or {}) == made | {"contacts_count": 0}
    assert (api("PUT", path, {"name": "vip"}).json or {})["tag_source"] == "Shop"
    assert (api("GET", path).json or {})["name"] == "vip"
    assert api("PUT", path, {"name": "OTHER"}).status_code == 409
    assert api("PUT", path, {}).status_code == 400
    assert api("GET", f"{TAGS}/{uuid4()}").status_code == 404
    assert api("PUT", f"{TAGS}/{uuid4()}", {"name": other}).status_code == 404
