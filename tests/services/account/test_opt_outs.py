"""An opt-out wins over every older sign-up; who asks to come back is asked by the vendor. At the sandbox."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.access.requester import ANONYMOUS, Requester
from services.constant_contact.errors import NotAsked
from services.delivery.attempt import Outcome
from services.delivery.errors import AskedBefore, AsksToReturn, LeftSince
from services.delivery.kind import Returning
from services.delivery.kinds.sign_up.returning import ASKED
from services.intake.parsing import read_json
from services.intake.record import Evidence
from services.signups.manage import SignupActions
from store.outbox.manage import DeliveryActions
from store.recovery.spool_import import SpoolImport
from store.signups.records import SignupRecords
from tests.services.delivery.test_sign_up import CREATE, FIND, FORM, LEFT, LONG, SHORT, Town
from tests.services.sandbox_account import EVENTS_ID, PRESET_LIST_ID

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
LOOKED, SENT, READ = (*FIND, 200), (*FORM, 200), (*LEFT, 200)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = Town(tmp_path)
    town.connect()
    yield town
    town.database.close()


@pytest.fixture
def open_town(tmp_path: Path) -> Iterator[Callable[[Returning], Town]]:
    """Return a town with another RETURNING."""
    towns = []

    def opened(returning: Returning) -> Town:
        towns.append(Town(tmp_path, returning=returning))
        towns[-1].connect()
        return towns[-1]

    yield opened
    for each in towns:
        each.database.close()


def asks(contact_id: str) -> tuple[str, str, int]:
    return ("PUT", f"/v3/contacts/resubscribe/{contact_id}", 200)


def leave(town: Town, address: str = SHORT) -> str:
    """Let somebody of the account opt out; return the contact's id."""
    contact_id = str(town.account.find(address)["contact_id"])
    town.account.unsubscribe(contact_id, address)
    return contact_id


def left(town: Town, address: str = SHORT) -> str:
    """Return the contact's id of somebody who opted out a while ago, as the table knows."""
    town.account.add(address)
    contact_id = leave(town, address)
    town.later(HOUR)
    town.sign_up("somebody@example.org")
    assert town.deliver()[0] == READ
    town.later(SECOND)
    return contact_id


def by_key(town: Town, address: str = SHORT, **fields: str) -> str:
    body = f'{{"email": "{address}", "list_id": "{PRESET_LIST_ID}"' + "".join(
        f', "{name}": "{value}"' for name, value in fields.items()
    )
    return town.intake.accept(read_json(f"{body}}}".encode()), Requester("key-1"), Evidence()).id


def assert_left_alone(town: Town, signup_id: str, address: str = SHORT) -> None:
    """Assert that the sign-up is parked as “left since”, and that the contact is unchanged."""
    view = town.view(signup_id)
    assert (view.status, view.last_error) == ("parked", LeftSince.plain)
    contact = town.account.find(address)
    assert contact["email_address"]["permission_to_send"] == "unsubscribed"
    assert contact["list_memberships"] == [EVENTS_ID]


# An older sign-up


@pytest.mark.parametrize("address", [SHORT, LONG])
@pytest.mark.parametrize("away", [10 * SECOND, 5 * MINUTE, HOUR, 3 * DAY])
def test_who_leaves_while_the_vendor_is_away_stays_away(town: Town, address: str, away: int) -> None:
    """A person signs up, the vendor fails, the person unsubscribes, and the vendor comes back."""
    town.account.add(address)
    town.account.vendor.fault(status=503, body={})
    signup_id = town.sign_up(address)
    town.deliver()
    assert town.outcome is Outcome.POSTPONED
    town.later(1)
    leave(town, address)
    town.later(away)
    town.deliver()
    assert_left_alone(town, signup_id, address)


@pytest.mark.parametrize("away", [20 * SECOND, HOUR])
def test_so_does_who_was_never_tried_meanwhile(town: Town, away: int) -> None:
    """Another delivery was the half-open probe; one that waited behind it needs a newer table."""
    town.account.add(SHORT)
    town.account.vendor.fault(times=2, status=503, body={})
    probe = town.sign_up("probe@example.org")
    town.deliver()
    signup_id = town.sign_up(SHORT)
    town.later(2 * SECOND)
    town.deliver()
    leave(town)
    town.later(away)
    calls = [call for _ in range(3) for call in town.deliver()]
    assert town.view(probe).status == "subscribed"
    # What was tried itself is looked up itself.
    assert READ in calls or LOOKED in calls
    assert_left_alone(town, signup_id)


