"""A new SECRET_KEY sets nobody aside who has a form open."""

import pytest

from services.forms.load import FormLoad
from services.protection.proof_of_work import ProofOfWork
from services.protection.visitor_keys import KEPT_MS, PREFIX, VisitorKeys
from store.engine.database import Database
from store.errors import StoreError
from store.key_value import KeyValue
from tests.services.conftest import Clock, System
from tests.services.protection.test_proof_of_work import NEWS, answer, check

HOUR_MS = 3_600_000


class Host:
    """Processes over one database, each with the key of its SECRET_KEY, and a seal that a test can lose."""

    def __init__(self, database: Database) -> None:
        self.clock = Clock()
        self.meta = KeyValue(database)
        self.opens = True

    def process(self, own: str) -> VisitorKeys:
        keys = self.unseen(own)
        keys.refresh()
        return keys

    def unseen(self, own: str) -> VisitorKeys:
        return VisitorKeys(
            own,
            meta=self.meta,
            seal=lambda text: f"sealed {text[::-1]}",
            unseal=lambda text: text.removeprefix("sealed ")[::-1] if self.opens else None,
            clock=self.clock,
        )


@pytest.fixture
def host(each_database: Database) -> Host:
    return Host(each_database)


def test_a_new_secret_key_signs_by_itself_and_knows_the_one_before(host: Host) -> None:
    """New tokens are made with the new key only; those of before are known again for a day and an hour."""
    before = host.process("old").form_token()
    host.clock.now += HOUR_MS
    after = host.process("new")
    assert after.form_token()[0] not in before
    assert after.form_token()[1:] == before
    assert after.proof_of_work()[0] not in after.form_token()
    host.clock.now += KEPT_MS - HOUR_MS
    after.refresh()
    assert after.form_token()[1:] == before
    host.clock.now += 1
    after.refresh()
    assert len(after.form_token()) == 1
    assert len(host.meta.starting_with(PREFIX)) == 1


def test_a_process_in_service_learns_the_key_of_one_that_was_started_later(host: Host) -> None:
    """While hosts are restarted one by one, each knows the tokens of the others."""
    old = host.process("old")
    new = host.process("new")
    old.refresh()
    assert set(old.form_token()) == set(new.form_token())
    assert old.form_token()[0] != new.form_token()[0]


def test_a_key_in_use_is_never_forgotten(host: Host) -> None:
    """Its last use is written down hourly and not at each look; a clock that went back changes nothing."""
    old = host.process("old")
    for hours in range(60):
        host.clock.now += HOUR_MS
        old.refresh()
        kept = host.meta.starting_with(PREFIX)
        host.clock.now += HOUR_MS - 1
        old.refresh()
        assert host.meta.starting_with(PREFIX) == kept, hours
        host.clock.now -= HOUR_MS - 1
    assert len(host.process("new").form_token()) == 2
    host.clock.now -= 100 * HOUR_MS
    assert len(host.process("new").form_token()) == 2


def test_what_the_database_holds_is_sealed(host: Host) -> None:
    """And what ENCRYPTION_KEYS no longer open is passed over: the new key works."""
    host.process("old-key")
    assert "old-key" not in "".join(host.meta.starting_with(PREFIX).values())
    host.opens = False
    assert len(host.process("new").form_token()) == 1


def test_without_the_store_the_own_key_counts() -> None:
    """Visitors are served all the same; nothing but the looking fails."""
    keys = Host(Database("postgresql://nobody:x@127.0.0.1:1/nothing")).unseen("new")
    with pytest.raises(StoreError):
        keys.refresh()
    assert len(keys.form_token()) == len(keys.proof_of_work()) == 1


def test_a_proof_under_way_is_good_after_the_change(system: System) -> None:
    """Its challenge was made with the key of before; a made-up key is none."""
    old = ProofOfWork(keys=lambda: ("old",), load=FormLoad(clock=system.clock), clock=system.clock)
    new = ProofOfWork(keys=lambda: ("new", "old"), load=FormLoad(clock=system.clock), clock=system.clock)
    foreign = ProofOfWork(keys=lambda: ("foreign",), load=FormLoad(clock=system.clock), clock=system.clock)
    assert check(new, answer(old.challenge(NEWS.slug))).fault is None
    assert check(new, answer(new.challenge(NEWS.slug))).fault is None
    assert check(old, answer(new.challenge(NEWS.slug))).fault == "wrong_proof"
    assert check(new, answer(foreign.challenge(NEWS.slug))).fault == "wrong_proof"
