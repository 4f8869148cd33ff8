"""Sign-ups by strangers that may only fill in, against the sandbox and against a model."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.access.requester import ANONYMOUS, Requester
from services.constant_contact.client import ConstantContact
from services.constant_contact.contact_data import ContactData, PersonFields
from services.constant_contact.contacts import Contact
from services.delivery.kind import Collaborators
from services.delivery.kinds.sign_up.fill_empty import filled
from services.delivery.kinds.sign_up.merge import merge
from services.delivery.kinds.sign_up.send import SignUp
from services.delivery.pacing import Calls
from services.delivery.payload import ContactChange, TimedChange
from services.intake.parsing import read_form
from services.intake.record import Evidence
from store.outbox.claimed import Claimed
from store.signups.accept import NewSignup
from tests.services.delivery.test_sign_up import CREATE, DAY, FIND, FORM, LEFT, LONG, SHORT, SandboxedSystem
from tests.services.sandbox_account import EVENTS_ID, PRESET_LIST_ID, SOURCE_FIELD

KEY = Requester("key-1")
NEWS: dict[str, Any] = {
    "slug": "news",
    "name": "News",
    "list_ids": [PRESET_LIST_ID],
    "fields": [
        {"name": name, "label": name}
        for name in ("first_name", "last_name", "phone", "birthday_month", "birthday_day", "anniversary")
    ]
    + [{"name": name, "label": name} for name in ("street", "city")],
    "protect_existing": True,
}
STRANGE: dict[str, Any] = {
    "first_name": "Mallory",
    "last_name": "M",
    "phone": "666",
    "anniversary": "2001-01-01",
}
STRANGE |= {"birthday_month": "1", "birthday_day": "2", "street": "1 Hell Rd", "city": "Elsewhere"}
KNOWN: dict[str, Any] = {
    "first_name": "Ann",
    "birthday_month": 5,
    "birthday_day": 6,
    "phone_numbers": [{"phone_number": "1", "kind": "home"}],
    "street_addresses": [{"kind": "work", "city": "Here"}],
    "custom_fields": [{"custom_field_id": SOURCE_FIELD, "value": "fair"}],
}


@pytest.fixture
def sandboxed(tmp_path: Path) -> Iterator[SandboxedSystem]:
    sandboxed = SandboxedSystem(tmp_path)
    sandboxed.connect()
    sandboxed.forms.save(NEWS)
    yield sandboxed
    sandboxed.database.close()


def sign_up(sandboxed: SandboxedSystem, address: str, *, asker: Requester = ANONYMOUS, **fields: str) -> str:
    submission = read_form([("email", address), ("form", "news"), *fields.items()])
    return sandboxed.intake.accept(submission, asker, Evidence()).id


def put(contact_id: str) -> tuple[str, str]:
    return "PUT", f"/v3/contacts/{contact_id}"


@pytest.mark.parametrize("address", [SHORT, LONG])
def test_a_stranger_overwrites_nothing_and_fills_in_the_rest(
    sandboxed: SandboxedSystem, address: str
) -> None:
    """By two calls, both booked: the look-up and the one that adds."""
    contact_id = sandboxed.account.add(address, **KNOWN)
    signup_id = sign_up(sandboxed, address, **STRANGE)
    adds = (*FORM, 200) if address == SHORT else (*put(contact_id), 200)
    assert sandboxed.deliver() == [(*FIND, 200), adds]
    assert sandboxed.quota.read().used == 2
    contact = sandboxed.account.find(address)
    assert {name: contact[name] for name in ("first_name", "birthday_month", "birthday_day")} == {
        "first_name": "Ann",
        "birthday_month": 5,
        "birthday_day": 6,
    }
    assert (contact["last_name"], contact["anniversary"]) == ("M", "2001-01-01")
    assert [each["phone_number"] for each in contact["phone_numbers"]] == ["1"]
    assert [each["city"] for each in contact["street_addresses"]] == ["Here"]
    assert contact["custom_fields"] == KNOWN["custom_fields"]
    assert contact["list_memberships"] == [EVENTS_ID, PRESET_LIST_ID]
    assert contact["email_address"]["permission_to_send"] == "explicit"
    assert sandboxed.view(signup_id).status == "subscribed"


@pytest.mark.parametrize("address", [SHORT, LONG])
def test_somebody_new_brings_everything(sandboxed: SandboxedSystem, address: str) -> None:
    """There is nothing to protect yet."""
    sign_up(sandboxed, address, **STRANGE)
    assert sandboxed.deliver() == [(*FIND, 200), (*(FORM if address == SHORT else CREATE), 201)]
    contact = sandboxed.account.find(address)
    assert (contact["first_name"], contact["birthday_day"]) == ("Mallory", 2)
    assert contact["phone_numbers"][0]["phone_number"] == "666"
    assert contact["street_addresses"][0]["city"] == "Elsewhere"


def test_nothing_of_it_is_said_to_the_vendor(sandboxed: SandboxedSystem) -> None:
    """The mark is ours."""
    sign_up(sandboxed, SHORT, first_name="Ann")
    sandboxed.deliver()
    bodies = [call["body"] for call in sandboxed.account.vendor.calls()]
    assert any("first_name" in str(body) for body in bodies)
    assert not any("protect_existing" in str(body) for body in bodies)


def test_an_address_alone_costs_no_look_up(sandboxed: SandboxedSystem) -> None:
    """It overwrites nothing whatever the contact has."""
    sandboxed.account.add(SHORT, **KNOWN)
    sign_up(sandboxed, SHORT)
    assert sandboxed.deliver() == [(*FORM, 200)]
    assert sandboxed.account.find(SHORT)["first_name"] == "Ann"


def test_an_api_key_overwrites_and_costs_one_call(sandboxed: SandboxedSystem) -> None:
    """The organisation's own servers know what they say."""
    sandboxed.account.add(SHORT, **KNOWN)
    sign_up(sandboxed, SHORT, asker=KEY, first_name="Anna")
    assert sandboxed.deliver() == [(*FORM, 200)]
    assert sandboxed.account.find(SHORT)["first_name"] == "Anna"


