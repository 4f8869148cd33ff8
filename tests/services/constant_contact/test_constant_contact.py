"""The vendor's client at its HTTP edge."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import responses

from services.constant_contact.account import Account
from services.constant_contact.client import ConstantContact, SignedUp
from services.constant_contact.contacts import Contact
from services.constant_contact.errors import (
    Conflict,
    ConnectionUnusable,
    ConstantContactError,
    Forbidden,
    Misconfigured,
    NotAsked,
    QuotaExceeded,
    Rejected,
    Remedy,
    ServerFault,
    Throttled,
    Unauthorized,
    Unreachable,
)
from store.opt_outs import OptedOut
from tests.services.vendor import data_of

BASE = "https://api.cc.email/v3"
SIGN_UP = f"{BASE}/contacts/sign_up_form"
LISTS = f"{BASE}/contact_lists"
SUMMARY = f"{BASE}/account/summary"
PRIVILEGES = f"{BASE}/account/user/privileges"
HELD = [{"privilege_id": 21, "privilege_name": "contacts:write"}]


class NoToken(Exception):
    """What an authenticator raises that has no token."""


def free() -> None:
    """A call that nobody counts."""


class Broken(requests.auth.AuthBase):
    """An authenticator without a token."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        raise NoToken


@pytest.fixture
def vendor() -> ConstantContact:
    return ConstantContact(requests.Session(), base_url=BASE, connection_errors=(NoToken,))


@responses.activate
@pytest.mark.parametrize(("status", "action"), [(201, "created"), (200, "updated")])
def test_a_sign_up_is_posted_as_json(vendor: ConstantContact, status: int, action: str) -> None:
    """The body goes out as it is; contact and action come back typed."""
    responses.post(SIGN_UP, status=status, json={"contact_id": "c-1", "action": action})
    body = {"email_address": "ann@example.org", "list_memberships": ["l"]}
    assert vendor.sign_up(data_of(body)) == SignedUp("c-1", action)
    sent = responses.calls[0].request
    assert isinstance(sent.body, bytes)
    assert json.loads(sent.body) == body
    assert sent.headers["Content-Type"] == "application/json"


ARRAY: list[dict[str, str]] = [{"error_key": "contacts.api.validation", "error_message": "no"}]


@responses.activate
@pytest.mark.parametrize(
    ("status", "body", "expected", "remedy"),
    [
        (400, ARRAY, Rejected, Remedy.PARK),
        (
            401,
            {"error_key": "unauthorized", "error_message": "Unauthorized"},
            Unauthorized,
            Remedy.NEEDS_PERSON,
        ),
        (403, ARRAY, Forbidden, Remedy.NEEDS_PERSON),
        (404, {"message": "no Route matched"}, Misconfigured, Remedy.PARK),
        (405, {"message": "no"}, Misconfigured, Remedy.PARK),
        (409, ARRAY, Conflict, Remedy.RETRY),
        (415, ARRAY, Misconfigured, Remedy.PARK),
        (429, [{"error_key": "throttled", "error_message": "slow"}], Throttled, Remedy.PAUSE_ALL),
        (429, {"error_key": "throttled", "error_message": "slow"}, Throttled, Remedy.PAUSE_ALL),
        (429, {"error_key": "quota_exceeded", "error_message": "day"}, QuotaExceeded, Remedy.PAUSE_ALL),
        (429, [{"error_key": "quota_exceeded", "error_message": "day"}], QuotaExceeded, Remedy.PAUSE_ALL),
        (429, {"message": "queued"}, Throttled, Remedy.PAUSE_ALL),
        (500, ARRAY, ServerFault, Remedy.PAUSE_ALL),
        (503, {"message": "later"}, ServerFault, Remedy.PAUSE_ALL),
        (302, {}, Unreachable, Remedy.PAUSE_ALL),
        (201, {"contact_id": "c-1"}, Unreachable, Remedy.PAUSE_ALL),
        (201, {"contact_id": 5, "action": "created"}, Unreachable, Remedy.PAUSE_ALL),
        (200, [], Unreachable, Remedy.PAUSE_ALL),
    ],
)
def test_every_answer_becomes_a_typed_failure(
    vendor: ConstantContact, status: int, body: Any, expected: type[ConstantContactError], remedy: Remedy
) -> None:
    """All three error shapes and every status end in a failure that carries its remedy."""
    responses.post(SIGN_UP, status=status, json=body)
    with pytest.raises(ConstantContactError) as caught:
        vendor.sign_up(data_of({}))
    assert type(caught.value) is expected
    assert caught.value.remedy is remedy
    if body is ARRAY:
        assert caught.value.key == "contacts.api.validation"


