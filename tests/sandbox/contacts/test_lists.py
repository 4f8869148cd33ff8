"""Contact lists and the account."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from sandbox import PRESET_LIST_ID
from tests.sandbox.vendor import SIGN_UP, Vendor, person

Api = Callable[..., TestResponse]
LISTS = "/v3/contact_lists"
NONE_SUCH = f"{LISTS}/99999999-9999-4999-8999-999999999999"


def test_seed(api: Api) -> None:
    """The account starts with three lists; the first is the preset one."""
    lists = (api("GET", LISTS).json or {})["lists"]
    assert [item["name"] for item in lists] == ["Newsletter", "Events", "Volunteers"]
    assert lists[0]["list_id"] == PRESET_LIST_ID
    assert "membership_count" not in lists[0]


def test_create_read_change(api: Api) -> None:
    """A list can be made, read and replaced."""
    created = api("POST", LISTS, {"name": "Members", "favorite": True, "description": "All of them"})
    assert created.status_code == 201
    list_id = (created.json or {})["list_id"]
    assert str(UUID(list_id)) == list_id
    shown = api("GET", f"{LISTS}/{list_id}").json or {}
    assert (shown["name"], shown["favorite"], shown["description"]) == ("Members", True, "All of them")
    changed = api("PUT", f"{LISTS}/{list_id}", {"name": "Friends"})
    assert changed.status_code == 200
    assert ((changed.json or {})["name"], (changed.json or {})["favorite"]) == ("Friends", False)


def test_names_are_unique(api: Api) -> None:
    """A duplicate name is a 409, when creating and when renaming; keeping one's own name is fine."""
    assert api("POST", LISTS, {"name": "newsletter"}).status_code == 409
    assert api("PUT", f"{LISTS}/{PRESET_LIST_ID}", {"name": "Events"}).status_code == 409
    assert api("PUT", f"{LISTS}/{PRESET_LIST_ID}", {"name": "Newsletter"}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": " "},
        {"name": "x" * 256},
        {"name": "A", "favorite": "no"},
        {"name": "A", "description": 1},
    ],
)
def test_create_refuses(api: Api, body: dict[str, Any]) -> None:
    """A broken body is a 400."""
    assert api("POST", LISTS, body).status_code == 400


def test_delete(api: Api, vendor: Vendor) -> None:
    """Deleting is an activity (202) that ends the memberships; the list then shows only on request."""
    api("POST", SIGN_UP, person())
    answer = api("DELETE", f"{LISTS}/{PRESET_LIST_ID}")
    assert answer.status_code == 202
    href = (answer.json or {})["_links"]["self"]["href"]
    assert ((answer.json or {})["state"], answer.headers["Location"]) == ("initialized", href)
    vendor.advance(2)
    assert (api("GET", href).json or {})["state"] == "completed"
    assert vendor.contact()["list_memberships"] == []
    assert api("GET", f"{LISTS}/{PRESET_LIST_ID}").status_code == 404
    assert len((api("GET", LISTS).json or {})["lists"]) == 2
    (deleted,) = (api("GET", f"{LISTS}?status=deleted").json or {})["lists"]
    assert deleted["deleted_at"]
    assert len((api("GET", f"{LISTS}?status=all").json or {})["lists"]) == 3
    assert api("POST", SIGN_UP, person()).status_code == 400
    assert api("POST", LISTS, {"name": "Newsletter"}).status_code == 201


def test_unknown_list(api: Api) -> None:
    """An unknown id is a 404."""
    assert api("GET", NONE_SUCH).status_code == 404
    assert api("PUT", NONE_SUCH, {"name": "A"}).status_code == 404
    assert api("DELETE", NONE_SUCH).status_code == 404