def test_a_backlog_that_drains_for_long_is_held_against_who_left_meanwhile(town: Town) -> None:
    """For what waits the table is at most a minute old, also behind a newer sign-up."""
    town.account.add(SHORT)
    town.sign_up("first@example.org")
    signup_id = town.sign_up(SHORT)
    town.later(5 * MINUTE)
    assert READ in town.deliver()
    town.later(SECOND)
    leave(town)
    town.later(MINUTE)
    assert town.deliver() == [READ, LOOKED]
    assert_left_alone(town, signup_id)


def test_a_released_suspect_brings_nobody_back(town: Town) -> None:
    """A sign-up that an admin releases counts by the time it was received."""
    town.account.add(SHORT)
    signup_id = town.sign_up(SHORT, website="https://spam.example")
    town.sign_up("bob@example.org")
    assert town.deliver() == [(*FORM, 201)]
    town.later(SECOND)
    leave(town)
    town.later(10 * SECOND)
    assert town.suspected.release(signup_id)
    assert town.deliver() == [READ, LOOKED]
    assert_left_alone(town, signup_id)


@pytest.mark.parametrize("all_parked", [False, True])
def test_a_retry_by_hand_brings_nobody_back(town: Town, all_parked: bool) -> None:
    """A retried sign-up counts by the time it was received, though its tries begin anew."""
    town.account.add(SHORT)
    town.account.vendor.fault(path=FORM[1], status=400, body=[{"error_key": "a.b", "error_message": "no"}])
    signup_id = town.sign_up(SHORT)
    town.deliver()
    assert town.view(signup_id).status == "parked"
    town.later(SECOND)
    leave(town)
    town.later(10 * SECOND)
    care = SignupActions(
        records=SignupRecords(town.database),
        deliveries=town.deliveries,
        care=DeliveryActions(town.database),
        quota=town.quota,
        lists=town.lists,
        clock=town.clock,
    )
    if all_parked:
        assert care.retry_all_parked() == 1
    else:
        care.retry(signup_id)
    assert town.deliver() == [READ, LOOKED]
    assert_left_alone(town, signup_id)


def test_a_spooled_sign_up_brings_nobody_back(town: Town) -> None:
    """A spooled sign-up counts by the time it was received, not by that of its import."""
    town.account.add(SHORT)
    signup_id = town.spooled(SHORT, town.clock.now)
    town.later(SECOND)
    leave(town)
    town.later(10 * SECOND)
    assert SpoolImport(town.database, town.spool).run().signups == 1
    assert town.deliver() == [READ, LOOKED]
    assert_left_alone(town, signup_id)


def test_a_restored_backup_brings_nobody_back(tmp_path: Path) -> None:
    """A copy of the database from before the opt-out is started within the same minute."""
    town = Town(tmp_path)
    town.connect()
    town.account.add(SHORT)
    signup_id = town.sign_up(SHORT)
    town.database.close()
    shutil.copy(tmp_path / "test.db", tmp_path / "backup.db")
    town.later(SECOND)
    leave(town)
    town.later(10 * SECOND)
    (tmp_path / "restored").mkdir()
    shutil.copy(tmp_path / "backup.db", tmp_path / "restored" / "test.db")
    restored = Town(tmp_path / "restored", other=town)
    assert restored.deliver() == [READ, LOOKED]
    assert_left_alone(restored, signup_id)
    restored.database.close()


def test_what_a_damaged_file_gave_back_brings_nobody_back(town: Town, tmp_path: Path) -> None:
    """The opt-outs of a damaged file may be incomplete, so they are read anew."""
    left(town, "eve@example.org")
    town.account.add(SHORT)
    signup_id = town.sign_up(SHORT)
    town.database.close()
    town.later(SECOND)
    leave(town)
    (tmp_path / "test.db").rename(tmp_path / "test.db.damaged-20261129-010203-1")
    again = Town(tmp_path, other=town)
    again.connect(opt_outs_read=False)
    assert [found.signups for found in again.salvage.run()] == [2]
    assert again.opt_outs.standing("eve@example.org").opt_out is None
    again.later(SECOND)
    assert again.deliver() == [READ, LOOKED]
    assert_left_alone(again, signup_id)
    assert again.opt_outs.standing("eve@example.org").opt_out is not None
    again.database.close()


def test_an_older_sign_up_does_not_ride_along_in_a_newer_ones_call(town: Town) -> None:
    """Each sign-up is judged by its own time: the older is parked, the newer asks to come back."""
    town.account.add(SHORT)
    first = town.sign_up(SHORT)
    town.later(HOUR)
    contact_id = leave(town)
    town.later(HOUR)
    second = town.sign_up(SHORT, first_name="Ann")
    assert town.deliver() == [READ, LOOKED]
    assert_left_alone(town, first)
    town.later(SECOND)
    assert town.deliver() == [LOOKED, asks(contact_id)]
    assert town.view(second).status == ASKED
    assert_left_alone(town, first)


