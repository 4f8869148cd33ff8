"""An account that confirms sign-ups by e-mail: what who asks by an API key is told."""

import pytest

from services.access.requester import ANONYMOUS, Requester
from services.intake.idempotency import Handling
from services.intake.parsing import read_form
from services.intake.record import Evidence
from tests.services.delivery.test_sign_up import FIND, FORM, LONG, SandboxedSystem, sandboxed
from tests.services.sandbox_account import PRESET_LIST_ID

__all__ = ["sandboxed"]
SHOP = Requester("shop")
AT_ONCE = Handling(wait_seconds=0)


def sign_up(sandboxed: SandboxedSystem, address: str, asker: Requester = SHOP) -> str:
    sent = read_form([("email", address), ("list_id", PRESET_LIST_ID)])
    return sandboxed.intake.accept(sent, asker, Evidence(), AT_ONCE).id


def status(sandboxed: SandboxedSystem, signup_id: str) -> str:
    return sandboxed.view(signup_id).status


def test_a_new_contact_that_is_to_confirm_is_not_called_subscribed(sandboxed: SandboxedSystem) -> None:
    """One look tells, and holds for the next ones; whom the account knows already confirms nothing."""
    sandboxed.account.vendor.settings(confirmed_opt_in=True)
    first = sign_up(sandboxed, "ann@example.org")
    assert sandboxed.deliver() == [(*FORM, 201), (*FIND, 200)]
    assert status(sandboxed, first) == "pending_confirmation"
    second = sign_up(sandboxed, "bob@example.org")
    assert sandboxed.deliver() == [(*FORM, 201)]
    assert status(sandboxed, second) == "pending_confirmation"
    sandboxed.later(1_000)
    again = sign_up(sandboxed, "bob@example.org")
    assert sandboxed.deliver() == [(*FORM, 200)]
    assert status(sandboxed, again) == "subscribed"


def test_the_look_is_taken_again_after_a_minute(sandboxed: SandboxedSystem) -> None:
    """The setting may be turned on and off."""
    assert status(sandboxed, _delivered(sandboxed, "ann@example.org", [FORM, FIND])) == "subscribed"
    sandboxed.account.vendor.settings(confirmed_opt_in=True)
    sandboxed.later(60_000)
    assert status(sandboxed, _delivered(sandboxed, "bob@example.org", [FORM, FIND])) == "pending_confirmation"
    sandboxed.account.vendor.settings(confirmed_opt_in=False)
    sandboxed.later(60_000)
    assert status(sandboxed, _delivered(sandboxed, "cid@example.org", [FORM, FIND])) == "subscribed"


def test_what_stays_the_same_is_looked_at_less_and_less_often(sandboxed: SandboxedSystem) -> None:
    """After a minute, two, four and so on, an hour at most; a change begins anew."""
    _delivered(sandboxed, "first@example.org", [FORM, FIND])
    for number, minutes in enumerate([1, 2, 4, 8, 16, 32, 60, 60]):
        sandboxed.later(minutes * 60_000 - 1)
        _delivered(sandboxed, f"before{number}@example.org", [FORM])
        sandboxed.later(1)
        _delivered(sandboxed, f"after{number}@example.org", [FORM, FIND])
    sandboxed.account.vendor.settings(confirmed_opt_in=True)
    sandboxed.later(60 * 60_000)
    _delivered(sandboxed, "last@example.org", [FORM, FIND])
    sandboxed.later(60_000)
    _delivered(sandboxed, "again@example.org", [FORM, FIND])


def test_nobody_looks_for_a_stranger_who_is_told_nothing(sandboxed: SandboxedSystem) -> None:
    """Nor for a long address, whose contact is made as explicit by another operation."""
    sandboxed.account.vendor.settings(confirmed_opt_in=True)
    sign_up(sandboxed, "ann@example.org", ANONYMOUS)
    assert sandboxed.deliver() == [(*FORM, 201)]
    assert status(sandboxed, _delivered(sandboxed, LONG, [("POST", "/v3/contacts")])) == "subscribed"


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 429}, {"drop": "before"}])
def test_a_look_that_fails_costs_nothing(sandboxed: SandboxedSystem, fault: dict[str, object]) -> None:
    """The contact is signed up by then."""
    first = sign_up(sandboxed, "ann@example.org")
    # The second call of the delivery, which begins with POST /contacts/sign_up_form.
    sandboxed.account.vendor.client.post(
        "/_sandbox/faults",
        json={"match": {"method": "GET", "path": "/v3/contacts"}, "times": 1, "fault": fault},
    )
    assert sandboxed.deliver()[0] == (*FORM, 201)
    assert status(sandboxed, first) == "subscribed"


def _delivered(sandboxed: SandboxedSystem, address: str, calls: list[tuple[str, str]]) -> str:
    signup_id = sign_up(sandboxed, address)
    made = [(method, path) for method, path, _ in sandboxed.deliver()]
    # Who left is read again now and then, which is no part of the delivery.
    assert [call for call in made if "optout_after" not in call[1]] == calls
    return signup_id
