"""What whoever stands between may answer: nobody's sign-up is judged by it, and no token leaves our host."""

import base64
import json
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import LocationParseError

from services.constant_contact.client import ConstantContact
from services.constant_contact.contact_data import PersonFields
from services.constant_contact.contacts import contact, replacement
from services.constant_contact.errors import Conflict, ConstantContactError, Rejected, Unreachable
from services.constant_contact.paging import Pages
from services.delivery.kinds.sign_up.fill_empty import filled
from tests.services.vendor import data_of

BASE = "https://api.cc.email/v3"
SIGN_UP = f"{BASE}/contacts/sign_up_form"
LISTS = f"{BASE}/contact_lists"
PAGE = "<!DOCTYPE html><html><title>Blocked</title>The policy of your company forbids this.</html>"
ADDRESS = "ann@example.org"


class OurOwn(Exception):
    """What is raised by whoever books calls."""


@pytest.fixture
def vendor() -> ConstantContact:
    return ConstantContact(requests.Session(), base_url=BASE, own_errors=(OurOwn,))


def unreachable(call: Callable[[], object]) -> str:
    """The sentence for people that is kept with the row and the pause."""
    with pytest.raises(ConstantContactError) as caught:
        call()
    assert type(caught.value) is Unreachable
    return caught.value.reason


@responses.activate
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 413, 415, 422, 451])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (PAGE, "a web page"),
        ("", "without any content"),
        ("Forbidden", "nothing that can be read"),
        ('{"error":"blocked","code":7}', "other JSON than promised"),
        ('["blocked"]', "other JSON than promised"),
        ('[{"error_key":7,"error_message":null}]', "other JSON than promised"),
    ],
)
def test_only_the_vendors_own_error_is_a_refusal(
    vendor: ConstantContact, status: int, body: str, kind: str
) -> None:
    """A proxy's page with any status is no verdict on a person; the reason says what came."""
    responses.post(SIGN_UP, status=status, body=body)
    reason = unreachable(lambda: vendor.sign_up(data_of({})))
    assert "answered, but not as Constant Contact does" in reason
    assert f"status {status}, {kind}" in reason


@responses.activate
def test_a_contact_is_gone_only_in_the_vendors_words(vendor: ConstantContact) -> None:
    """A proxy's 404 about a PUT would else be taken for a contact that somebody deleted."""
    held = contact({"contact_id": "c-1"})
    wish = {"email_address": ADDRESS, "list_memberships": ["l-1"]}
    responses.put(f"{BASE}/contacts/c-1", status=404, body=PAGE)
    unreachable(lambda: vendor.update_contact(held, data_of(wish)))
    responses.replace("PUT", f"{BASE}/contacts/c-1", status=404, json=[{"error_key": "contacts.api.gone"}])
    with pytest.raises(Conflict):
        vendor.update_contact(held, data_of(wish))


@responses.activate
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"contact_id":"c","action":"created","n":' + b"9" * 6_000 + b"}", "nothing that can be read"),
        (b"[" * 200_000, "nothing that can be read"),
        (b'{"a":' * 100_000, "nothing that can be read"),
        (b'{"contact_id":"c","action":"created","x":"a\\ud800b"}', "nothing that can be read"),
        (b'{"contact_id":"c","action":"created","\\udfff":1}', "nothing that can be read"),
        ('{"contact_id":"c","action":"created","x":"é"}'.encode("latin-1"), "nothing that can be read"),
        ('{"contact_id":"c","action":"created"}'.encode("utf-16"), "nothing that can be read"),
        (b'{"contact_id":"c","action":"created","x":NaN}', "nothing that can be read"),
        (b'{"contact_id":"c","action":"created","x":-Infinity}', "nothing that can be read"),
        (b'{"contact_id":"c","action":"created"}' + b" " * 2_097_152, "more than 2 MB"),
        (b'{"contact_id":["c"],"action":"created"}', "a success without contact_id and action"),
        (b'{"contact_id":"../account","action":"created"}', "a success without contact_id and action"),
        (b'{"contact_id":"c","action":["created"]}', "a success without contact_id and action"),
    ],
    ids=lambda value: str(value)[:30],
)
@pytest.mark.parametrize("status", [200, 400])
def test_an_answer_that_cannot_be_read_is_no_answer(
    vendor: ConstantContact, body: bytes, kind: str, status: int
) -> None:
    """Neither a success nor a refusal, and never an exception that nobody foresaw."""
    responses.post(SIGN_UP, status=status, body=body, content_type="application/json")
    reason = unreachable(lambda: vendor.sign_up(data_of({})))
    assert status == 400 or kind in reason


