"""An account that confirms sign-ups by e-mail: what who asks by an API key is told."""

from __future__ import annotations

import pytest

from services.access.requester import ANONYMOUS, Requester
from services.intake.idempotency import Handling
from services.intake.parsing import read_form
from services.intake.record import Evidence
from tests.services.delivery.test_sign_up import FIND, FORM, LONG, Town, town
from tests.services.sandbox_account import PRESET_LIST_ID

__all__ = ["town"]
SHOP = Requester("shop")
AT_ONCE = Handling(wait_seconds=0)


def sign_up(town: Town, address: str, asker: Requester = SHOP) -> str:
    sent = read_form([("email", address), ("list_id", PRESET_LIST_ID)])
    return town.intake.accept(sent, asker, Evidence(), AT_ONCE).id


def status(town: Town, signup_id: str) -> str:
    return town.view(signup_id).status


def test_a_new_contact_that_is_to_confirm_is_not_called_subscribed(town: Town) -> None:
    """One look tells, and holds for the next ones; whom the account knows already confirms nothing."""
    town.account.vendor.settings(confirmed_opt_in=True)
    first = sign_up(town, "ann@example.org")
    assert town.deliver() == [(*FORM, 201), (*FIND, 200)]
    assert status(town, first) == "pending_confirmation"
    second = sign_up(town, "bob@example.org")
    assert town.deliver() == [(*FORM, 201)]
    assert status(town, second) == "pending_confirmation"
    town.later(1_000)
    again = sign_up(town, "bob@example.org")
    assert town.deliver() == [(*FORM, 200)]
    assert status(town, again) == "subscribed"


def test_the_look_is_taken_again_after_a_minute(town: Town) -> None:
    """The setting may be turned on and off."""
    assert status(town, _delivered(town, "ann@example.org", [FORM, FIND])) == "subscribed"
    town.account.vendor.settings(confirmed_opt_in=True)
    town.later(60_000)
    assert status(town, _delivered(town, "bob@example.org", [FORM, FIND])) == "pending_confirmation"
    town.account.vendor.settings(confirmed_opt_in=False)
    town.later(60_000)
    assert status(town, _delivered(town, "cid@example.org", [FORM, FIND])) == "subscribed"


def test_what_stays_the_same_is_looked_at_less_and_less_often(town: Town) -> None:
    """After a minute, two, four and so on, an hour at most; a change begins anew."""
    _delivered(town, "first@example.org", [FORM, FIND])
    for number, minutes in enumerate([1, 2, 4, 8, 16, 32, 60, 60]):
        town.later(minutes * 60_000 - 1)
        _delivered(town, f"before{number}@example.org", [FORM])
        town.later(1)
        _delivered(town, f"after{number}@example.org", [FORM, FIND])
    town.account.vendor.settings(confirmed_opt_in=True)
    town.later(60 * 60_000)
    _delivered(town, "last@example.org", [FORM, FIND])
    town.later(60_000)
    _delivered(town, "again@example.org", [FORM, FIND])


def test_nobody_looks_for_a_stranger_who_is_told_nothing(town: Town) -> None:
    """Nor for a long address, whose contact is made as explicit by another operation."""
    town.account.vendor.settings(confirmed_opt_in=True)
    sign_up(town, "ann@example.org", ANONYMOUS)
    assert town.deliver() == [(*FORM, 201)]
    assert status(town, _delivered(town, LONG, [("POST", "/v3/contacts")])) == "subscribed"


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 429}, {"drop": "before"}])
def test_a_look_that_fails_costs_nothing(town: Town, fault: dict[str, object]) -> None:
    """The contact is signed up by then."""
    first = sign_up(town, "ann@example.org")
    # The second call of the delivery, which begins with POST /contacts/sign_up_form.
    town.account.vendor.client.post(
        "/_sandbox/faults",
        json={"match": {"method": "GET", "path": "/v3/contacts"}, "times": 1, "fault": fault},
    )
    assert town.deliver()[0] == (*FORM, 201)
    assert status(town, first) == "subscribed"


def _delivered(town: Town, address: str, calls: list[tuple[str, str]]) -> str:
    signup_id = sign_up(town, address)
    made = [(method, path) for method, path, _ in town.deliver()]
    # Who left is read again now and then, which is no part of the delivery.
    assert [call for call in made if "optout_after" not in call[1]] == calls
    return signup_id
