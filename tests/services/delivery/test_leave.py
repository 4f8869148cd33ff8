"""Contacts that are unsubscribed on somebody's word, against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.constant_contact.errors import Rejected
from services.delivery.attempt import Outcome
from services.delivery.errors import LeftSince
from services.delivery.kinds.leave import LEFT_BEFORE, NO_CONTACT, UNSUBSCRIBED
from services.delivery.kinds.sign_up.returning import ASKED
from services.signups.manage import AddressUnclear, UnusableDecision
from services.signups.requests import ContactRequests, line, sentences
from store.outbox.requested import Requested, RequestedDeliveries
from store.recovery.spool_import import SpoolImport
from tests.services.conftest import House
from tests.services.delivery.test_sign_up import FIND, FORM, LEFT, LONG, SHORT, Town
from tests.services.vendor import ScriptedVendor

MINUTE = 60_000


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = Town(tmp_path)
    town.connect()
    yield town
    town.database.close()


def requests(house: House) -> ContactRequests:
    return house.parts.services.contact_requests


def the_only(house: House) -> Requested:
    (found,) = RequestedDeliveries(house.database).newest(10)
    return found


def ask_twice(house: House) -> list[str]:
    asked = requests(house)
    return [asked.unsubscribe(SHORT, "asked by phone").id for _ in range(2)]


@pytest.mark.parametrize("address", [SHORT, LONG])
def test_a_contact_is_unsubscribed_and_keeps_all_else(town: Town, address: str) -> None:
    """By two calls, both counted: the vendor's update replaces what it is not given."""
    contact_id = town.account.add(address, first_name="Ann", birthday_month=5, birthday_day=6)
    town.later(1_000)
    requests(town).unsubscribe(f" {address.upper()} ", "asked  by\nphone")
    assert town.deliver() == [(*FIND, 200), ("PUT", f"/v3/contacts/{contact_id}", 200)]
    assert town.outcome is Outcome.DELIVERED
    assert town.quota.read().used == 2
    contact = town.account.find(address)
    email = contact["email_address"]
    assert (email["permission_to_send"], email["opt_out_reason"]) == ("unsubscribed", "asked by phone")
    assert (contact["first_name"], contact["birthday_month"], contact["birthday_day"]) == ("Ann", 5, 6)
    assert (the_only(town).state, the_only(town).action) == ("delivered", UNSUBSCRIBED)


def test_who_is_no_contact_needs_nothing(town: Town) -> None:
    """Nobody is created only to be unsubscribed."""
    requests(town).unsubscribe(SHORT, "asked by phone")
    assert town.deliver() == [(*FIND, 200)]
    assert the_only(town).action == NO_CONTACT
    assert town.account.vendor.state()["contacts"] == []


@pytest.mark.parametrize("deleted", [False, True])
def test_who_had_left_is_left_alone(town: Town, deleted: bool) -> None:
    """An update would restore a deleted contact."""
    contact_id = town.account.add(SHORT)
    if deleted:
        town.account.edit("DELETE", f"/{contact_id}")
    else:
        town.account.unsubscribe(contact_id, SHORT)
    before = town.account.find(SHORT)
    town.later(1_000)
    requests(town).unsubscribe(SHORT, "asked by phone")
    assert town.deliver() == [(*FIND, 200)]
    assert the_only(town).action == LEFT_BEFORE
    assert town.account.find(SHORT) == before


def test_no_older_sign_up_is_sent_any_more(town: Town) -> None:
    """Not even before the contact is unsubscribed, and it costs no call."""
    contact_id = town.account.add(SHORT)
    older = town.sign_up(SHORT)
    town.later(1_000)
    requests(town).unsubscribe(SHORT, "asked by phone")
    assert town.deliver() == []
    assert (town.view(older).status, town.view(older).last_error) == ("parked", LeftSince.plain)
    assert town.deliver() == [(*FIND, 200), ("PUT", f"/v3/contacts/{contact_id}", 200)]


def test_a_retry_of_an_older_sign_up_is_put_aside_again(town: Town) -> None:
    """While the request waits by what is known here, afterwards by what the vendor says."""
    town.account.add(SHORT)
    older = town.sign_up(SHORT)
    town.later(1_000)
    requests(town).unsubscribe(SHORT, "asked by phone")
    town.deliver()
    town.later(1_000)
    assert town.deliveries.retry(older, now=town.clock.now)
    assert town.deliver() == [(*LEFT, 200)]
    town.later(1_000)
    assert town.view(older).status == "parked"
    town.deliver()
    assert the_only(town).state == "delivered"
    assert town.deliveries.retry(older, now=town.clock.now)
    town.later(1_000)
    assert FORM not in [call[:2] for call in town.deliver()]
    assert town.view(older).status == "parked"