@responses.activate
@pytest.mark.parametrize(
    ("status", "body"), [(200, "<html>Back soon</html>"), (201, ""), (200, '{"contact_id":"c')]
)
def test_a_success_that_is_not_the_vendors_json_is_no_success(
    vendor: ConstantContact, status: int, body: str
) -> None:
    """A proxy's page or a cut body leaves the outcome unknown."""
    responses.post(SIGN_UP, status=status, body=body)
    with pytest.raises(Unreachable):
        vendor.sign_up(data_of({}))


@responses.activate
@pytest.mark.parametrize(
    "fault",
    [
        requests.ConnectionError("refused"),
        requests.exceptions.SSLError("certificate"),
        requests.ConnectTimeout(),
        requests.ReadTimeout(),
        requests.exceptions.ChunkedEncodingError(),
    ],
)
def test_transport_faults_are_unreachable(vendor: ConstantContact, fault: Exception) -> None:
    """No exception of requests leaves the client."""
    responses.post(SIGN_UP, body=fault)
    with pytest.raises(Unreachable):
        vendor.sign_up(data_of({}))


def test_a_connection_without_a_token_is_told_apart() -> None:
    """Nothing is sent when the authenticator has no token to give."""
    session = requests.Session()
    session.auth = Broken()
    with pytest.raises(ConnectionUnusable):
        ConstantContact(session, base_url=BASE, connection_errors=(NoToken,)).sign_up(data_of({}))


@responses.activate
def test_a_redirect_is_not_followed(vendor: ConstantContact) -> None:
    """A redirect could carry the access token to another host."""
    responses.post(SIGN_UP, status=307, headers={"Location": "https://elsewhere.example.org/"})
    with pytest.raises(Unreachable):
        vendor.sign_up(data_of({}))
    assert len(responses.calls) == 1


@responses.activate
def test_lists_are_read_page_by_page(vendor: ConstantContact) -> None:
    """The next link starts with /v3, which the base address already holds."""
    responses.get(
        LISTS,
        match=[responses.matchers.query_param_matcher({"limit": "500", "include_membership_count": "all"})],
        json={
            "lists": [{"list_id": "l-1", "name": "News", "favorite": True, "membership_count": 7}],
            "_links": {"next": {"href": "/v3/contact_lists?cursor=abc"}},
        },
    )
    responses.get(
        LISTS,
        match=[responses.matchers.query_param_matcher({"cursor": "abc"})],
        json={"lists": [{"list_id": "l-2", "name": "Events", "description": "d"}]},
    )
    first = vendor.contact_lists()
    assert (first.entries[0].name, first.entries[0].membership_count, first.entries[0].favorite) == (
        "News",
        7,
        True,
    )
    second = vendor.contact_lists(first.next)
    assert (second.entries[0].list_id, second.entries[0].description, second.next) == ("l-2", "d", None)


@responses.activate
@pytest.mark.parametrize("body", [{}, {"lists": 5}, {"lists": [{"name": "no id"}]}, {"lists": ["x"]}])
def test_an_odd_list_answer_is_no_answer(vendor: ConstantContact, body: object) -> None:
    """What cannot be read leaves the known lists alone."""
    responses.get(LISTS, json=body)
    with pytest.raises(Unreachable):
        vendor.contact_lists()


@responses.activate
def test_a_next_link_to_another_host_stays_on_ours(vendor: ConstantContact) -> None:
    """Only path and query of a link are used: the access token never follows it elsewhere."""
    responses.get(
        LISTS, json={"lists": [], "_links": {"next": {"href": "https://evil.example.org/v3/x?y=1"}}}
    )
    assert vendor.contact_lists().next == "/v3/x?y=1"


