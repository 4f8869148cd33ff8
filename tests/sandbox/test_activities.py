"""Bulk operations: they are queued, processed and completed as the sandbox's clock goes on."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.test import TestResponse

from sandbox import PRESET_LIST_ID
from sandbox.activities.activity import MOST_QUEUED
from tests.sandbox.vendor import SIGN_UP, Vendor, person

Api = Callable[..., TestResponse]
ACTIVITIES = "/v3/activities"
ADD_TAGS, REMOVE_TAGS = f"{ACTIVITIES}/contacts_taggings_add", f"{ACTIVITIES}/contacts_taggings_remove"
ADD_LISTS, REMOVE_LISTS = f"{ACTIVITIES}/add_list_memberships", f"{ACTIVITIES}/remove_list_memberships"
DELETE = f"{ACTIVITIES}/contact_delete"
EVENTS = "22222222-2222-4222-8222-222222222222"
DAY = 86_400


def member(api: Api, name: str = "ada", **members: Any) -> str:
    answer = api("POST", SIGN_UP, person(email_address=f"{name}@example.com", **members))
    return str((answer.json or {})["contact_id"])


def tag(api: Api, name: str = "VIP") -> str:
    return str((api("POST", "/v3/contact_tags", {"name": name}).json or {})["tag_id"])


def begun(api: Api, path: str, body: dict[str, Any]) -> str:
    """Return the address of the activity that was accepted."""
    answer = api("POST", path, body)
    assert answer.status_code == 201, answer.text
    assert (answer.json or {})["state"] == "initialized"
    return str((answer.json or {})["_links"]["self"]["href"])


def names(vendor: Vendor, held: str, wanted: str) -> set[str]:
    """Return who has the tag or is on the list."""
    contacts = vendor.state()["contacts"]
    return {item["email_address"].split("@")[0] for item in contacts if wanted in item[held]}


def test_an_activity_is_queued_then_processed_then_completed(api: Api, vendor: Vendor) -> None:
    """Nothing is changed before it is completed, and each state has its times."""
    contact_id = member(api)
    href = begun(api, ADD_LISTS, {"source": {"contact_ids": [contact_id]}, "list_ids": [EVENTS]})
    shown = api("GET", href).json or {}
    assert (shown["state"], shown["percent_done"], "started_at" in shown) == ("initialized", 0, False)
    assert shown["status"] == {"items_total_count": 1, "items_completed_count": 0, "list_count": 1}
    vendor.advance(1)
    shown = api("GET", href).json or {}
    assert (shown["state"], "started_at" in shown, "completed_at" in shown) == ("processing", True, False)
    assert names(vendor, "list_memberships", EVENTS) == set()
    vendor.advance(1)
    shown = api("GET", href).json or {}
    assert (shown["state"], shown["percent_done"]) == ("completed", 100)
    assert shown["created_at"] < shown["started_at"] < shown["completed_at"] == shown["updated_at"]
    assert shown["status"]["items_completed_count"] == 1
    assert names(vendor, "list_memberships", EVENTS) == {"ada"}


def test_how_long_an_activity_takes_is_a_setting(api: Api, vendor: Vendor) -> None:
    """With 0 it is completed at once; those under way keep their time."""
    source = {"contact_ids": [member(api)]}
    vendor.settings(activity_seconds=3600)
    slow = begun(api, ADD_LISTS, {"source": source, "list_ids": [EVENTS]})
    vendor.settings(activity_seconds=0)
    quick = begun(api, REMOVE_LISTS, {"source": source, "list_ids": [PRESET_LIST_ID]})
    assert (api("GET", quick).json or {})["state"] == "completed"
    assert vendor.contact()["list_memberships"] == []
    assert (api("GET", slow).json or {})["state"] == "initialized"


def test_a_contact_is_changed_at_the_time_of_completion(api: Api, vendor: Vendor) -> None:
    """However much later somebody looks."""
    href = begun(api, DELETE, {"contact_ids": [member(api)]})
    vendor.advance(3600)
    assert vendor.contact()["deleted_at"] == (api("GET", href).json or {})["completed_at"]


@pytest.mark.parametrize(
    ("source", "tagged"),
    [
        ("contact_ids", {"left"}),
        ("list_ids", {"ada", "left"}),
        ("tag_ids", {"bob"}),
        ("all_active_contacts", {"ada", "bob"}),
        ("new_subscriber", {"bob"}),
    ],
)
def test_contacts_are_named_or_meet_a_criterion(
    api: Api, vendor: Vendor, source: str, tagged: set[str]
) -> None:
    """By each kind of source that the contract has for tags; deleted contacts meet no criterion."""
    member(api, "ada", list_memberships=[EVENTS])
    left = member(api, "left", list_memberships=[EVENTS])
    api("DELETE", f"/v3/contacts/{member(api, 'gone', list_memberships=[EVENTS])}")
    vendor.client.post("/_sandbox/unsubscribe", json={"email": "left@example.com"})
    vendor.advance(31 * DAY)
    token = vendor.connect()["access_token"]

    def later(method: str, path: str, body: Any = None) -> TestResponse:
        return vendor.call(token, method, path, body)

    bob, vip, wanted = member(later, "bob"), tag(later, "VIP"), tag(later, "wanted")
    begun(later, ADD_TAGS, {"source": {"contact_ids": [bob]}, "tag_ids": [vip]})
    values: dict[str, Any] = {"contact_ids": [left], "list_ids": [EVENTS], "tag_ids": [vip]}
    begun(later, ADD_TAGS, {"source": {source: values.get(source, True)}, "tag_ids": [wanted]})
    vendor.advance(2)
    assert names(vendor, "taggings", wanted) == tagged


def test_excluded_contacts_are_left_alone(api: Api, vendor: Vendor) -> None:
    """Only with a criterion: beside ids of contacts `exclude` is refused."""
    ada, vip = member(api, "ada"), tag(api)
    member(api, "bob")
    body = {"source": {"all_active_contacts": True}, "exclude": {"contact_ids": [ada]}, "tag_ids": [vip]}
    begun(api, ADD_TAGS, body)
    vendor.advance(2)
    assert names(vendor, "taggings", vip) == {"bob"}
    assert api("POST", ADD_TAGS, body | {"source": {"contact_ids": [ada]}}).status_code == 400


def test_tags_are_added_and_removed(api: Api, vendor: Vendor) -> None:
    """Adding to named contacts shows at once, removing when the activity is completed."""
    ada, vip, other = member(api), tag(api), tag(api, "other")
    begun(api, ADD_TAGS, {"source": {"contact_ids": [ada]}, "tag_ids": [vip, other]})
    assert vendor.contact()["taggings"] == [vip, other]
    begun(api, REMOVE_TAGS, {"source": {"contact_ids": [ada]}, "tag_ids": [vip]})
    assert vendor.contact()["taggings"] == [vip, other]
    vendor.advance(2)
    assert vendor.contact()["taggings"] == [other]


def test_lists_are_added_and_removed(api: Api, vendor: Vendor) -> None:
    """Also for all members of a list, who may end up on none; permissions stay."""
    member(api, "ada")
    member(api, "bob")
    vendor.client.post("/_sandbox/unsubscribe", json={"email": "bob@example.com"})
    begun(api, ADD_LISTS, {"source": {"list_ids": [PRESET_LIST_ID]}, "list_ids": [EVENTS]})
    vendor.advance(2)
    assert names(vendor, "list_memberships", EVENTS) == {"ada", "bob"}
    assert vendor.contact_named("bob@example.com")["permission_to_send"] == "unsubscribed"
    begun(api, REMOVE_LISTS, {"source": {"list_ids": [EVENTS]}, "list_ids": [EVENTS, PRESET_LIST_ID]})
    vendor.advance(2)
    assert [contact["list_memberships"] for contact in vendor.state()["contacts"]] == [[], []]


def test_a_contact_stays_within_fifty_lists(api: Api, vendor: Vendor) -> None:
    """The activity's errors name the contact that it could not add."""
    lists = [
        str((api("POST", "/v3/contact_lists", {"name": f"L{n}"}).json or {})["list_id"]) for n in range(50)
    ]
    ada = member(api)
    href = begun(api, ADD_LISTS, {"source": {"contact_ids": [ada]}, "list_ids": lists})
    vendor.advance(2)
    (error,) = (api("GET", href).json or {})["activity_errors"]
    assert ada in error
    assert vendor.contact()["list_memberships"] == [PRESET_LIST_ID]