@pytest.mark.parametrize("known", [False, True])
def test_an_older_sign_up_that_is_stored_later_brings_nobody_back(town: Town, known: bool) -> None:
    """It waited in the spool; also for an address that the account does not have."""
    if known:
        town.account.add(SHORT)
    received_at = town.clock.now
    town.later(1_000)
    requests(town).unsubscribe(SHORT, "asked by phone")
    town.deliver()
    signup_id = town.spooled(SHORT, received_at)
    SpoolImport(town.database, town.spool).run()
    town.later(1_000)
    assert FORM not in [call[:2] for call in town.deliver()]
    assert town.view(signup_id).last_error == LeftSince.plain


def test_a_later_sign_up_is_judged_as_that_of_whoever_had_left(town: Town) -> None:
    """By default the vendor asks the person by mail."""
    contact_id = town.account.add(SHORT)
    requests(town).unsubscribe(SHORT, "asked by phone")
    town.deliver()
    town.later(2 * MINUTE)
    later = town.sign_up(SHORT)
    assert ("PUT", f"/v3/contacts/resubscribe/{contact_id}", 200) in town.deliver()
    found = town.signups.find(later)
    assert found is not None
    assert found.action == ASKED


def test_a_sign_up_under_way_does_not_make_the_table_forget(town: Town) -> None:
    """It was claimed before the request, and ends after it with the contact back."""
    contact_id = town.account.add(SHORT)
    town.account.unsubscribe(contact_id, SHORT)
    town.later(1_000)
    requests(town).unsubscribe(SHORT, "asked by phone")
    town.opt_outs.forget(SHORT)
    town.account.edit("PUT", f"/{contact_id}", _explicit(SHORT))
    town.deliver()
    assert town.opt_outs.standing(SHORT).opt_out is not None


def _explicit(address: str) -> dict[str, object]:
    email = {"address": address, "permission_to_send": "explicit"}
    return {"email_address": email, "update_source": "Account"}


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("path", ["/v3/contacts", "/v3/contacts/*-*"])
def test_a_call_that_was_cut_off_is_safe_to_repeat(town: Town, path: str, drop: str) -> None:
    """Wherever it broke off, the contact is unsubscribed in the end."""
    town.account.add(SHORT)
    requests(town).unsubscribe(SHORT, "asked by phone")
    town.account.vendor.fault(path=path, drop=drop)
    for _ in range(3):
        town.deliver()
        town.later(2_000)
    assert the_only(town).state == "delivered"
    assert town.account.find(SHORT)["email_address"]["permission_to_send"] == "unsubscribed"


def test_asking_twice_is_one_delivery(town: Town) -> None:
    """Until it is done; after that the vendor is looked at once more."""
    first, second = ask_twice(town)
    assert first == second
    town.deliver()
    third = requests(town).unsubscribe(SHORT, "asked by phone")
    assert (third.id == first, third.left_at) == (False, town.clock.now)


class Refusing(ScriptedVendor):
    """Refuses to say who is there, until told to be good."""

    good = False

    def find_contact(self, address: str) -> None:
        if not self.good:
            raise Rejected(key="contacts.api.validation")
        super().find_contact(address)


def test_what_was_refused_is_tried_again_when_asked_again(tmp_path: Path) -> None:
    """It is parked like a sign-up, and named in the list."""
    house = House(tmp_path, vendor=(vendor := Refusing()))
    house.connect()
    (refused,) = set(ask_twice(house))
    assert house.courier.step().outcome is Outcome.PARKED
    assert "refused" in line(the_only(house))
    vendor.good = True
    again = requests(house).unsubscribe(SHORT, "asked by phone")
    assert (again.id, again.state) == (refused, "parked")
    assert "tried again" in sentences(SHORT, again)[0]
    house.clock.now += 60_000
    assert house.courier.step().outcome is Outcome.DELIVERED
    assert line(the_only(house)).endswith("is no contact of the account, so nothing was to be done")
    house.database.close()


def test_what_cannot_be_meant_stores_nothing(town: Town) -> None:
    """No address, no reason, or more than the vendor takes."""
    asked = requests(town)
    with pytest.raises(AddressUnclear):
        asked.unsubscribe("ann@", "asked by phone")
    for reason in (" \n", "x" * 256):
        with pytest.raises(UnusableDecision):
            asked.unsubscribe(SHORT, reason)
    assert asked.newest(10) == []