@responses.activate
@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("https://portal.hotel.example/login?token=secret", "a redirect to portal.hotel.example"),
        ("https://user:secret@evil.example/", "a redirect to evil.example"),
        ("http://[", "a redirect"),
        ("\\\\evil\x00", "a redirect"),
        (None, "a redirect"),
    ],
)
def test_a_redirect_is_named_and_not_followed(
    vendor: ConstantContact, location: str | None, said: str
) -> None:
    """Its host is the hint that helps; what else it holds may be a secret."""
    headers = {"Location": location} if location else {}
    responses.post(SIGN_UP, status=302, headers=headers)
    reason = unreachable(lambda: vendor.sign_up(data_of({})))
    assert said in reason or "cannot be reached" in reason
    assert "secret" not in reason
    assert len(responses.calls) == 1


@responses.activate
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            OSError("Could not find a suitable TLS CA certificate bundle, invalid path: /etc/our/ca.pem"),
            "the certificate file /etc/our/ca.pem is missing",
        ),
        (requests.exceptions.SSLError(ssl.SSLError(1, "wrong version number")), "TLS failed"),
        (AttributeError("'NoneType' object has no attribute 'readline'"), "AttributeError: 'NoneType'"),
        (UnicodeError("label empty or too long"), "UnicodeError: label empty or too long"),
        (LocationParseError("https://ann@example.org/?access_token=secret"), "LocationParseError"),
        (RecursionError("maximum recursion depth exceeded"), "RecursionError"),
        (MemoryError(), "MemoryError"),
        (ValueError("Exceeds the limit (4300 digits) for integer string conversion"), "ValueError: Exceeds"),
        (requests.ConnectionError("secret ann@example.org"), "ConnectionError"),
        (requests.ReadTimeout(), "no answer within its time"),
        (KeyError("Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6InNlY3JldCJ9"), "KeyError"),
    ],
)
def test_whatever_a_call_raises_is_unreachable_with_its_words(
    vendor: ConstantContact, fault: Exception, words: str
) -> None:
    """By its place, not by its class; and the words hold neither addresses nor tokens."""
    responses.post(SIGN_UP, body=fault)
    reason = unreachable(lambda: vendor.sign_up(data_of({})))
    assert reason.startswith("Constant Contact cannot be reached: ")
    assert words in reason
    assert "secret" not in reason
    assert "ann@" not in reason
    assert "eyJhbGci" not in reason


@responses.activate
def test_what_our_own_parts_raise_says_nothing_about_the_vendor(vendor: ConstantContact) -> None:
    """A database that cannot book the repeat after a 401 must not pause all calls."""
    responses.post(SIGN_UP, body=OurOwn())
    with pytest.raises(OurOwn):
        vendor.sign_up(data_of({}))


@responses.activate
@pytest.mark.parametrize(
    "href",
    [
        "//other.host/x",
        "//other.host/v3/contact_lists",
        "https://other.host/v3/contact_lists?cursor=1",
        "https://api.cc.email@other.host/v3/contact_lists",
        "https://api.cc.email:8443/v3/contact_lists",
        "http://api.cc.email/v3/contact_lists",
        "https://x//other.host/v3",
        "/\\other.host/v3/contact_lists",
        "\\\\other.host\\v3",
        "/v3/../../contact_lists",
        "/v3//other.host/x",
        "/v3/contact_lists/..",
        "/elsewhere",
        "contact_lists?cursor=1",
        "javascript:alert(1)",
        "http://[other.host/v3/x",
        "/v3/contact\r\nHost: other.host",
        "/v3/ünïcode",
    ],
)
def test_paging_stays_on_our_host(vendor: ConstantContact, href: str) -> None:
    """Whatever a link names, the access token goes to the API's own host and below /v3 only."""
    responses.get(LISTS, json={"lists": [], "_links": {"next": {"href": href}}})
    with suppress(Unreachable):
        vendor.contact_lists(vendor.contact_lists().next)
    assert responses.calls
    for call in responses.calls:
        assert (call.request.url or "").startswith(f"{BASE}/")


