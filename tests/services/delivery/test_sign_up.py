"""The calls that carry a sign-up, against the sandbox: what the contact is like afterwards."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.constant_contact.contacts import Contact
from services.delivery.attempt import Outcome
from services.delivery.kind import Returning
from store.outbox.claimed import Claimed
from tests.services.conftest import Clock, System
from tests.services.sandbox_account import EVENTS_ID, INTERESTS_FIELD, PRESET_LIST_ID, SOURCE_FIELD, Account
from tests.services.sandbox_account import LEFT as LEFT_PATH
from tests.services.vendor import ScriptedVendor, data_of
from tests.support.signups import bare_signup
from wiring.constant_contact import Vendor

DAY = 86_400_000
SHORT = "ann@example.org"
LONG = "ann.with.a.name.that.is.long@department.of.something.example.org"
FORM = ("POST", "/v3/contacts/sign_up_form")
CREATE = ("POST", "/v3/contacts")
FIND = ("GET", "/v3/contacts")
LEFT = ("GET", LEFT_PATH)


class SandboxedSystem(System):
    """The system beside an account at the vendor, on one clock."""

    def __init__(
        self, path: Path, *, other: "SandboxedSystem | None" = None, returning: Returning = "confirm"
    ) -> None:
        """Of `other` it has the account and the clock: the same installation, started again."""
        clock = other.clock if other else Clock()
        self.account: Account = other.account if other else Account(clock)
        vendor = Vendor.in_process(self.account.app)
        super().__init__(path, vendor=vendor, clock=clock, environ={"RETURNING": returning})

    def connect(self, *, opt_outs_read: bool = True, **_: Any) -> None:
        """By a token of the account that outlasts the test."""
        super().connect(opt_outs_read=opt_outs_read, access=self.account.token, lasts_ms=10**12)

    def deliver(self) -> list[tuple[str, str, int]]:
        """One step; the calls it made."""
        before = self.account.calls
        self.outcome = self.attempt.step().outcome
        return self.account.calls_since(before)

    def spooled(self, email: str, received_at: int) -> str:
        """A sign-up that the store did not take when it came in; its id."""
        signup = bare_signup(str(uuid4()), email, at=received_at, lists=(PRESET_LIST_ID,))
        payload = {"email_address": email, "list_memberships": [PRESET_LIST_ID]}
        self.spool.keep(signup, kind="sign_up", payload=payload)
        return signup.id

    def later(self, milliseconds: int) -> None:
        self.clock.now += milliseconds


@pytest.fixture
def sandboxed(tmp_path: Path) -> Iterator[SandboxedSystem]:
    sandboxed = SandboxedSystem(tmp_path)
    sandboxed.connect()
    yield sandboxed
    sandboxed.database.close()


def test_an_address_that_the_form_takes_goes_there(sandboxed: SandboxedSystem) -> None:
    """One call, whoever it is."""
    sandboxed.sign_up(SHORT)
    assert sandboxed.deliver() == [(*FORM, 201)]
    assert sandboxed.outcome is Outcome.DELIVERED


@pytest.mark.parametrize(("length", "path"), [(50, FORM), (51, CREATE), (80, CREATE)])
def test_the_form_takes_fifty_characters_and_the_contacts_eighty(
    sandboxed: SandboxedSystem, length: int, path: tuple[str, str]
) -> None:
    """The address decides over the operation."""
    domain = "@" + "d" * 20 + ".example.org"
    sandboxed.sign_up("a" * (length - len(domain)) + domain)
    assert sandboxed.deliver() == [(*path, 201)]


def test_a_new_contact_with_a_long_address_is_its_own_doing(sandboxed: SandboxedSystem) -> None:
    """Explicit, by the contact itself, with all that was filled in, as the form would make it."""
    signup_id = sandboxed.sign_up(LONG, first_name="Ann", company_name="River", phone="123")
    assert sandboxed.deliver() == [(*CREATE, 201)]
    contact = sandboxed.account.find(LONG)
    assert contact["email_address"]["permission_to_send"] == "explicit"
    assert contact["email_address"]["opt_in_source"] == "Contact"
    assert (contact["create_source"], contact["first_name"], contact["company_name"]) == (
        "Contact",
        "Ann",
        "River",
    )
    assert contact["list_memberships"] == [PRESET_LIST_ID]
    assert contact["phone_numbers"][0]["phone_number"] == "123"
    assert sandboxed.view(signup_id).contact_id == contact["contact_id"]


def test_a_known_contact_with_a_long_address_loses_nothing(sandboxed: SandboxedSystem) -> None:
    """The vendor's update replaces; what the contact has is sent along, and what it gets is added."""
    contact_id = sandboxed.account.add(
        LONG,
        first_name="Anna",
        last_name="Smith",
        birthday_month=5,
        birthday_day=6,
        anniversary="2006-11-15",
        custom_fields=[{"custom_field_id": SOURCE_FIELD, "value": "fair"}],
        phone_numbers=[{"phone_number": "1", "kind": "home"}],
        street_addresses=[{"kind": "home", "city": "Here"}],
        notes=[{"content": "a good neighbour"}],
    )
    signup_id = sandboxed.sign_up(LONG, first_name="Ann", phone="2")
    assert sandboxed.deliver() == [(*CREATE, 409), (*FIND, 200), ("PUT", f"/v3/contacts/{contact_id}", 200)]
    contact = sandboxed.account.find(LONG)
    names = ("first_name", "last_name", "birthday_month", "birthday_day", "anniversary")
    assert [contact[name] for name in names] == ["Ann", "Smith", 5, 6, "2006-11-15"]
    assert contact["list_memberships"] == [EVENTS_ID, PRESET_LIST_ID]
    assert contact["custom_fields"] == [{"custom_field_id": SOURCE_FIELD, "value": "fair"}]
    assert [(p["phone_number"], p["kind"]) for p in contact["phone_numbers"]] == [
        ("1", "home"),
        ("2", "other"),
    ]
    assert contact["street_addresses"][0]["city"] == "Here"
    assert contact["email_address"]["permission_to_send"] == "explicit"
    assert contact["update_source"] == "Contact"
    view = sandboxed.view(signup_id)
    assert (view.status, view.contact_id) == ("subscribed", contact_id)
    assert sandboxed.quota.read().used == 3