def test_without_protection_a_form_overwrites_as_ever(sandboxed: SandboxedSystem) -> None:
    """Off by default: one call."""
    sandboxed.forms.save({**NEWS, "protect_existing": False})
    sandboxed.account.add(SHORT, **KNOWN)
    sign_up(sandboxed, SHORT, first_name="Anna")
    assert sandboxed.deliver() == [(*FORM, 200)]
    assert sandboxed.account.find(SHORT)["first_name"] == "Anna"


@pytest.mark.parametrize("stranger_first", [True, False])
def test_merged_with_a_trusted_wish_each_does_what_it_may(
    sandboxed: SandboxedSystem, stranger_first: bool
) -> None:
    """In either order: the key overwrites, the stranger fills in, in two calls for both."""
    sandboxed.account.add(SHORT, **KNOWN)
    doers = [(ANONYMOUS, STRANGE), (KEY, {"first_name": "Anna"})]
    for asker, fields in doers if stranger_first else reversed(doers):
        sign_up(sandboxed, SHORT, asker=asker, **fields)
        sandboxed.later(1)
    assert sandboxed.deliver() == [(*FIND, 200), (*FORM, 200)]
    contact = sandboxed.account.find(SHORT)
    assert (contact["first_name"], contact["last_name"], contact["birthday_day"]) == ("Anna", "M", 6)


def test_a_stranger_changes_nothing_of_who_had_left(sandboxed: SandboxedSystem) -> None:
    """The look-up tells of the opt-out as well, and the vendor asks the person."""
    contact_id = sandboxed.account.add(SHORT, **KNOWN)
    sandboxed.account.unsubscribe(contact_id, SHORT)
    sandboxed.later(1_000)
    sign_up(sandboxed, SHORT, phone="666")
    assert sandboxed.deliver() == [(*FIND, 200), ("PUT", f"/v3/contacts/resubscribe/{contact_id}", 200)]
    contact = sandboxed.account.find(SHORT)
    assert contact["email_address"]["permission_to_send"] == "unsubscribed"
    assert [each["phone_number"] for each in contact["phone_numbers"]] == ["1"]


def test_a_stranger_revives_who_was_deleted_the_same_day(sandboxed: SandboxedSystem) -> None:
    """The vendor tells the day only, so what came before could not be told; it must not be asked for."""
    contact_id = sandboxed.account.add(SHORT, **KNOWN)
    sandboxed.account.edit("DELETE", f"/{contact_id}")
    sandboxed.later(1_000)
    signup_id = sign_up(sandboxed, SHORT, first_name="Mallory")
    assert sandboxed.deliver() == [(*FIND, 200), (*FORM, 200)]
    assert sandboxed.view(signup_id).status == "subscribed"
    assert sandboxed.account.find(SHORT)["first_name"] == "Ann"


def test_half_a_birthday_is_not_filled_up_with_another() -> None:
    """The account may have the month only."""
    held = Contact("c", {"birthday_month": 5})
    offered = PersonFields({"birthday_month": 1, "birthday_day": 2})
    assert filled(PersonFields(), offered, held) == PersonFields()


def test_an_old_wish_is_looked_up_once_for_both_reasons(sandboxed: SandboxedSystem) -> None:
    """Whether the person left, and what they have."""
    sandboxed.account.add(SHORT, **KNOWN)
    sign_up(sandboxed, SHORT, **STRANGE)
    sandboxed.later(DAY + 1)
    assert sandboxed.deliver() == [(*LEFT, 200), (*FIND, 200), (*FORM, 200)]
    assert sandboxed.account.find(SHORT)["first_name"] == "Ann"


class AddedMeanwhile(ConstantContact):
    """The account's own people add the contact right after the first look."""

    def __init__(self, sandboxed: SandboxedSystem) -> None:
        super().__init__(sandboxed.account.session, base_url=sandboxed.account.base_url)
        self.sandboxed, self.looks = sandboxed, 0

    def find_contact(self, address: str) -> Contact | None:
        found = super().find_contact(address)
        self.looks += 1
        if self.looks == 1:
            self.sandboxed.account.add(address, **KNOWN)
            self.sandboxed.later(2_000)
        return found