def token(**claims: object) -> str:
    """An access token with these claims."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({}, claims)]
    return b".".join([*parts, b"signature"]).decode()


@responses.activate
def test_an_account_is_asked_with_the_given_token_only() -> None:
    """The token that is not stored yet is looked at, not the connection that works meanwhile."""
    session = requests.Session()
    session.auth = Broken()
    vendor = ConstantContact(session, base_url=BASE, connection_errors=(NoToken,))
    responses.get(SUMMARY, json={"encoded_account_id": "a-1", "organization_name": "River"})
    responses.get(PRIVILEGES, json=[*HELD, {"privilege_id": 10, "privilege_name": "account:read"}])
    given = token(sub="olivia", platform_user_id="u-1")
    permitted: list[int] = []
    found = vendor.account(given, permit=lambda: permitted.append(len(responses.calls)))
    assert found == Account("a-1", "River", "olivia", may_manage_contacts=True)
    assert permitted == [0, 1], "each call is booked at the moment it leaves"
    assert [call.request.headers["Authorization"] for call in responses.calls] == [f"Bearer {given}"] * 2


@responses.activate
@pytest.mark.parametrize("held", [[], ["campaign:create", "contacts:read", "contacts:lists:read"]])
def test_signing_up_takes_the_right_to_write_contacts(vendor: ConstantContact, held: list[str]) -> None:
    """A Campaign Creator may consent, but every sign-up would be a 403; the token need not be a JWT."""
    responses.get(SUMMARY, json={"encoded_account_id": "a-1"})
    responses.get(PRIVILEGES, json=[{"privilege_name": name} for name in held])
    assert vendor.account("opaque", permit=free) == Account("a-1", "a-1", "", may_manage_contacts=False)


@responses.activate
def test_a_user_without_an_account_costs_no_call(vendor: ConstantContact) -> None:
    """The token itself says that no account is behind it."""
    found = vendor.account(token(sub="olivia", platform_user_id="UNASSIGNED"), permit=free)
    assert found == Account("", "", "olivia", may_manage_contacts=False)
    assert len(responses.calls) == 0


@responses.activate
@pytest.mark.parametrize(
    ("summary", "privileges", "expected"),
    [
        ((401, {"message": "Unauthorized"}), (200, HELD), Unauthorized),
        ((401, {}), (200, HELD), Unreachable),
        ((403, ARRAY), (200, HELD), Forbidden),
        ((200, {"organization_name": "River"}), (200, HELD), Unreachable),
        ((200, {"encoded_account_id": ""}), (200, HELD), Unreachable),
        ((200, []), (200, HELD), Unreachable),
        ((200, {"encoded_account_id": "a-1"}), (503, {}), ServerFault),
        ((200, {"encoded_account_id": "a-1"}), (429, {}), Throttled),
        ((200, {"encoded_account_id": "a-1"}), (200, {"privileges": HELD}), Unreachable),
    ],
)
def test_an_account_that_cannot_be_told_is_a_typed_failure(
    vendor: ConstantContact,
    summary: tuple[int, Any],
    privileges: tuple[int, Any],
    expected: type[ConstantContactError],
) -> None:
    """Half an answer is none: nobody is connected on a guess."""
    responses.get(SUMMARY, status=summary[0], json=summary[1])
    responses.get(PRIVILEGES, status=privileges[0], json=privileges[1])
    with pytest.raises(ConstantContactError) as caught:
        vendor.account(token(sub="olivia"), permit=free)
    assert type(caught.value) is expected


@responses.activate
@pytest.mark.parametrize("odd", ["a.b.c", "a.W10.c", "a.////.c"])
def test_a_token_without_readable_claims_is_still_asked(vendor: ConstantContact, odd: str) -> None:
    """Only the user's name is missing then."""
    responses.get(SUMMARY, json={"encoded_account_id": "a-1", "organization_name": "River"})
    responses.get(PRIVILEGES, json=HELD)
    assert vendor.account(odd, permit=free) == Account("a-1", "River", "", may_manage_contacts=True)