@responses.activate
def test_a_page_given_by_hand_stays_there_as_well(vendor: ConstantContact) -> None:
    """The link may come out of a database that somebody else wrote to."""
    unreachable(lambda: vendor.contact_lists("//other.host/x"))
    assert len(responses.calls) == 0


@pytest.mark.parametrize(
    "links", [5, [], "x", {"next": 5}, {"next": []}, {"next": {"href": 5}}, {"next": None}]
)
@responses.activate
def test_links_of_another_shape_are_none(vendor: ConstantContact, links: object) -> None:
    """The page they stand on is complete and counts."""
    responses.get(LISTS, json={"lists": [], "_links": links})
    assert vendor.contact_lists().next is None


def test_pages_end_at_the_hundredth_and_at_the_first_repeated_link() -> None:
    """Each page costs a call of the day; half of the lists must not pass for all of them."""
    pages = Pages()
    for number in range(99):
        assert pages.follow(f"/v3/x?cursor={number}") is not None
    assert "do not come to an end" in unreachable(lambda: pages.follow("/v3/x?cursor=99"))
    again = Pages()
    again.follow("/v3/x?cursor=1")
    again.follow("/v3/x?cursor=2")
    assert "do not come to an end" in unreachable(lambda: again.follow("/v3/x?cursor=1"))
    assert Pages().follow(None) is None


@pytest.mark.parametrize(
    "said", [[{"error_key": "a.b"}], {"error_key": "a.b"}, {"message": "no"}, {"error_message": "no"}]
)
@responses.activate
def test_a_refusal_in_the_vendors_words_still_is_one(vendor: ConstantContact, said: object) -> None:
    """All three shapes of it, also behind a byte order mark."""
    responses.post(SIGN_UP, status=400, body=b"\xef\xbb\xbf" + json.dumps(said).encode())
    with pytest.raises(Rejected):
        vendor.sign_up(data_of({}))


CONTACT: dict[str, Any] = {
    "contact_id": "c-1",
    "email_address": {
        "address": ADDRESS,
        "permission_to_send": "unsubscribed",
        "opt_out_date": "2026-09-21T14:13:20.001Z",
    },
    "first_name": "Ann",
    "deleted_at": "2026-01-02",
    "list_memberships": ["l-1"],
    "custom_fields": [{"custom_field_id": "f-1", "value": "v", "choice_ids": ["1"]}],
    "phone_numbers": [{"phone_number": "1", "kind": "home"}],
    "street_addresses": [{"kind": "home", "city": "Here"}],
    "sms_channel": {
        "sms_address": "1",
        "dial_code": "1",
        "sms_channel_consents": [
            {"sms_consent_permission": "unsubscribed", "opt_out_date": "2026-01-02T00:00:00Z"}
        ],
    },
}
GOOD: dict[str, Any] = {
    "signed_up": {"contact_id": "c-1", "action": "created"},
    "contacts": {"contacts": [CONTACT], "_links": {"next": {"href": "/v3/contacts?cursor=1"}}},
    "lists": {
        "lists": [{"list_id": "l", "name": "n", "description": "d", "favorite": True, "membership_count": 1}],
        "_links": {"next": {"href": "/v3/contact_lists?cursor=1"}},
    },
    "fields": {
        "custom_fields": [
            {
                "custom_field_id": "f",
                "label": "l",
                "type": "number",
                "metadata": {"decimal_places": 2, "integer": False, "allow_negative": True},
                "choices": [{"choice_id": 1, "choice_label": "a", "deleted_at": None}],
            }
        ]
    },
    "tags": {"tags": [{"tag_id": "t", "name": "n"}], "_links": {}},
    "tag": {"tag_id": "t", "name": "n"},
    "summary": {"encoded_account_id": "a", "organization_name": "o"},
    "privileges": [{"privilege_id": 1, "privilege_name": "contacts:write"}],
    "error": [{"error_key": "k", "error_message": "m"}],
}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**4_000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "../x", "\x00"]),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, each in inner for found in places(each, (*path, key)))]