@pytest.mark.parametrize("by", ["contact_ids", "list_ids"])
def test_contacts_are_deleted(api: Api, vendor: Vendor, by: str) -> None:
    """By id or by list, when the activity is completed; their record stays."""
    ada = member(api, list_memberships=[EVENTS])
    begun(api, DELETE, {by: [ada if by == "contact_ids" else EVENTS]})
    assert vendor.contact()["deleted_at"] is None
    vendor.advance(2)
    assert (api("GET", "/v3/contacts").json or {})["contacts"] == []
    assert len((api("GET", "/v3/contacts?status=all").json or {})["contacts"]) == 1


def test_what_is_deleted_meanwhile_is_skipped(api: Api, vendor: Vendor) -> None:
    """A contact that is deleted, a list and a tag that are, while the activity waits."""
    ada, bob, vip = member(api, "ada"), member(api, "bob"), tag(api)
    begun(api, ADD_TAGS, {"source": {"all_active_contacts": True}, "tag_ids": [vip]})
    begun(api, ADD_LISTS, {"source": {"contact_ids": [ada, bob]}, "list_ids": [EVENTS]})
    api("DELETE", f"/v3/contacts/{ada}")
    api("DELETE", f"/v3/contact_tags/{vip}")
    api("DELETE", f"/v3/contact_lists/{EVENTS}")
    vendor.advance(2)
    assert [contact["list_memberships"] for contact in vendor.state()["contacts"]] == [[], [PRESET_LIST_ID]]
    assert [contact["taggings"] for contact in vendor.state()["contacts"]] == [[], []]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (ADD_TAGS, {"tag_ids": ["{tag}"]}),
        (ADD_TAGS, {"source": "all", "tag_ids": ["{tag}"]}),
        (ADD_TAGS, {"source": {}, "tag_ids": ["{tag}"]}),
        (ADD_TAGS, {"source": {"contact_ids": ["{ada}"], "all_active_contacts": True}, "tag_ids": ["{tag}"]}),
        (ADD_TAGS, {"source": {"contact_ids": ["{ada}"] * 501}, "tag_ids": ["{tag}"]}),
        (ADD_TAGS, {"source": {"list_ids": ["{list}"] * 51}, "tag_ids": ["{tag}"]}),
        (ADD_TAGS, {"source": {"contact_ids": ["{ada}"]}, "tag_ids": ["{tag}"] * 51}),
        (REMOVE_TAGS, {"source": {"contact_ids": ["{ada}"]}}),
        (REMOVE_TAGS, {"source": {"contact_ids": ["{none}"]}, "tag_ids": ["{tag}"]}),
        (REMOVE_TAGS, {"source": {"all_active_contacts": "yes"}, "tag_ids": ["{tag}"]}),
        (ADD_LISTS, {"source": {"contact_ids": ["{ada}"]}, "list_ids": []}),
        (ADD_LISTS, {"source": {"contact_ids": ["{ada}"]}, "list_ids": ["{none}"]}),
        (ADD_LISTS, {"source": {"contact_ids": ["{ada}"]}, "list_ids": ["{list}"] * 51}),
        (ADD_LISTS, {"source": {"new_subscriber": True}, "list_ids": ["{list}"]}),
        (REMOVE_LISTS, {"source": {"contact_ids": []}, "list_ids": ["{list}"]}),
        (DELETE, {}),
        (DELETE, {"contact_ids": ["{ada}"], "list_ids": ["{list}"]}),
        (DELETE, {"contact_ids": ["{ada}"] * 501}),
        (DELETE, {"list_ids": ["{list}"] * 51}),
    ],
)
def test_what_the_contract_forbids_is_a_400_and_changes_nothing(
    api: Api, vendor: Vendor, path: str, body: dict[str, Any]
) -> None:
    ids = {"{ada}": member(api), "{tag}": tag(api), "{list}": EVENTS, "{none}": str(uuid4())}

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(each) for name, each in value.items()}
        return [ids[each] for each in value] if isinstance(value, list) else value

    answer = api("POST", path, filled(body))
    assert answer.status_code == 400
    assert (answer.json or [])[0]["error_message"]
    vendor.advance(2)
    assert (api("GET", ACTIVITIES).json or {})["activities"] == []
    assert vendor.contact()["taggings"] == []
    assert vendor.contact()["list_memberships"] == [PRESET_LIST_ID]