CONTACTS = f"{BASE}/contacts"
LONG = "ann.with.a.name.that.is.long@department.of.something.example.org"
WISH = {
    "email_address": LONG,
    "list_memberships": ["l-2"],
    "first_name": "Ann",
    "phone_number": "2",
    "street_address": {"kind": "home", "city": "Here"},
    "custom_fields": [{"custom_field_id": "f-2", "value": "v"}],
}


def sent() -> Any:
    """The body of the last call."""
    body = responses.calls[-1].request.body
    assert isinstance(body, bytes)
    return json.loads(body)


@responses.activate
def test_a_contact_is_created_as_the_contract_wants(vendor: ConstantContact) -> None:
    """There the address is an object, and phones and street addresses are arrays."""
    responses.post(CONTACTS, status=201, json={"contact_id": "c-1"})
    assert vendor.create_contact(data_of(WISH)) == SignedUp("c-1", "created")
    assert sent() == {
        "email_address": {"address": LONG, "permission_to_send": "explicit"},
        "create_source": "Contact",
        "list_memberships": ["l-2"],
        "first_name": "Ann",
        "phone_numbers": [{"phone_number": "2", "kind": "other"}],
        "street_addresses": [{"kind": "home", "city": "Here"}],
        "custom_fields": [{"custom_field_id": "f-2", "value": "v"}],
    }


@responses.activate
def test_a_contact_is_found_among_all_with_what_belongs_to_it(vendor: ConstantContact) -> None:
    """Also unsubscribed and deleted; the plus sign of an address must not become a space."""
    wanted = {
        "email": "ann+x@example.org",
        "status": "all",
        "include": "custom_fields,list_memberships,phone_numbers,street_addresses,taggings,notes",
    }
    found = {"contact_id": "c-1", "email_address": {"address": "Ann+X@example.org"}}
    responses.get(
        CONTACTS, match=[responses.matchers.query_param_matcher(wanted)], json={"contacts": [found]}
    )
    contact = vendor.find_contact("ann+x@example.org")
    assert contact is not None
    assert (contact.contact_id, contact.document) == ("c-1", found)
    assert "ann%2Bx%40example.org" in (responses.calls[0].request.url or "")


@responses.activate
@pytest.mark.parametrize(
    "contacts", [[], [{"contact_id": "c-9", "email_address": {"address": "eve@example.org"}}]]
)
def test_nobody_elses_contact_is_found(vendor: ConstantContact, contacts: list[Any]) -> None:
    """What is found is written to, so an answer about somebody else is none."""
    responses.get(CONTACTS, json={"contacts": contacts})
    assert vendor.find_contact("ann@example.org") is None


@responses.activate
@pytest.mark.parametrize("body", [{}, {"contacts": 5}, {"contacts": ["x"]}, {"contacts": [{"id": 1}]}])
def test_an_odd_answer_about_contacts_is_no_answer(vendor: ConstantContact, body: object) -> None:
    """Who left cannot be told from it, so it must not pass for "nobody"."""
    responses.get(CONTACTS, json=body)
    with pytest.raises(Unreachable):
        vendor.find_contact("ann@example.org")


def held(**more: Any) -> Contact:
    document = {
        "contact_id": "c-1",
        "email_address": {"address": LONG, "permission_to_send": "implicit"},
        "first_name": "Anna",
        "last_name": "Smith",
        "anniversary": "2006-11-15",
        "create_source": "Account",
        "created_at": "2016-01-23T13:48:44.108Z",
        "list_memberships": ["l-1", "l-2"],
        "custom_fields": [
            {"custom_field_id": "f-1", "value": "a"},
            {"custom_field_id": "f-2", "value": "b", "choice_ids": ["1"]},
        ],
        "phone_numbers": [
            {"phone_number_id": "p-1", "phone_number": "1", "kind": "home", "updated_at": "2016-03-03"}
        ],
        "street_addresses": [{"street_address_id": "s-1", "kind": "work", "city": "There", "state": None}],
        "taggings": ["t-1"],
        "notes": [{"note_id": "n-1", "content": "x"}],
    }
    return Contact("c-1", document | more)


