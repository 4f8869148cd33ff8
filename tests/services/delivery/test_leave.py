"""Contacts that are unsubscribed on somebody's word, against the sandbox."""

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
from tests.services.conftest import System
from tests.services.delivery.test_sign_up import FIND, FORM, LEFT, LONG, SHORT, SandboxedSystem
from tests.services.vendor import ScriptedVendor

MINUTE = 60_000


@pytest.fixture
def sandboxed(tmp_path: Path) -> Iterator[SandboxedSystem]:
    sandboxed = SandboxedSystem(tmp_path)
    sandboxed.connect()
    yield sandboxed
    sandboxed.database.close()


def requests(system: System) -> ContactRequests:
    return system.parts.services.contact_requests


def the_only(system: System) -> Requested:
    (found,) = RequestedDeliveries(system.database).newest(10)
    return found


def ask_twice(system: System) -> list[str]:
    asked = requests(system)
    return [asked.unsubscribe(SHORT, "asked by phone").id for _ in range(2)]


@pytest.mark.parametrize("address", [SHORT, LONG])
def test_a_contact_is_unsubscribed_and_keeps_all_else(sandboxed: SandboxedSystem, address: str) -> None:
    """By two calls, both counted: the vendor's update replaces what it is not given."""
    contact_id = sandboxed.account.add(address, first_name="Ann", birthday_month=5, birthday_day=6)
    sandboxed.later(1_000)
    requests(sandboxed).unsubscribe(f" {address.upper()} ", "asked  by\nphone")
    assert sandboxed.deliver() == [(*FIND, 200), ("PUT", f"/v3/contacts/{contact_id}", 200)]
    assert sandboxed.outcome is Outcome.DELIVERED
    assert sandboxed.quota.read().used == 2
    contact = sandboxed.account.find(address)
    email = contact["email_address"]
    assert (email["permission_to_send"], email["opt_out_reason"]) == ("unsubscribed", "asked by phone")
    assert (contact["first_name"], contact["birthday_month"], contact["birthday_day"]) == ("Ann", 5, 6)
    assert (the_only(sandboxed).state, the_only(sandboxed).action) == ("delivered", UNSUBSCRIBED)


def test_who_is_no_contact_needs_nothing(sandboxed: SandboxedSystem) -> None:
    """Nobody is created only to be unsubscribed."""
    requests(sandboxed).unsubscribe(SHORT, "asked by phone")
    assert sandboxed.deliver() == [(*FIND, 200)]
    assert the_only(sandboxed).action == NO_CONTACT
    assert sandboxed.account.vendor.state()["contacts"] == []


@pytest.mark.parametrize("deleted", [False, True])
def test_who_had_left_is_left_alone(sandboxed: SandboxedSystem, deleted: bool) -> None:
    """An update would restore a deleted contact."""
    contact_id = sandboxed.account.add(SHORT)
    if deleted:
        sandboxed.account.edit("DELETE", f"/{contact_id}")
    else:
        sandboxed.account.unsubscribe(contact_id, SHORT)
    before = sandboxed.account.find(SHORT)
    sandboxed.later(1_000)
    requests(sandboxed).unsubscribe(SHORT, "asked by phone")
    assert sandboxed.deliver() == [(*FIND, 200)]
    assert the_only(sandboxed).action == LEFT_BEFORE
    assert sandboxed.account.find(SHORT) == before


def test_no_older_sign_up_is_sent_any_more(sandboxed: SandboxedSystem) -> None:
    """Not even before the contact is unsubscribed, and it costs no call."""
    contact_id = sandboxed.account.add(SHORT)
    older = sandboxed.sign_up(SHORT)
    sandboxed.later(1_000)
    requests(sandboxed).unsubscribe(SHORT, "asked by phone")
    assert sandboxed.deliver() == []
    assert (sandboxed.view(older).status, sandboxed.view(older).last_error) == ("parked", LeftSince.plain)
    assert sandboxed.deliver() == [(*FIND, 200), ("PUT", f"/v3/contacts/{contact_id}", 200)]


def test_a_retry_of_an_older_sign_up_is_put_aside_again(sandboxed: SandboxedSystem) -> None:
    """While the request waits by what is known here, afterwards by what the vendor says."""
    sandboxed.account.add(SHORT)
    older = sandboxed.sign_up(SHORT)
    sandboxed.later(1_000)
    requests(sandboxed).unsubscribe(SHORT, "asked by phone")
    sandboxed.deliver()
    sandboxed.later(1_000)
    assert sandboxed.deliveries.retry(older, now=sandboxed.clock.now)
    assert sandboxed.deliver() == [(*LEFT, 200)]
    sandboxed.later(1_000)
    assert sandboxed.view(older).status == "parked"
    sandboxed.deliver()
    assert the_only(sandboxed).state == "delivered"
    assert sandboxed.deliveries.retry(older, now=sandboxed.clock.now)
    sandboxed.later(1_000)
    assert FORM not in [call[:2] for call in sandboxed.deliver()]
    assert sandboxed.view(older).status == "parked"