def test_a_newer_sign_up_does_not_carry_an_older_one_that_was_stored_behind_it(town: Town) -> None:
    """A spooled sign-up has the earlier time and the higher row number."""
    town.account.add(SHORT)
    contact_id = leave(town)
    town.later(HOUR)
    newer = by_key(town, returning="accept")
    town.spooled(SHORT, town.clock.now - 2 * HOUR)
    assert SpoolImport(town.database, town.spool).run().signups == 1
    assert town.deliver() == [READ, LOOKED, SENT]
    assert town.view(newer).contact_id == contact_id
    town.later(SECOND)
    town.deliver()
    assert town.account.find(SHORT)["email_address"]["permission_to_send"] == "explicit"


@pytest.mark.parametrize("address", [SHORT, LONG])
@pytest.mark.parametrize("before", ["nothing", "deleted", "subscribed"])
def test_a_sign_up_of_somebody_who_did_not_leave_since_is_sent(town: Town, address: str, before: str) -> None:
    """However long it waited; a contact that was deleted before is revived by it."""
    if before != "nothing":
        contact_id = town.account.add(address)
        if before == "deleted":
            town.account.edit("DELETE", f"/{contact_id}")
        town.later(3 * DAY)
    signup_id = town.sign_up(address)
    town.later(DAY + 1)
    assert town.deliver()[0] == READ
    assert town.view(signup_id).status == "subscribed"
    assert PRESET_LIST_ID in town.account.find(address)["list_memberships"]


def test_an_old_sign_up_does_not_revive_who_was_deleted_since(town: Town) -> None:
    """The account deleted the contact after the sign-up, on the same day."""
    contact_id = town.account.add(SHORT)
    signup_id = town.sign_up(SHORT)
    town.later(MINUTE)
    town.account.edit("DELETE", f"/{contact_id}")
    town.later(MINUTE)
    assert town.deliver() == [READ, LOOKED]
    assert town.view(signup_id).last_error == LeftSince.plain


# Somebody who left asks to come back


@pytest.mark.parametrize("address", [SHORT, LONG])
def test_a_stranger_brings_nobody_back(town: Town, address: str) -> None:
    """The vendor asks the owner of the address; the contact is unchanged."""
    contact_id = left(town, address)
    signup_id = town.sign_up(address, first_name="Mallory")
    assert town.deliver() == [LOOKED, asks(contact_id)]
    contact = town.account.find(address)
    assert contact["email_address"]["permission_to_send"] == "unsubscribed"
    assert "first_name" not in contact
    assert (town.view(signup_id).status, town.view(signup_id).contact_id) == (ASKED, contact_id)


def test_who_says_yes_is_back_and_signs_up_like_anybody(town: Town) -> None:
    """The lists are those of the sign-up; the table learns of it when the contact is looked up."""
    left(town)
    town.sign_up(SHORT)
    town.deliver()
    town.account.vendor.client.post("/_sandbox/confirm-return", json={"email": SHORT})
    contact = town.account.find(SHORT)
    assert contact["email_address"]["permission_to_send"] == "explicit"
    assert contact["list_memberships"] == [EVENTS_ID, PRESET_LIST_ID]
    town.later(SECOND)
    town.sign_up(SHORT, first_name="Ann")
    assert town.deliver() == [LOOKED, SENT]
    town.later(SECOND)
    town.sign_up(SHORT, last_name="Smith")
    assert town.deliver() == [SENT]


def test_the_second_stranger_changes_nothing(town: Town) -> None:
    """The vendor asks once; an admin sees that somebody asks again."""
    left(town)
    town.sign_up(SHORT)
    town.deliver()
    town.later(SECOND)
    again = town.sign_up(SHORT)
    assert town.deliver() == [LOOKED]
    assert (town.view(again).status, town.view(again).last_error) == ("parked", AskedBefore.plain)


def test_two_sign_ups_at_once_make_one_question_for_both_lists(town: Town) -> None:
    """Two sign-ups at once, as when a button is pressed twice."""
    contact_id = left(town)
    first, second = town.sign_up(SHORT), by_key(town, SHORT)
    assert town.deliver() == [LOOKED, asks(contact_id)]
    assert [town.view(each).status for each in (first, second)] == [ASKED, ASKED]


