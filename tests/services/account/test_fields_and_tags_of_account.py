"""The account's custom fields and tags at the client's HTTP edge, and against the sandbox."""

import json

import pytest
import requests
import responses

from services.constant_contact.catalog import Choice, CustomField, Page, Tag
from services.constant_contact.client import ConstantContact
from services.constant_contact.errors import Conflict, Rejected, Unreachable
from tests.services.conftest import Clock
from tests.services.sandbox_account import PRESET_LIST_ID, Account
from tests.services.vendor import data_of

BASE = "https://api.cc.email/v3"
FIELDS = f"{BASE}/contact_custom_fields"
TAGS = f"{BASE}/contact_tags"


@pytest.fixture
def vendor() -> ConstantContact:
    return ConstantContact(requests.Session(), base_url=BASE)


@pytest.fixture
def account() -> Account:
    return Account(Clock())


@responses.activate
def test_custom_fields_are_read_page_by_page(vendor: ConstantContact) -> None:
    """Deleted choices are left out; the account's rules for numbers are read."""
    size = {"custom_field_id": "f-1", "label": "Size", "type": "single_select"}
    choices = [
        {"choice_id": 1, "choice_label": "Small"},
        {"choice_id": 2, "choice_label": "Huge", "deleted_at": "2023-12-18"},
    ]
    responses.get(
        FIELDS,
        match=[responses.matchers.query_param_matcher({"limit": 100})],
        json={
            "custom_fields": [size | {"choices": choices}],
            "_links": {"next": {"href": "/v3/contact_custom_fields?cursor=abc"}},
        },
    )
    about = {"allow_negative": False, "integer": True, "decimal_places": 2}
    responses.get(
        FIELDS,
        match=[responses.matchers.query_param_matcher({"cursor": "abc"})],
        json={
            "custom_fields": [{"custom_field_id": "f-2", "label": "Age", "type": "number", "metadata": about}]
        },
    )
    first = vendor.custom_fields()
    assert first.entries == (CustomField("f-1", "Size", "single_select", (Choice("1", "Small"),)),)
    age = CustomField("f-2", "Age", "number", whole=True, positive=True, decimals=2)
    assert vendor.custom_fields(first.next) == Page((age,), None)


@responses.activate
@pytest.mark.parametrize(
    "body", [{}, {"custom_fields": 5}, {"custom_fields": [{"label": "no id"}]}, {"custom_fields": ["x"]}]
)
def test_an_odd_answer_about_fields_is_no_answer(vendor: ConstantContact, body: object) -> None:
    responses.get(FIELDS, json=body)
    with pytest.raises(Unreachable):
        vendor.custom_fields()


@responses.activate
@pytest.mark.parametrize("body", [{}, {"tags": None}, {"tags": [{"name": "no id"}]}, {"tags": [7]}])
def test_an_odd_answer_about_tags_is_no_answer(vendor: ConstantContact, body: object) -> None:
    responses.get(TAGS, json=body)
    with pytest.raises(Unreachable):
        vendor.tags()


@responses.activate
def test_tags_are_asked_for_by_the_most_that_a_page_holds(vendor: ConstantContact) -> None:
    responses.get(
        TAGS,
        match=[responses.matchers.query_param_matcher({"limit": 500})],
        json={"tags": [{"tag_id": "t-1", "name": "VIP"}]},
    )
    assert vendor.tags() == Page((Tag("t-1", "VIP"),), None)


@responses.activate
def test_a_contact_is_tagged_by_its_id(vendor: ConstantContact) -> None:
    """The request's body is as the contract describes the activity."""
    responses.post(f"{BASE}/activities/contacts_taggings_add", status=201, json={"activity_id": "a"})
    vendor.add_tags("c-1", ("t-1", "t-2"))
    sent = responses.calls[0].request.body
    assert isinstance(sent, bytes)
    assert json.loads(sent) == {"source": {"contact_ids": ["c-1"]}, "tag_ids": ["t-1", "t-2"]}


def test_a_tag_is_made_once_and_given(account: Account) -> None:
    """A second tag of one name is a conflict; an unknown id is refused."""
    account.vendor.settings(rate_limit=False)
    vip = account.api.create_tag("VIP")
    with pytest.raises(Conflict):
        account.api.create_tag("VIP")
    person = account.api.sign_up(
        data_of({"email_address": "ann@example.org", "list_memberships": [PRESET_LIST_ID]})
    )
    account.api.add_tags(person.contact_id, [vip.tag_id])
    assert account.vendor.contact()["taggings"] == [vip.tag_id]
    assert account.api.tags().entries == (vip,)
    with pytest.raises(Rejected):
        account.api.add_tags(person.contact_id, [PRESET_LIST_ID])


def test_the_fields_of_an_account_are_read(account: Account) -> None:
    """One of every type, selections with their choices."""
    found = {field.label: field for field in account.api.custom_fields().entries}
    assert found["Shoe size"].type == "number"
    assert [choice.label for choice in found["T-shirt"].choices] == ["Small", "Medium", "Large"]
