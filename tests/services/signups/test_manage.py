"""Looking after sign-ups."""

import pytest
import structlog

from services.signups.manage import AddressUnclear, Retry, SignupActions
from store.outbox.claimed import Claimed
from store.outbox.manage import DeliveryActions
from store.signups.records import SignupRecord, SignupRecords
from tests.services.conftest import System
from tests.store.conftest import accept


@pytest.fixture
def care(system: System) -> SignupActions:
    return SignupActions(
        records=SignupRecords(system.database),
        deliveries=system.deliveries,
        care=DeliveryActions(system.database),
        quota=system.quota,
        lists=system.lists,
        clock=system.clock,
    )


def claim(system: System) -> Claimed:
    system.clock.now += 2_000
    claimed = system.deliveries.claim(system.clock.now)
    assert isinstance(claimed, Claimed)
    return claimed


def park(system: System, name: str) -> None:
    accept(system.database, name, at=system.clock.now)
    assert system.deliveries.park(claim(system), now=system.clock.now, error="Refused.")


def record_of(care: SignupActions, name: str) -> SignupRecord:
    case = care.show(name)
    assert case is not None
    return case.record


def test_a_parked_signup_is_due_again_as_if_never_tried(system: System, care: SignupActions) -> None:
    """A retry makes it due with all its tries, and it is delivered."""
    park(system, "s1")
    assert care.retry("s1") is Retry.DUE
    record = record_of(care, "s1")
    assert (record.state, record.due_at, record.attempts) == ("ready", system.clock.now, 0)
    claimed = claim(system)
    assert claimed.source_id == "s1"
    system.deliveries.delivered(claimed, now=system.clock.now, contact_id="c-1", action="created")
    case = care.show("s1")
    assert case is not None
    assert [attempt.outcome for attempt in case.attempts] == ["parked: Refused.", "delivered"]
    assert case.what_next.startswith("Nothing to do")


def test_only_parked_signups_are_retried(system: System, care: SignupActions) -> None:
    """A sign-up that waits or is unknown is left alone, and the outcome says so."""
    accept(system.database, "waiting", at=5)
    assert care.retry("waiting") is Retry.NOT_PARKED
    assert care.retry("nobody") is Retry.UNKNOWN
    assert record_of(care, "waiting").due_at == 5


def test_all_parked_are_retried_at_once(system: System, care: SignupActions) -> None:
    """Every parked sign-up is retried and counted, and no other."""
    park(system, "s1")
    park(system, "s2")
    accept(system.database, "waiting", at=5)
    assert care.retry_all_parked() == 2
    assert [record_of(care, name).state for name in ("s1", "s2")] == ["ready", "ready"]
    assert record_of(care, "waiting").due_at == 5
    assert care.retry_all_parked() == 0


def test_a_retry_leaves_the_id_in_the_log_and_no_address(system: System, care: SignupActions) -> None:
    """The log shows that a person acted, without personal data."""
    park(system, "s1")
    structlog.contextvars.clear_contextvars()  # what a request of an earlier test left there
    with structlog.testing.capture_logs() as logged:
        care.retry("s1")
        care.retry("s1")
        care.retry_all_parked()
    assert logged == [
        {"event": "signup_retried", "signup_id": "s1", "log_level": "info"},
        {"event": "all_parked_retried", "signups": 0, "log_level": "info"},
    ]


def test_a_carried_signup_names_its_carrier(system: System, care: SignupActions) -> None:
    """A merged sign-up names the one whose call delivered it."""
    accept(system.database, "leader", contact="ada@example.org", at=1)
    accept(system.database, "carried", contact="ada@example.org", at=2)
    claimed = claim(system)
    carried = tuple(younger.delivery_id for younger in claimed.younger)
    system.deliveries.delivered(
        claimed, now=system.clock.now, contact_id="c-1", action="created", carried=carried
    )
    case = care.show("carried")
    assert case is not None
    assert "the call for leader" in case.what_next


@pytest.mark.parametrize("typed", ["ada@example.org", " ADA@Example.ORG "])
def test_an_address_is_found_however_it_is_typed(system: System, care: SignupActions, typed: str) -> None:
    """Space and capitals do not matter, in the list and in the export."""
    accept(system.database, "s1", contact="ada@example.org")
    accept(system.database, "s2")
    assert [record.id for record in care.newest(limit=9, email=typed)] == ["s1"]
    assert [record.id for record in care.all(email=typed)] == ["s1"]


def test_what_is_no_address_is_refused_before_anything_is_read(care: SignupActions) -> None:
    """A typing mistake is an error, not an empty table."""
    with pytest.raises(AddressUnclear, match="ada"):
        care.newest(limit=9, email="ada@")
    with pytest.raises(AddressUnclear):
        care.all(email="")


def test_an_unknown_id_has_no_case(care: SignupActions) -> None:
    """The answer is None, not an error."""
    assert care.show("nobody") is None