@responses.activate
def test_an_update_sends_along_what_it_would_else_remove(vendor: ConstantContact) -> None:
    """Tags and notes stay by being left out; what is only for reading is not sent back."""
    responses.put(f"{CONTACTS}/c-1", json={"contact_id": "c-1"})
    assert vendor.update_contact(held(), data_of(WISH)) == SignedUp("c-1", "updated")
    assert sent() == {
        "email_address": {"address": LONG, "permission_to_send": "explicit"},
        "update_source": "Contact",
        "first_name": "Ann",
        "last_name": "Smith",
        "anniversary": "2006-11-15",
        "list_memberships": ["l-1", "l-2"],
        "custom_fields": [
            {"custom_field_id": "f-1", "value": "a"},
            {"custom_field_id": "f-2", "value": "v"},
        ],
        "phone_numbers": [{"phone_number": "1", "kind": "home"}, {"phone_number": "2", "kind": "other"}],
        "street_addresses": [{"kind": "work", "city": "There"}, {"kind": "home", "city": "Here"}],
    }


@responses.activate
def test_an_update_leaves_out_what_it_does_not_add_to(vendor: ConstantContact) -> None:
    """The less is sent, the less of somebody's simultaneous edit is undone."""
    responses.put(f"{CONTACTS}/c-1", json={"contact_id": "c-1"})
    wish = {"email_address": LONG, "list_memberships": ["l-3"], "phone_number": "1"}
    vendor.update_contact(held(), data_of(wish))
    assert not {"custom_fields", "phone_numbers", "street_addresses", "taggings", "notes"} & set(sent())
    assert sent()["list_memberships"] == ["l-1", "l-2", "l-3"]


@responses.activate
def test_a_deleted_contact_is_restored_in_the_vendors_word_for_it(vendor: ConstantContact) -> None:
    """The contract: "To restore a deleted contact you must specify the update_source as Account"."""
    responses.put(f"{CONTACTS}/c-1", json={"contact_id": "c-1"})
    vendor.update_contact(held(deleted_at="2026-01-02"), data_of(WISH))
    assert sent()["update_source"] == "Account"


@responses.activate
def test_a_contact_that_is_gone_when_it_is_updated_is_a_conflict(vendor: ConstantContact) -> None:
    """That is no reason to stop everybody: the next try creates it."""
    responses.put(f"{CONTACTS}/c-1", status=404, json=ARRAY)
    with pytest.raises(Conflict):
        vendor.update_contact(held(), data_of(WISH))


NOON = 1_790_000_000_000  # 2026-09-21T14:13:20Z


@pytest.mark.parametrize(
    ("document", "left"),
    [
        ({"permission_to_send": "unsubscribed", "opt_out_date": "2026-09-21T14:13:20.001Z"}, True),
        ({"permission_to_send": "unsubscribed", "opt_out_date": "2026-09-21T10:13:21-04:00"}, True),
        ({"permission_to_send": "unsubscribed", "opt_out_date": "2026-09-21T14:13:20.000Z"}, False),
        ({"permission_to_send": "unsubscribed", "opt_out_date": "2026-09-21T10:13:19-04:00"}, False),
        ({"permission_to_send": "unsubscribed"}, True),
        ({"permission_to_send": "unsubscribed", "opt_out_date": "soon"}, True),
        ({"permission_to_send": "explicit", "opt_out_date": "2026-09-22T00:00:00Z"}, False),
        ({"permission_to_send": "temp_hold"}, False),
    ],
)
def test_who_opted_out_after_a_moment_has_left(document: dict[str, str], left: bool) -> None:
    """Whoever came back since has not; a date that cannot be read counts as after."""
    assert Contact("c", {"email_address": document}).left_after(NOON) is left


@pytest.mark.parametrize(
    ("deleted_at", "left"),
    [("2026-09-22", True), ("2026-09-21", True), ("2026-09-20", False), ("?", True)],
)
def test_who_was_deleted_on_a_day_that_may_be_later_has_left(deleted_at: str, left: bool) -> None:
    """The vendor tells the day only, in a zone that it does not tell."""
    assert Contact("c", {"deleted_at": deleted_at}).left_after(NOON) is left