@pytest.mark.parametrize("known", [False, True])
def test_an_older_sign_up_that_is_stored_later_brings_nobody_back(
    sandboxed: SandboxedSystem, known: bool
) -> None:
    """It waited in the spool; also for an address that the account does not have."""
    if known:
        sandboxed.account.add(SHORT)
    received_at = sandboxed.clock.now
    sandboxed.later(1_000)
    requests(sandboxed).unsubscribe(SHORT, "asked by phone")
    sandboxed.deliver()
    signup_id = sandboxed.spooled(SHORT, received_at)
    SpoolImport(sandboxed.database, sandboxed.spool).run()
    sandboxed.later(1_000)
    assert FORM not in [call[:2] for call in sandboxed.deliver()]
    assert sandboxed.view(signup_id).last_error == LeftSince.plain


def test_a_later_sign_up_is_judged_as_that_of_whoever_had_left(sandboxed: SandboxedSystem) -> None:
    """By default the vendor asks the person by mail."""
    contact_id = sandboxed.account.add(SHORT)
    requests(sandboxed).unsubscribe(SHORT, "asked by phone")
    sandboxed.deliver()
    sandboxed.later(2 * MINUTE)
    later = sandboxed.sign_up(SHORT)
    assert ("PUT", f"/v3/contacts/resubscribe/{contact_id}", 200) in sandboxed.deliver()
    found = sandboxed.signups.find(later)
    assert found is not None
    assert found.action == ASKED


def test_a_sign_up_under_way_does_not_make_the_table_forget(sandboxed: SandboxedSystem) -> None:
    """It was claimed before the request, and ends after it with the contact back."""
    contact_id = sandboxed.account.add(SHORT)
    sandboxed.account.unsubscribe(contact_id, SHORT)
    sandboxed.later(1_000)
    requests(sandboxed).unsubscribe(SHORT, "asked by phone")
    sandboxed.opt_outs.forget(SHORT)
    sandboxed.account.edit("PUT", f"/{contact_id}", _explicit(SHORT))
    sandboxed.deliver()
    assert sandboxed.opt_outs.standing(SHORT).opt_out is not None


def _explicit(address: str) -> dict[str, object]:
    email = {"address": address, "permission_to_send": "explicit"}
    return {"email_address": email, "update_source": "Account"}


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("path", ["/v3/contacts", "/v3/contacts/*-*"])
def test_a_call_that_was_cut_off_is_safe_to_repeat(sandboxed: SandboxedSystem, path: str, drop: str) -> None:
    """Wherever it broke off, the contact is unsubscribed in the end."""
    sandboxed.account.add(SHORT)
    requests(sandboxed).unsubscribe(SHORT, "asked by phone")
    sandboxed.account.vendor.fault(path=path, drop=drop)
    for _ in range(3):
        sandboxed.deliver()
        sandboxed.later(2_000)
    assert the_only(sandboxed).state == "delivered"
    assert sandboxed.account.find(SHORT)["email_address"]["permission_to_send"] == "unsubscribed"


def test_asking_twice_is_one_delivery(sandboxed: SandboxedSystem) -> None:
    """Until it is done; after that the vendor is looked at once more."""
    first, second = ask_twice(sandboxed)
    assert first == second
    sandboxed.deliver()
    third = requests(sandboxed).unsubscribe(SHORT, "asked by phone")
    assert (third.id == first, third.left_at) == (False, sandboxed.clock.now)


class Refusing(ScriptedVendor):
    """Refuses to say who is there, until told to be good."""

    good = False

    def find_contact(self, address: str) -> None:
        if not self.good:
            raise Rejected(key="contacts.api.validation")
        super().find_contact(address)


def test_what_was_refused_is_tried_again_when_asked_again(tmp_path: Path) -> None:
    """It is parked like a sign-up, and named in the list."""
    system = System(tmp_path, vendor=(vendor := Refusing()))
    system.connect()
    (refused,) = set(ask_twice(system))
    assert system.attempt.step().outcome is Outcome.PARKED
    assert "refused" in line(the_only(system))
    assert system.opt_outs.standing(SHORT).leaves_at is not None
    vendor.good = True
    again = requests(system).unsubscribe(SHORT, "asked by phone")
    assert (again.id, again.state) == (refused, "parked")
    assert "tried again" in sentences(SHORT, again)[0]
    system.clock.now += 60_000
    assert system.attempt.step().outcome is Outcome.DELIVERED
    assert line(the_only(system)).endswith("is no contact of the account, so nothing was to be done")
    system.database.close()


def test_what_cannot_be_meant_stores_nothing(sandboxed: SandboxedSystem) -> None:
    """No address, no reason, or more than the vendor takes."""
    asked = requests(sandboxed)
    with pytest.raises(AddressUnclear):
        asked.unsubscribe("ann@", "asked by phone")
    for reason in (" \n", "x" * 256):
        with pytest.raises(UnusableDecision):
            asked.unsubscribe(SHORT, reason)
    assert asked.newest(10) == []


def test_while_a_request_is_parked_no_older_sign_up_is_sent(tmp_path: Path) -> None:
    """A person has to look at it; until then the word of whoever left counts."""
    system = System(tmp_path, vendor=Refusing())
    system.connect()
    older = system.sign_up(SHORT)
    system.clock.now += 1_000
    requests(system).unsubscribe(SHORT, "asked by phone")
    for _ in range(2):
        assert system.attempt.step().outcome is Outcome.PARKED
        system.clock.now += 1_000
    assert system.deliveries.retry(older, now=system.clock.now)
    assert system.attempt.step().outcome is Outcome.PARKED
    assert system.view(older).last_error == LeftSince.plain
    assert system.vendor.signed_up == []
    system.database.close()