def with_change(value: Any, path: tuple[Any, ...], change: Any) -> Any:
    """`value` with `change` at the end of `path`."""
    if not path:
        return change
    copied = value.copy()
    copied[path[0]] = with_change(value[path[0]], path[1:], change)
    return copied


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, Any]:
    """A good answer in which something is anything."""
    name = draw(st.sampled_from(sorted(GOOD)))
    answer = GOOD[name]
    for _ in range(draw(st.integers(1, 2))):
        answer = with_change(answer, draw(st.sampled_from(places(answer))), draw(ANYTHING))
    return name, answer


def use_contact(vendor: ConstantContact) -> None:
    """What the delivery does with a contact that it has found."""
    found = vendor.find_contact(ADDRESS)
    if found is None:
        return
    wish = {
        "email_address": ADDRESS,
        "list_memberships": ["l-2"],
        "phone_number": "2",
        "street_address": {"kind": "home", "city": "There"},
        "custom_fields": [{"custom_field_id": "f-2", "value": "w"}],
    }
    found.left_after(1_790_000_000_000)
    found.left_messages_after(1_790_000_000_000)
    data = data_of(wish)
    offered = PersonFields({"first_name": "Bo", "sms_channel": {"sms_address": "1"}})
    replacement(found, replace(data, fields=filled(data.fields, offered, found)))


USES: dict[str, tuple[int, Callable[[ConstantContact], object]]] = {
    "signed_up": (201, lambda vendor: vendor.sign_up(data_of({}))),
    "contacts": (200, use_contact),
    "lists": (200, lambda vendor: vendor.contact_lists()),
    "fields": (200, lambda vendor: vendor.custom_fields()),
    "tags": (200, lambda vendor: vendor.tags()),
    "tag": (201, lambda vendor: vendor.create_tag("n")),
    "error": (400, lambda vendor: vendor.sign_up(data_of({}))),
}


@given(mutated())
def test_any_change_of_a_good_answer_ends_in_a_typed_failure_or_a_result(change: tuple[str, Any]) -> None:
    """Wrong types at any place and any depth: ConstantContactError, and nothing else."""
    name, document = change
    vendor = ConstantContact(requests.Session(), base_url=BASE)
    body = json.dumps(document).encode()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as http:
        given_by_name = {"summary": GOOD["summary"], "privileges": GOOD["privileges"], name: document}
        http.get(f"{BASE}/account/summary", body=json.dumps(given_by_name["summary"]))
        http.get(f"{BASE}/account/user/privileges", body=json.dumps(given_by_name["privileges"]))
        status = USES[name][0] if name in USES else 200
        for method in ("GET", "POST"):
            for path in ("contacts", "contacts/sign_up_form", "contact_lists", "contact_custom_fields"):
                http.add(method, f"{BASE}/{path}", status=status, body=body)
            http.add(method, f"{BASE}/contact_tags", status=status, body=body)
        with suppress(ConstantContactError):
            if name in USES:
                USES[name][1](vendor)
            else:
                vendor.account("opaque", permit=lambda: None)


@pytest.mark.parametrize("claims", ["\ud800", 5, [], {"sub": [1], "platform_user_id": {}}])
@responses.activate
def test_claims_of_any_shape_leave_only_the_name_out(vendor: ConstantContact, claims: Any) -> None:
    """A token is the vendor's, too."""
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    responses.get(f"{BASE}/account/summary", json=GOOD["summary"])
    responses.get(f"{BASE}/account/user/privileges", json=GOOD["privileges"])
    assert vendor.account(f"a.{payload}.c", permit=lambda: None).account_id == "a"
