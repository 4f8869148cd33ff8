"""Ids that are known again without looking anywhere."""

from uuid import UUID, uuid4

import pytest

from services.intake.identifiers import SignupIds
from tests.services.conftest import System
from tests.store.conftest import signup

NOW = 1_790_000_000_000
OURS = SignupIds("key")


def test_an_id_is_a_uuid_of_its_millisecond() -> None:
    """Version 7 and the variant of RFC 9562, whatever the tag."""
    for now in (NOW, NOW + 1):
        found = UUID(OURS.new(now))
        assert (found.version, found.variant) == (7, "specified in RFC 4122")
        assert found.int >> 80 == now


def test_ids_of_one_millisecond_differ() -> None:
    """42 bits of each are random."""
    assert len({OURS.new(NOW) for _ in range(10_000)}) == 10_000


def test_our_own_ids_are_known_again() -> None:
    """By every process that has the key, and in capitals as well."""
    made = OURS.new(NOW)
    assert OURS.gave(made)
    assert SignupIds("key").gave(made)
    assert OURS.gave(made.upper())


@pytest.mark.parametrize("place", range(36))
def test_an_id_that_was_changed_anywhere_is_none_of_ours(place: int) -> None:
    """Neighbours of an id that somebody holds are no ids."""
    made = OURS.new(NOW)
    if made[place] != "-":
        changed = made[:place] + ("0" if made[place] != "0" else "1") + made[place + 1 :]
        assert not OURS.gave(changed)


def test_what_was_not_given_out_here_is_not_known() -> None:
    """Random ids, ids of another key, and what is no id at all."""
    assert not any(OURS.gave(str(uuid4())) for _ in range(100))
    assert not OURS.gave(SignupIds("other").new(NOW))
    assert not OURS.gave("nobody")


def test_an_id_of_an_earlier_key_is_found_by_its_sign_up(system: System) -> None:
    """A new SECRET_KEY takes nobody's answer away as long as the sign-up is kept."""
    earlier = SignupIds("an earlier key")
    kept, unknown = earlier.new(NOW), earlier.new(NOW)
    system.signups.accept(signup(kept), kind="sign_up", payload={})
    assert system.statuses.received(kept)
    assert not system.statuses.received(unknown)