@responses.activate
def test_who_opted_out_is_read_page_by_page(vendor: ConstantContact) -> None:
    """Deleted ones too, on which the vendor shows an opt-out; addresses in small letters, times in ms."""
    query = {"status": "unsubscribed,deleted", "optout_after": "2026-11-21T09:38:16Z", "limit": "500"}
    left = {
        "contact_id": "c-1",
        "email_address": {
            "address": "Ann@Example.org",
            "permission_to_send": "unsubscribed",
            "opt_out_date": "2026-11-21T09:40:00.500Z",
        },
    }
    deleted = {
        "contact_id": "c-2",
        "deleted_at": "2026-11-22",
        "email_address": {"address": "bob@example.org", "opt_out_source": "Account"},
    }
    responses.get(
        f"{BASE}/contacts",
        json={"contacts": [left], "_links": {"next": {"href": "/v3/contacts?cursor=2"}}},
        match=[responses.matchers.query_param_matcher(query)],
    )
    responses.get(
        f"{BASE}/contacts",
        json={"contacts": [deleted, {"contact_id": "c-3"}]},
        match=[responses.matchers.query_param_matcher({"cursor": "2"})],
    )
    first = vendor.opt_outs(1_795_253_896_123)
    assert first.entries == (OptedOut("ann@example.org", 1_795_254_000_500),)
    second = vendor.opt_outs(1_795_253_896_123, first.next)
    # A day that is told without a time counts to its end, wherever on earth.
    assert second.entries == (OptedOut("bob@example.org", 1_795_305_600_000 + 36 * 3_600_000),)
    assert second.next is None


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, ARRAY, NotAsked),
        (404, ARRAY, NotAsked),
        (409, ARRAY, NotAsked),
        (403, ARRAY, Forbidden),
        (503, ARRAY, ServerFault),
    ],
)
@responses.activate
def test_a_question_that_is_refused_is_the_persons_own_matter(
    vendor: ConstantContact, status: int, body: Any, kind: type[ConstantContactError]
) -> None:
    """What is everybody's stays everybody's."""
    responses.put(f"{BASE}/contacts/resubscribe/c-1", status=status, json=body)
    with pytest.raises(kind):
        vendor.ask_to_return(Contact("c-1", {}), ["l-1"])
    assert json.loads(str(responses.calls[0].request.body, "utf-8")) == {"list_ids": ["l-1"]}  # type: ignore[arg-type]


UNSUBSCRIBED = {"permission_to_send": "unsubscribed", "opt_out_date": "2026-11-21T10:00:00Z"}


@pytest.mark.parametrize(
    ("email", "deleted_at", "opted_out", "left_at"),
    [
        ({"permission_to_send": "explicit"}, None, False, None),
        (UNSUBSCRIBED, None, True, "2026-11-21T10:00:00"),
        ({"permission_to_send": "unsubscribed"}, None, True, None),
        # Deleted by the account, at the moment that its opt-out tells.
        (
            {"opt_out_source": "Account", "opt_out_date": "2026-11-22T09:00:00Z"},
            "2026-11-22",
            False,
            "2026-11-22T09:00:00",
        ),
        # Opted out long before that: the deletion has the day only.
        (UNSUBSCRIBED | {"opt_out_source": "Contact"}, "2026-11-25", True, "2026-11-26T12:00:00"),
        ({"opt_out_source": "Contact"}, "2026-11-25", True, "2026-11-26T12:00:00"),
        ({}, "2026-11-25", False, "2026-11-26T12:00:00"),
    ],
)
def test_when_somebody_left_and_by_whose_will(
    email: dict[str, str], deleted_at: str | None, opted_out: bool, left_at: str | None
) -> None:
    """The latest moment that the vendor tells; what the account merely deleted did not opt out."""
    document: dict[str, Any] = {"email_address": email}
    if deleted_at:
        document["deleted_at"] = deleted_at
    contact = Contact("c-1", document)
    at = contact.left_at
    told = None if at is None else datetime.fromtimestamp(at / 1000, UTC).replace(tzinfo=None).isoformat()
    assert (contact.opted_out, told) == (opted_out, left_at)