def test_five_hundred_contacts_and_fifty_tags_are_taken(api: Api) -> None:
    """The limits themselves are within them."""
    ada, vip = member(api), tag(api)
    begun(api, ADD_TAGS, {"source": {"contact_ids": [ada] * 500}, "tag_ids": [vip] * 50})


def test_activities_are_listed_by_state_and_page_by_page(api: Api, vendor: Vendor) -> None:
    """Oldest first; ten days after its request an activity is forgotten."""
    source = {"contact_ids": [member(api)]}
    hrefs = []
    for _ in range(3):
        hrefs.append(begun(api, ADD_LISTS, {"source": source, "list_ids": [EVENTS]}))
        vendor.advance(1)

    def listed(query: str = "") -> list[str]:
        found = (api("GET", f"{ACTIVITIES}{query}").json or {})["activities"]
        return [item["_links"]["self"]["href"] for item in found]

    assert listed() == hrefs
    assert listed("?state=completed") == hrefs[:2]
    assert listed("?state=processing") == hrefs[2:]
    assert listed("?state=failed") == []
    first = api("GET", f"{ACTIVITIES}?limit=2").json or {}
    second = api("GET", first["_links"]["next"]["href"]).json or {}
    assert (len(first["activities"]), len(second["activities"])) == (2, 1)
    for query in ("?limit=0", "?limit=501", "?state=initialized"):
        assert api("GET", f"{ACTIVITIES}{query}").status_code == 400
    vendor.advance(10 * DAY - 2)
    token = vendor.connect()["access_token"]
    found = vendor.call(token, "GET", ACTIVITIES).json or {}
    assert [item["_links"]["self"]["href"] for item in found["activities"]] == hrefs[1:]
    assert vendor.call(token, "GET", hrefs[0]).status_code == 404