def test_custom_fields_of_a_known_contact_are_united(sandboxed: SandboxedSystem) -> None:
    """The new value wins where both have one."""
    contact_id = sandboxed.account.add(LONG, custom_fields=[_field(SOURCE_FIELD, "a")])
    held = sandboxed.account.api.find_contact(LONG)
    assert held is not None
    wish: dict[str, Any] = {"email_address": LONG, "list_memberships": [PRESET_LIST_ID]}
    wish["custom_fields"] = [_field(INTERESTS_FIELD, "c"), _field(SOURCE_FIELD, "b")]
    assert sandboxed.account.api.update_contact(held, data_of(wish)).contact_id == contact_id
    assert sandboxed.account.find(LONG)["custom_fields"] == [
        _field(SOURCE_FIELD, "b"),
        _field(INTERESTS_FIELD, "c"),
    ]


def _field(name: str, value: str) -> dict[str, str]:
    return {"custom_field_id": name, "value": value}


def test_a_fourth_phone_number_pushes_out_none_of_three(sandboxed: SandboxedSystem) -> None:
    """The vendor takes three; losing one that is there would be worse."""
    held = [{"phone_number": str(number), "kind": "other"} for number in (1, 2, 3)]
    sandboxed.account.add(LONG, phone_numbers=held)
    sandboxed.sign_up(LONG, phone="4")
    sandboxed.deliver()
    assert sandboxed.outcome is Outcome.DELIVERED
    assert [p["phone_number"] for p in sandboxed.account.find(LONG)["phone_numbers"]] == ["1", "2", "3"]