def test_somebody_who_was_added_meanwhile_is_protected_too(sandboxed: SandboxedSystem) -> None:
    """A long address that turns out to be known is looked up again."""
    sign_up(sandboxed, LONG, **STRANGE)
    claimed = sandboxed.attempt.claim()
    assert isinstance(claimed, Claimed)
    vendor = AddedMeanwhile(sandboxed)
    sign_up_kind = SignUp(
        Collaborators(
            vendor=vendor,
            lists=sandboxed.lists,
            fields_and_tags=sandboxed.vocabulary,
            opt_outs=sandboxed.opt_out_table,
            returning="confirm",
            clock=sandboxed.clock,
        )
    )
    sign_up_kind.send(claimed, Calls(claimed, sandboxed.permits, threading.Event(), sandboxed.clock))
    contact = sandboxed.account.find(LONG)
    assert (vendor.looks, contact["first_name"], contact["last_name"]) == (2, "Ann", "M")


def test_a_salvaged_wish_of_a_form_is_protected() -> None:
    """Whether its form asks for that is not in the row."""
    row = {"email": SHORT, "list_ids": "[]", "person": "{}", "form_id": 1, "asked_by": "form"}
    assert SignUp.restore(NewSignup.of_row(row))["protect_existing"] is True
    assert "protect_existing" not in SignUp.restore(NewSignup.of_row(row | {"form_id": None}))
    assert "protect_existing" not in SignUp.restore(NewSignup.of_row(row | {"asked_by": "key-1"}))


NAMES = st.sampled_from(["", "Ann", "Bob", "Cat"])
FIELDS = st.lists(
    st.tuples(st.sampled_from("xyz"), st.sampled_from("123")), max_size=3, unique_by=lambda f: f[0]
)
BIRTHDAYS = st.sampled_from([None, (1, 2), (3, 4)])


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, Any]:
    birthday = draw(BIRTHDAYS)
    return {
        "email_address": SHORT,
        "list_memberships": draw(st.lists(st.sampled_from("abc"), unique=True)),
        "first_name": draw(NAMES),
        "phone_number": draw(NAMES),
        "custom_fields": dict(draw(FIELDS)),
        **(dict(zip(("birthday_month", "birthday_day"), birthday, strict=True)) if birthday else {}),
        **({"protect_existing": True} if draw(st.booleans()) else {}),
    }


Person = dict[str, Any]


def after(person: Person, wish: dict[str, Any]) -> Person:
    """What a contact is like after one wish, by the words of the promise."""
    said: Person = {name: wish[name] for name in ("first_name", "phone_number") if wish[name]}
    if "birthday_day" in wish:
        said["birthday"] = wish["birthday_month"], wish["birthday_day"]
    said |= {("field", name): value for name, value in wish["custom_fields"].items()}
    lists = person["lists"] | set(wish["list_memberships"])
    told = {**said, **person} if wish.get("protect_existing") else {**person, **said}
    return told | {"lists": lists}


def contact_of(person: Person) -> Contact:
    month, day = person.get("birthday", (None, None))
    phone = person.get("phone_number")
    fields = {name[1]: value for name, value in person.items() if isinstance(name, tuple)}
    return Contact(
        "c",
        {
            "first_name": person.get("first_name"),
            "birthday_month": month,
            "birthday_day": day,
            "phone_numbers": [{"phone_number": phone}] if phone else [],
            "custom_fields": [{"custom_field_id": name, "value": value} for name, value in fields.items()],
        },
    )


def with_ids(fields: PersonFields) -> PersonFields:
    """Its custom fields as the vendor takes them; here the names are the ids."""
    named = fields.custom_fields.items()
    entries = {name: {"custom_field_id": name, "value": value} for name, value in named}
    return PersonFields(fields.properties, entries)


@given(st.none() | wishes(), st.lists(wishes(), min_size=1, max_size=5), st.permutations(range(5)))
def test_one_call_does_what_one_after_the_other_would(
    first: dict[str, Any] | None, arrived: list[dict[str, Any]], times: list[int]
) -> None:
    """Whoever is known, whatever is protected, in whichever order they are stored."""
    person: Person = {"lists": set()}
    if first:
        person = after(person, {**first, "protect_existing": False})
    held = contact_of(person) if first else None
    timed = enumerate(zip(times, arrived, strict=False))
    merged = merge([TimedChange(number, at, ContactChange.read(wish)) for number, (at, wish) in timed])
    fields = filled(with_ids(merged.change.fields), with_ids(merged.fills), held)
    change = merged.change
    sent = ContactData(change.address, change.list_ids, fields).sign_up_body()
    assert "protect_existing" not in sent
    one_by_one = person
    for _, wish in sorted(zip(times, arrived, strict=False), key=lambda timed: timed[0]):
        one_by_one = after(one_by_one, wish)
    whole = {"first_name": "", "phone_number": ""} | sent
    whole["custom_fields"] = {
        each["custom_field_id"]: each["value"] for each in sent.get("custom_fields", ())
    }
    assert after(person, whole) == one_by_one