def test_an_unknown_activity_is_a_404(api: Api) -> None:
    assert api("GET", f"{ACTIVITIES}/{uuid4()}").status_code == 404
    assert api("GET", f"{ACTIVITIES}/soon").status_code == 404


def test_a_thousand_may_be_queued(api: Api, vendor: Vendor) -> None:
    """The next one is a 429 without a key, until some of them are completed."""
    body = {"source": {"contact_ids": [member(api)]}, "list_ids": [EVENTS]}
    for _ in range(MOST_QUEUED):
        assert api("POST", ADD_LISTS, body).status_code == 201
    answer = api("POST", ADD_LISTS, body)
    assert (answer.status_code, list(answer.json or {})) == (429, ["message"])
    vendor.advance(2)
    assert api("POST", ADD_LISTS, body).status_code == 201


def test_a_reset_forgets_all_activities(api: Api, vendor: Vendor) -> None:
    """Waiting activities change nothing in the new account."""
    begun(api, REMOVE_LISTS, {"source": {"contact_ids": [member(api)]}, "list_ids": [PRESET_LIST_ID]})
    vendor.client.post("/_sandbox/reset")
    vendor.advance(2)
    token = vendor.connect()["access_token"]
    assert vendor.call(token, "GET", ACTIVITIES).json == {"activities": []}


def test_activities_need_the_scope_for_contacts(vendor: Vendor) -> None:
    token = vendor.connect(scope="account_read")["access_token"]
    assert vendor.call(token, "GET", ACTIVITIES).status_code == 403
    assert vendor.call(token, "POST", DELETE, {}).status_code == 403
