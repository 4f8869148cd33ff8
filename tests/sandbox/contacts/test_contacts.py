"""Creating, reading, replacing and deleting contacts."""

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from sandbox import PRESET_LIST_ID
from tests.sandbox.vendor import SIGN_UP, Vendor, person

Api = Callable[..., TestResponse]
CONTACTS = "/v3/contacts"
EVENTS = "22222222-2222-4222-8222-222222222222"
NOBODY = f"{CONTACTS}/99999999-9999-4999-8999-999999999999"


def new(address: str = "ada@example.com", **members: Any) -> dict[str, Any]:
    return {"email_address": {"address": address}, "create_source": "Account"} | members


def made(api: Api, **members: Any) -> str:
    """Return the path of a contact that has just signed up."""
    return f"{CONTACTS}/{(api('POST', SIGN_UP, person(**members)).json or {})['contact_id']}"


def test_create(api: Api, vendor: Vendor) -> None:
    """Creating answers 201 with the resource; permission is implicit unless stated."""
    email = {"address": "a" * 60 + "@" + "b" * 15 + ".org", "permission_to_send": "explicit"}
    first = api("POST", CONTACTS, new(first_name="Ada", list_memberships=[EVENTS], email_address=email))
    assert first.status_code == 201
    assert (first.json or {})["first_name"] == "Ada"
    assert (first.json or {})["email_address"]["permission_to_send"] == "explicit"
    assert (first.json or {})["list_memberships"] == [EVENTS]
    second = api("POST", CONTACTS, new())
    assert (second.json or {})["email_address"]["permission_to_send"] == "implicit"
    assert api("POST", CONTACTS, {"last_name": "Byron", "create_source": "Contact"}).status_code == 201
    assert len(vendor.state()["contacts"]) == 3


def test_create_refuses_known_addresses(api: Api) -> None:
    """A known address is a 409 with the id in the message only, also when the contact is deleted."""
    path = made(api)
    for _ in range(2):
        answer = api("POST", CONTACTS, new("ADA@example.com"))
        assert answer.status_code == 409
        (entry,) = answer.json or []
        assert entry["error_key"] == "contacts.api.conflict"
        assert entry["error_message"].endswith(f"Email already exists for contact {path.rsplit('/', 1)[1]}")
        api("DELETE", path)


@pytest.mark.parametrize(
    "body",
    [
        {"email_address": {"address": "ada@example.com"}},
        new(create_source="Website"),
        new(email_address="ada@example.com"),
        new(email_address={}),
        new("a" * 60 + "@" + "b" * 16 + ".org"),
        new(email_address={"address": "ada@example.com", "permission_to_send": "perhaps"}),
        new(list_memberships=["99999999-9999-4999-8999-999999999999"]),
        new(phone_numbers=[{"phone_number": "5"}] * 4),
        new(phone_numbers=[{"phone_number": "5", "kind": "fax"}]),
        new(street_addresses=[{"city": "Boston"}]),
        new(taggings=[PRESET_LIST_ID]),
        new(notes=[{"content": "x" * 2001}]),
        new(custom_fields=[{"custom_field_id": "44444444-4444-4444-8444-444444444444", "value": "x"}] * 26),
        {"create_source": "Account"},
    ],
)
def test_create_refuses_what_the_contract_forbids(api: Api, body: dict[str, Any]) -> None:
    """Broken bodies are a 400 in the array shape."""
    answer = api("POST", CONTACTS, body)
    assert answer.status_code == 400
    assert (answer.json or [])[0]["error_key"]


def test_replace_nulls_what_is_omitted(api: Api) -> None:
    """PUT blanks omitted properties, replaces memberships when sent, leaves omitted sub-resources alone."""
    path = made(api, first_name="Ada", last_name="Byron", phone_number="5", list_memberships=[PRESET_LIST_ID])
    answer = api("PUT", path, {"update_source": "Account", "first_name": "Augusta"})
    assert answer.status_code == 200
    assert (answer.json or {})["first_name"] == "Augusta"
    assert "last_name" not in (answer.json or {})
    assert (answer.json or {})["list_memberships"] == [PRESET_LIST_ID]
    assert (answer.json or {})["phone_numbers"][0]["phone_number"] == "5"
    assert (answer.json or {})["email_address"]["address"] == "ada@example.com"
    answer = api("PUT", path, {"update_source": "Account", "list_memberships": [EVENTS]})
    assert (answer.json or {})["list_memberships"] == [EVENTS]
    assert "first_name" not in (answer.json or {})


def test_replace_needs_a_source_and_a_list(api: Api) -> None:
    """update_source is required, and a contact keeps at least one list."""
    path = made(api)
    assert api("PUT", path, {"first_name": "Ada"}).status_code == 400
    assert api("PUT", path, {"update_source": "Account", "list_memberships": []}).status_code == 400
    assert api("PUT", NOBODY, {"update_source": "Account"}).status_code == 404