def test_counts(api: Api) -> None:
    """Counts come on request: all members, or only those who may be written to."""
    contact_id = (api("POST", SIGN_UP, person()).json or {})["contact_id"]
    api("POST", SIGN_UP, person(email_address="bob@example.com"))
    email = {"address": "ada@example.com", "permission_to_send": "unsubscribed"}
    api("PUT", f"/v3/contacts/{contact_id}", {"update_source": "Contact", "email_address": email})
    counts = {}
    for kind in ("all", "active"):
        answer = api("GET", f"{LISTS}?include_count=true&include_membership_count={kind}").json or {}
        assert answer["lists_count"] == 3
        counts[kind] = answer["lists"][0]["membership_count"]
    assert counts == {"all": 2, "active": 1}


def test_paging(api: Api) -> None:
    """50 lists a page by default, the next link leads through all of them, the last page has none."""
    for number in range(57):
        api("POST", LISTS, {"name": f"List {number:02}"})
    first = api("GET", LISTS).json or {}
    href = first["_links"]["next"]["href"]
    assert href.startswith("/v3/contact_lists?cursor=")
    second = api("GET", href).json or {}
    assert (len(first["lists"]), len(second["lists"])) == (50, 10)
    assert "_links" not in second
    assert len({item["list_id"] for item in first["lists"] + second["lists"]}) == 60
    assert len((api("GET", f"{LISTS}?limit=1000").json or {})["lists"]) == 60
    assert (api("GET", f"{LISTS}?name=List 07").json or {})["lists"][0]["name"] == "List 07"


def test_a_list_without_a_description_has_an_empty_one(api: Api) -> None:
    """Never null, in any of the answers."""
    created = api("POST", LISTS, {"name": "Members"}).json or {}
    changed = api("PUT", f"{LISTS}/{created['list_id']}", {"name": "Friends"}).json or {}
    listed = (api("GET", LISTS).json or {})["lists"]
    for shown in (created, changed, *listed):
        assert isinstance(shown["description"], str)
    assert (created["description"], changed["description"], listed[2]["description"]) == ("", "", "")


@pytest.mark.parametrize("statuses", ["active, deleted", " deleted ,active ", "active,,deleted"])
def test_blanks_between_statuses_do_no_harm(api: Api, statuses: str) -> None:
    api("DELETE", f"{LISTS}/{PRESET_LIST_ID}")
    assert len((api("GET", LISTS, query_string={"status": statuses}).json or {})["lists"]) == 3


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "status=x", "status=,", "include_membership_count=some"]
)
def test_bad_parameters(api: Api, query: str) -> None:
    """A parameter outside the contract is a 400."""
    assert api("GET", f"{LISTS}?{query}").status_code == 400


def test_next_link_keeps_the_mount_point(api: Api) -> None:
    """Under a mount point the relative link begins with it."""
    answer = api("GET", f"{LISTS}?limit=1", environ_overrides={"SCRIPT_NAME": "/sandbox"}).json or {}
    assert answer["_links"]["next"]["href"].startswith("/sandbox/v3/contact_lists?cursor=")


def test_account_summary(vendor: Vendor) -> None:
    """The summary needs account_read and shows the address on request."""
    token = vendor.connect()["access_token"]
    plain = vendor.call(token, "GET", "/v3/account/summary").json or {}
    assert plain["organization_name"]
    assert plain["encoded_account_id"]
    assert "physical_address" not in plain
    extra = vendor.call(token, "GET", "/v3/account/summary?extra_fields=physical_address").json or {}
    assert extra["physical_address"]["city"]
    assert vendor.call(token, "GET", "/v3/account/summary?extra_fields=x").status_code == 400
    without = vendor.connect(scope="contact_data")["access_token"]
    assert vendor.call(without, "GET", "/v3/account/summary").status_code == 403


def test_privileges(vendor: Vendor) -> None:
    """Privileges need no scope and tell the Owner from a Campaign Creator."""
    held = {}
    for user in ("owner", "campaign_creator"):
        token = vendor.connect(user=user, scope="offline_access")["access_token"]
        answer = vendor.call(token, "GET", "/v3/account/user/privileges").json or []
        held[user] = {item["privilege_name"] for item in answer}
    assert "contacts:write" in held["owner"]
    assert not any(name.startswith("contacts") for name in held["campaign_creator"])