@pytest.mark.parametrize("address", [SHORT, LONG])
def test_a_fresh_wish_revives_a_deleted_contact(sandboxed: SandboxedSystem, address: str) -> None:
    """The vendor keeps its record, and asks for another word to restore it."""
    contact_id = sandboxed.account.add(address, first_name="Ann")
    sandboxed.account.edit("DELETE", f"/{contact_id}")
    sandboxed.later(1_000)
    sandboxed.sign_up(address)
    sandboxed.deliver()
    assert sandboxed.outcome is Outcome.DELIVERED
    contact = sandboxed.account.find(address)
    assert "deleted_at" not in contact
    assert (contact["contact_id"], contact["list_memberships"]) == (contact_id, [PRESET_LIST_ID])
    assert contact["first_name"] == "Ann"


@pytest.mark.parametrize("path", ["/v3/contacts/sign_up_form", "/v3/contacts", "/v3/contacts/*-*"])
@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("known", [False, True])
def test_a_call_that_was_cut_off_is_safe_to_repeat(
    sandboxed: SandboxedSystem, path: str, drop: str, known: bool
) -> None:
    """Wherever it broke off, the whole starts again and ends with one contact on both lists."""
    address = SHORT if path.endswith("form") else LONG
    if known:
        sandboxed.account.add(address)
    sandboxed.account.vendor.fault(path=path, drop=drop)
    signup_id = sandboxed.sign_up(address, first_name="Ann")
    for _ in range(3):
        sandboxed.deliver()
        sandboxed.later(2_000)
    assert sandboxed.view(signup_id).status == "subscribed"
    contact = sandboxed.account.find(address)
    assert contact["first_name"] == "Ann"
    assert contact["list_memberships"] == [EVENTS_ID, PRESET_LIST_ID] if known else [PRESET_LIST_ID]


def test_the_probe_may_make_its_further_calls_while_all_others_wait(sandboxed: SandboxedSystem) -> None:
    """After an outage the probe looks its contact up first, and must not wait for itself."""
    signup_id = sandboxed.sign_up(SHORT)
    sandboxed.later(60_001)
    sandboxed.quota.pause(until=sandboxed.clock.now, reason="away")
    sandboxed.later(1)
    assert len(sandboxed.deliver()) == 2
    assert sandboxed.view(signup_id).status == "subscribed"
    assert sandboxed.quota.read().failures == 0


class PausedMeanwhile(ScriptedVendor):
    """While a call is under way, another process learns that the vendor is away."""

    def find_contact(self, address: str) -> Contact | None:
        self.system.quota.pause(until=self.system.clock.now + 60_000, reason="away")
        return None

    system: System


def test_a_further_call_that_finds_no_room_costs_no_try_and_pauses_nobody(tmp_path: Path) -> None:
    """What was begun starts again later; nothing is sent that is not booked."""
    vendor = PausedMeanwhile()
    vendor.system = system = System(tmp_path, vendor=vendor)
    system.connect()
    signup_id = system.sign_up()
    system.opt_outs.doubt()
    claimed = system.deliveries.claim(system.clock.now)
    assert isinstance(claimed, Claimed)
    assert system.attempt.carry(claimed, threading.Event()).outcome is Outcome.POSTPONED
    assert vendor.signed_up == []
    assert (system.view(signup_id).status, system.view(signup_id).attempts) == ("queued", 0)
    assert system.quota.read().failures == 1
    system.database.close()


def test_a_stop_ends_the_waiting_for_a_further_call(sandboxed: SandboxedSystem) -> None:
    """A process that shall end gives the sign-up back instead of waiting for the quota."""
    signup_id = sandboxed.sign_up(SHORT)
    for _ in range(3):
        sandboxed.permits.reserve()
    claimed = sandboxed.attempt.claim()
    sandboxed.opt_outs.doubt()
    assert isinstance(claimed, Claimed)
    stop = StopAtFirstWait()
    assert sandboxed.attempt.carry(claimed, stop).outcome is Outcome.POSTPONED
    assert stop.waits == 1
    assert sandboxed.view(signup_id).attempts == 0


class StopAtFirstWait(threading.Event):
    """Is set by whoever waits for it, so that no test does."""

    waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waits += 1
        self.set()
        return True