def test_unsubscribe(api: Api) -> None:
    """PUT unsubscribes, with source, date and reason of the opt-out."""
    path = made(api)
    email = {"address": "ada@example.com", "permission_to_send": "unsubscribed", "opt_out_reason": "too much"}
    shown = (api("PUT", path, {"update_source": "Contact", "email_address": email}).json or {})[
        "email_address"
    ]
    assert shown["permission_to_send"] == "unsubscribed"
    assert (shown["opt_out_source"], shown["opt_out_reason"]) == ("Contact", "too much")
    assert shown["opt_out_date"]
    email["opt_out_reason"] = "x" * 256
    assert api("PUT", path, {"update_source": "Contact", "email_address": email}).status_code == 400


def test_replace_refuses_the_address_of_another(api: Api) -> None:
    """An address belongs to one contact."""
    path = made(api)
    made(api, email_address="bob@example.com")
    email = {"address": "BOB@example.com"}
    assert api("PUT", path, {"update_source": "Account", "email_address": email}).status_code == 409
    email = {"address": "ada@example.org"}
    assert api("PUT", path, {"update_source": "Account", "email_address": email}).status_code == 200


def test_a_changed_address_leads_to_the_contact_and_the_old_one_is_free(api: Api, vendor: Vendor) -> None:
    """Sign-ups and searches find a contact by the address it has now, in whatever case."""
    path = made(api)
    email = {"address": "Ada@Example.org"}
    assert api("PUT", path, {"update_source": "Account", "email_address": email}).status_code == 200
    assert made(api, email_address="ada@example.ORG") == path
    assert found(api, "email=ada@example.com") == set()
    assert made(api) != path
    assert len(vendor.state()["contacts"]) == 2


def test_replacing_keeps_a_contact_findable_by_its_address(api: Api) -> None:
    """The same address in another case stays this contact's, and no second one can take it."""
    path = made(api)
    email = {"address": "ADA@example.com"}
    assert api("PUT", path, {"update_source": "Account", "email_address": email}).status_code == 200
    assert api("POST", CONTACTS, new()).status_code == 409
    assert found(api, "email=ada@example.com") == {"ADA"}


def test_delete_keeps_the_record(api: Api, vendor: Vendor) -> None:
    """Deleting answers 204; the contact leaves the collection but stays on record, and can be restored."""
    path = made(api)
    answer = api("DELETE", path)
    assert (answer.status_code, answer.data) == (204, b"")
    assert (api("GET", CONTACTS).json or {})["contacts"] == []
    assert len((api("GET", f"{CONTACTS}?status=all").json or {})["contacts"]) == 1
    assert vendor.contact()["deleted_at"]
    assert len((api("GET", path).json or {})["deleted_at"]) == len("2026-11-21")
    assert api("DELETE", path).status_code == 404
    restore = {"update_source": "Contact", "list_memberships": [EVENTS]}
    assert api("PUT", path, restore).status_code == 400
    assert api("PUT", path, restore | {"update_source": "Account"}).status_code == 200
    assert vendor.contact()["deleted_at"] is None


def found(api: Api, query: str) -> set[str]:
    answer = api("GET", f"{CONTACTS}?{query}")
    assert answer.status_code == 200, answer.text
    return {contact["email_address"]["address"].split("@")[0] for contact in (answer.json or {})["contacts"]}


def test_search(api: Api, vendor: Vendor) -> None:
    """Every condition of the contract that is imitated narrows the result."""
    made(api, email_address="old@example.com")
    gone = made(api, email_address="gone@example.com")
    left = made(api, email_address="left@example.com")
    api("DELETE", gone)
    vendor.advance(3600)
    made(api, email_address="new@example.com", list_memberships=[EVENTS])
    email = {"address": "left@example.com", "permission_to_send": "unsubscribed"}
    api("PUT", left, {"update_source": "Contact", "email_address": email})
    now = vendor.contact_named("new@example.com")["created_at"]
    half = now.replace("Z", "%2B00:30")
    assert found(api, "") == {"old", "left", "new"}
    assert found(api, "email=OLD@example.com") == {"old"}
    assert found(api, "email=gone@example.com") == set()
    assert found(api, "email=gone@example.com&status=all") == {"gone"}
    assert found(api, "status=active") == {"old", "new"}
    assert found(api, "status=unsubscribed,deleted") == {"left", "gone"}
    assert found(api, f"lists={EVENTS}") == {"new"}
    assert found(api, f"lists={EVENTS},{PRESET_LIST_ID}") == {"old", "left", "new"}
    assert found(api, f"updated_after={half}") == {"left", "new"}
    assert found(api, f"created_after={half}") == {"new"}
    assert found(api, f"updated_before={half}") == {"old"}
    assert found(api, f"optout_after={half}") == {"left"}


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=many",
        "status=asleep",
        "updated_after=yesterday",
        "include=secrets",
        "include_count=perhaps",
        "cursor=nonsense",
        "status=",
        "lists=" + ",".join(str(n) for n in range(26)),
        "tags=" + ",".join(str(n) for n in range(51)),
    ],
)
def test_search_refuses_bad_parameters(api: Api, query: str) -> None:
    """A parameter outside the contract is a 400."""
    assert api("GET", f"{CONTACTS}?{query}").status_code == 400