@pytest.mark.parametrize("status", [400, 404, 409])
def test_when_the_vendor_does_not_ask_a_person_decides(town: Town, status: int) -> None:
    """The vendor may have asked before; no other sign-up has to wait."""
    left(town)
    answer = [{"error_key": "contacts.api.validation.error", "error_message": "sent before"}]
    town.account.vendor.fault(path="/v3/contacts/resubscribe/", status=status, body=answer)
    signup_id = town.sign_up(SHORT)
    town.deliver()
    assert town.view(signup_id).status == "parked"
    assert str(town.view(signup_id).last_error).startswith(NotAsked.plain)
    assert town.quota.read().failures == 0


def test_with_accept_signing_up_brings_back(open_town: Callable[[Returning], Town]) -> None:
    """A new sign-up counts as the person's own action; an older one is still not sent."""
    town = open_town("accept")
    town.account.add(SHORT)
    older = town.sign_up(SHORT)
    town.later(MINUTE)
    leave(town)
    town.later(MINUTE)
    town.sign_up(SHORT)
    town.deliver()
    assert_left_alone(town, older)
    town.later(SECOND)
    assert town.deliver() == [LOOKED, SENT]
    assert town.account.find(SHORT)["email_address"]["permission_to_send"] == "explicit"


def test_with_hold_an_admin_decides(open_town: Callable[[Returning], Town]) -> None:
    """The sign-up waits with a sentence that says what to do."""
    town = open_town("hold")
    left(town)
    signup_id = town.sign_up(SHORT)
    assert town.deliver() == [LOOKED]
    assert town.view(signup_id).last_error == AsksToReturn.plain


@pytest.mark.parametrize("setting", ["confirm", "hold"])
def test_a_keys_holder_may_give_the_persons_word(
    open_town: Callable[[Returning], Town], setting: Returning
) -> None:
    """`"returning": "accept"`: the person said so, at a counter or by telephone."""
    town = open_town(setting)
    left(town)
    by_key(town, returning="accept")
    assert town.deliver() == [LOOKED, SENT]
    assert town.account.find(SHORT)["email_address"]["permission_to_send"] == "explicit"
    with town.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM opt_outs").scalar() == 0


def test_without_that_word_a_key_is_held_to_the_setting(town: Town) -> None:
    """A shop's server only passes on what was typed into its form."""
    contact_id = left(town)
    by_key(town)
    assert town.deliver() == [LOOKED, asks(contact_id)]


def test_a_stranger_who_says_accept_says_nothing(town: Town) -> None:
    """`returning` counts with an API key only."""
    contact_id = left(town)
    submission = read_json(
        f'{{"email": "{SHORT}", "list_id": "{PRESET_LIST_ID}", "returning": "accept"}}'.encode()
    )
    town.intake.accept(submission, ANONYMOUS, Evidence())
    assert town.deliver() == [LOOKED, asks(contact_id)]


def test_the_word_of_one_does_not_carry_a_strangers_sign_up(town: Town) -> None:
    """An accepted return does not take along another sign-up, and the vendor is not told of it."""
    left(town)
    own = by_key(town, returning="accept")
    strangers = town.sign_up(SHORT, first_name="Mallory")
    assert town.deliver() == [LOOKED, SENT]
    assert (town.view(own).status, town.view(strangers).status) == ("subscribed", "queued")
    bodies = [call["body"] for call in town.account.vendor.calls() if call["path"] == FORM[1]]
    assert not any("returning" in body for body in bodies)


@pytest.mark.parametrize("address", [SHORT, LONG])
def test_who_was_deleted_and_had_not_opted_out_comes_back_by_signing_up(town: Town, address: str) -> None:
    """The contract: “Unlike unsubscribed contacts, deleted contacts can be revived”."""
    contact_id = town.account.add(address)
    town.account.edit("DELETE", f"/{contact_id}")
    town.later(HOUR)
    signup_id = town.sign_up(address)
    assert town.deliver()[:2] == [READ, LOOKED]
    assert town.view(signup_id).status == "subscribed"


def test_who_had_opted_out_before_being_deleted_is_not_revived(town: Town) -> None:
    """Deleting the contact does not undo the person's opt-out."""
    town.account.add(SHORT)
    contact_id = leave(town)
    town.later(10 * DAY)
    town.account.edit("DELETE", f"/{contact_id}")
    town.later(3 * DAY)
    signup_id = town.sign_up(SHORT)
    assert town.deliver()[:2] == [READ, LOOKED]
    assert town.view(signup_id).status == "parked"
    assert town.account.find(SHORT)["deleted_at"]


def test_an_address_that_turns_out_to_be_known_is_judged_as_well(town: Town) -> None:
    """The vendor says that a long address is known, before the table knows of the opt-out."""
    town.account.add(LONG)
    town.later(SECOND)
    contact_id = leave(town, LONG)
    town.later(SECOND)
    town.sign_up(LONG)
    assert town.deliver() == [(*CREATE, 409), LOOKED, asks(contact_id)]