def test_paging(api: Api) -> None:
    """The next link carries limit and conditions through all pages, and the last page has none."""
    for number in range(5):
        made(api, email_address=f"p{number}@example.com")
    made(api, email_address="else@example.com", list_memberships=[EVENTS])
    path, seen = f"{CONTACTS}?limit=2&lists={PRESET_LIST_ID}&include_count=true", []
    while path:
        answer = api("GET", path).json or {}
        assert answer["contacts_count"] == 5
        seen.append([contact["email_address"]["address"][:2] for contact in answer["contacts"]])
        path = answer.get("_links", {}).get("next", {}).get("href")
        assert not path or path.startswith("/v3/contacts?cursor=")
    assert seen == [["p0", "p1"], ["p2", "p3"], ["p4"]]


def test_include(api: Api) -> None:
    """Sub-resources are shown only when asked for."""
    path = made(api)
    assert "list_memberships" not in (api("GET", path).json or {})
    shown = api("GET", f"{path}?include=list_memberships,taggings").json or {}
    assert (shown["list_memberships"], shown["taggings"]) == ([PRESET_LIST_ID], [])
    assert api("GET", f"{path}?include=secrets").status_code == 400
    assert api("GET", NOBODY).status_code == 404


def test_tokens_are_required(api: Api, vendor: Vendor) -> None:
    """Without a usable token the answer is the bare object, whatever the operation."""
    bare = {"error_key": "unauthorized", "error_message": "Unauthorized"}
    for path in (CONTACTS, "/v3/contact_lists", "/v3/account/summary", "/v3/account/user/privileges"):
        for headers in ({}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Basic eDp5"}):
            answer = vendor.client.get(path, headers=headers)
            assert (answer.status_code, answer.json) == (401, bare)


def test_scopes_and_roles(vendor: Vendor) -> None:
    """A missing scope or privilege is a 403 in the array shape; a user without an account is a 401."""
    without = vendor.connect(scope="account_read")["access_token"]
    creator = vendor.connect(user="campaign_creator")["access_token"]
    unassigned = vendor.connect(user="unassigned")["access_token"]
    for token in (without, creator):
        for method, path in (("POST", SIGN_UP), ("GET", CONTACTS), ("GET", "/v3/contact_lists")):
            answer = vendor.call(token, method, path, person() if method == "POST" else None)
            assert answer.status_code == 403
            assert (answer.json or [])[0]["error_key"]
    assert vendor.works(creator)
    assert vendor.call(unassigned, "GET", CONTACTS).status_code == 401


def test_bodies_must_be_json_objects(api: Api) -> None:
    """Another content type is 415, malformed JSON and non-objects are 400 in the array shape."""
    assert api("POST", SIGN_UP, data="email=a").status_code == 415
    assert api("POST", SIGN_UP, data="{}", content_type="text/plain").status_code == 415
    for data in ("{", "[]", '"text"', b"\xff", ""):
        answer = api("POST", SIGN_UP, data=data, content_type="application/json")
        assert answer.status_code == 400
        assert isinstance(answer.json, list)


def test_unknown_paths_and_methods(api: Api) -> None:
    """The gateway answers unknown paths with 404 and wrong methods with 405, in its own shape."""
    answer = api("GET", "/v3/contact_segments")
    assert answer.status_code == 404
    assert list(answer.json or {}) == ["message"]
    for method, path in (("GET", SIGN_UP), ("DELETE", CONTACTS), ("GET", "/oauth2/default/v1/token")):
        answer = api(method, path)
        assert answer.status_code == 405
        assert list(answer.json or {}) == ["message"]
        assert answer.headers["Allow"]


def test_counts_of_consents(api: Api, vendor: Vendor) -> None:
    """Deleted contacts are not counted; new subscribers on request."""
    made(api, email_address="ada@example.com")
    api("POST", CONTACTS, new("bob@example.com"))
    made(api, email_address="left@example.com")
    vendor.client.post("/_sandbox/unsubscribe", json={"email": "left@example.com"})
    api("DELETE", made(api, email_address="gone@example.com"))
    counts = {"total": 3, "explicit": 1, "implicit": 1, "pending": 0, "unsubscribed": 1}
    assert api("GET", f"{CONTACTS}/counts").json == counts
    assert api("GET", f"{CONTACTS}/counts?include=new_subscriber").json == counts | {"new_subscriber": 2}
    assert api("GET", f"{CONTACTS}/counts?include=all").status_code == 400
