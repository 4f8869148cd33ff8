"""An opt-out wins over every older sign-up; who asks to come back is asked by the vendor. At the sandbox."""

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
from tests.services.delivery.test_sign_up import CREATE, FIND, FORM, LEFT, LONG, SHORT, SandboxedSystem
from tests.services.sandbox_account import EVENTS_ID, PRESET_LIST_ID

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
LOOKED, SENT, READ = (*FIND, 200), (*FORM, 200), (*LEFT, 200)


@pytest.fixture
def sandboxed(tmp_path: Path) -> Iterator[SandboxedSystem]:
    sandboxed = SandboxedSystem(tmp_path)
    sandboxed.connect()
    yield sandboxed
    sandboxed.database.close()


@pytest.fixture
def open_sandboxed(tmp_path: Path) -> Iterator[Callable[[Returning], SandboxedSystem]]:
    """Return a system with another RETURNING."""
    made = []

    def opened(returning: Returning) -> SandboxedSystem:
        made.append(SandboxedSystem(tmp_path, returning=returning))
        made[-1].connect()
        return made[-1]

    yield opened
    for each in made:
        each.database.close()


def asks(contact_id: str) -> tuple[str, str, int]:
    return ("PUT", f"/v3/contacts/resubscribe/{contact_id}", 200)


def leave(sandboxed: SandboxedSystem, address: str = SHORT) -> str:
    """Let somebody of the account opt out; return the contact's id."""
    contact_id = str(sandboxed.account.find(address)["contact_id"])
    sandboxed.account.unsubscribe(contact_id, address)
    return contact_id


def left(sandboxed: SandboxedSystem, address: str = SHORT) -> str:
    """Return the contact's id of somebody who opted out a while ago, as the table knows."""
    sandboxed.account.add(address)
    contact_id = leave(sandboxed, address)
    sandboxed.later(HOUR)
    sandboxed.sign_up("somebody@example.org")
    assert sandboxed.deliver()[0] == READ
    sandboxed.later(SECOND)
    return contact_id


def by_key(sandboxed: SandboxedSystem, address: str = SHORT, **fields: str) -> str:
    body = f'{{"email": "{address}", "list_id": "{PRESET_LIST_ID}"' + "".join(
        f', "{name}": "{value}"' for name, value in fields.items()
    )
    return sandboxed.intake.accept(read_json(f"{body}}}".encode()), Requester("key-1"), Evidence()).id


def assert_left_alone(sandboxed: SandboxedSystem, signup_id: str, address: str = SHORT) -> None:
    """Assert that the sign-up is parked as “left since”, and that the contact is unchanged."""
    view = sandboxed.view(signup_id)
    assert (view.status, view.last_error) == ("parked", LeftSince.plain)
    contact = sandboxed.account.find(address)
    assert contact["email_address"]["permission_to_send"] == "unsubscribed"
    assert contact["list_memberships"] == [EVENTS_ID]


# An older sign-up


@pytest.mark.parametrize("address", [SHORT, LONG])
@pytest.mark.parametrize("away", [10 * SECOND, 5 * MINUTE, HOUR, 3 * DAY])
def test_who_leaves_while_the_vendor_is_away_stays_away(
    sandboxed: SandboxedSystem, address: str, away: int
) -> None:
    """A person signs up, the vendor fails, the person unsubscribes, and the vendor comes back."""
    sandboxed.account.add(address)
    sandboxed.account.vendor.fault(status=503, body={})
    signup_id = sandboxed.sign_up(address)
    sandboxed.deliver()
    assert sandboxed.outcome is Outcome.POSTPONED
    sandboxed.later(1)
    leave(sandboxed, address)
    sandboxed.later(away)
    sandboxed.deliver()
    assert_left_alone(sandboxed, signup_id, address)


@pytest.mark.parametrize("away", [20 * SECOND, HOUR])
def test_so_does_who_was_never_tried_meanwhile(sandboxed: SandboxedSystem, away: int) -> None:
    """Another delivery was the half-open probe; one that waited behind it needs a newer table."""
    sandboxed.account.add(SHORT)
    sandboxed.account.vendor.fault(times=2, status=503, body={})
    probe = sandboxed.sign_up("probe@example.org")
    sandboxed.deliver()
    signup_id = sandboxed.sign_up(SHORT)
    sandboxed.later(2 * SECOND)
    sandboxed.deliver()
    leave(sandboxed)
    sandboxed.later(away)
    calls = [call for _ in range(3) for call in sandboxed.deliver()]
    assert sandboxed.view(probe).status == "subscribed"
    # What was tried itself is looked up itself.
    assert READ in calls or LOOKED in calls
    assert_left_alone(sandboxed, signup_id)


def test_a_backlog_that_drains_for_long_is_held_against_who_left_meanwhile(
    sandboxed: SandboxedSystem,
) -> None:
    """For what waits the table is at most a minute old, also behind a newer sign-up."""
    sandboxed.account.add(SHORT)
    sandboxed.sign_up("first@example.org")
    signup_id = sandboxed.sign_up(SHORT)
    sandboxed.later(5 * MINUTE)
    assert READ in sandboxed.deliver()
    sandboxed.later(SECOND)
    leave(sandboxed)
    sandboxed.later(MINUTE)
    assert sandboxed.deliver() == [READ, LOOKED]
    assert_left_alone(sandboxed, signup_id)


def test_a_released_suspect_brings_nobody_back(sandboxed: SandboxedSystem) -> None:
    """A sign-up that an admin releases counts by the time it was received."""
    sandboxed.account.add(SHORT)
    signup_id = sandboxed.sign_up(SHORT, website="https://spam.example")
    sandboxed.sign_up("bob@example.org")
    assert sandboxed.deliver() == [(*FORM, 201)]
    sandboxed.later(SECOND)
    leave(sandboxed)
    sandboxed.later(10 * SECOND)
    assert sandboxed.suspected.release(signup_id)
    assert sandboxed.deliver() == [READ, LOOKED]
    assert_left_alone(sandboxed, signup_id)


@pytest.mark.parametrize("all_parked", [False, True])
def test_a_retry_by_hand_brings_nobody_back(sandboxed: SandboxedSystem, all_parked: bool) -> None:
    """A retried sign-up counts by the time it was received, though its tries begin anew."""
    sandboxed.account.add(SHORT)
    sandboxed.account.vendor.fault(
        path=FORM[1], status=400, body=[{"error_key": "a.b", "error_message": "no"}]
    )
    signup_id = sandboxed.sign_up(SHORT)
    sandboxed.deliver()
    assert sandboxed.view(signup_id).status == "parked"
    sandboxed.later(SECOND)
    leave(sandboxed)
    sandboxed.later(10 * SECOND)
    care = SignupActions(
        records=SignupRecords(sandboxed.database),
        deliveries=sandboxed.deliveries,
        care=DeliveryActions(sandboxed.database),
        quota=sandboxed.quota,
        lists=sandboxed.lists,
        clock=sandboxed.clock,
    )
    if all_parked:
        assert care.retry_all_parked() == 1
    else:
        care.retry(signup_id)
    assert sandboxed.deliver() == [READ, LOOKED]
    assert_left_alone(sandboxed, signup_id)


def test_a_spooled_sign_up_brings_nobody_back(sandboxed: SandboxedSystem) -> None:
    """A spooled sign-up counts by the time it was received, not by that of its import."""
    sandboxed.account.add(SHORT)
    signup_id = sandboxed.spooled(SHORT, sandboxed.clock.now)
    sandboxed.later(SECOND)
    leave(sandboxed)
    sandboxed.later(10 * SECOND)
    assert SpoolImport(sandboxed.database, sandboxed.spool).run().signups == 1
    assert sandboxed.deliver() == [READ, LOOKED]
    assert_left_alone(sandboxed, signup_id)


def test_a_restored_backup_brings_nobody_back(tmp_path: Path) -> None:
    """A copy of the database from before the opt-out is started within the same minute."""
    sandboxed = SandboxedSystem(tmp_path)
    sandboxed.connect()
    sandboxed.account.add(SHORT)
    signup_id = sandboxed.sign_up(SHORT)
    sandboxed.database.close()
    shutil.copy(tmp_path / "test.db", tmp_path / "backup.db")
    sandboxed.later(SECOND)
    leave(sandboxed)
    sandboxed.later(10 * SECOND)
    (tmp_path / "restored").mkdir()
    shutil.copy(tmp_path / "backup.db", tmp_path / "restored" / "test.db")
    restored = SandboxedSystem(tmp_path / "restored", other=sandboxed)
    assert restored.deliver() == [READ, LOOKED]
    assert_left_alone(restored, signup_id)
    restored.database.close()


def test_what_a_damaged_file_gave_back_brings_nobody_back(sandboxed: SandboxedSystem, tmp_path: Path) -> None:
    """The opt-outs of a damaged file may be incomplete, so they are read anew."""
    left(sandboxed, "eve@example.org")
    sandboxed.account.add(SHORT)
    signup_id = sandboxed.sign_up(SHORT)
    sandboxed.database.close()
    sandboxed.later(SECOND)
    leave(sandboxed)
    (tmp_path / "test.db").rename(tmp_path / "test.db.damaged-20261129-010203-1")
    again = SandboxedSystem(tmp_path, other=sandboxed)
    again.connect(opt_outs_read=False)
    assert [found.signups for found in again.salvage.run()] == [2]
    assert again.opt_outs.standing("eve@example.org").opt_out is None
    again.later(SECOND)
    assert again.deliver() == [READ, LOOKED]
    assert_left_alone(again, signup_id)
    assert again.opt_outs.standing("eve@example.org").opt_out is not None
    again.database.close()


def test_an_older_sign_up_does_not_ride_along_in_a_newer_ones_call(sandboxed: SandboxedSystem) -> None:
    """Each sign-up is judged by its own time: the older is parked, the newer asks to come back."""
    sandboxed.account.add(SHORT)
    first = sandboxed.sign_up(SHORT)
    sandboxed.later(HOUR)
    contact_id = leave(sandboxed)
    sandboxed.later(HOUR)
    second = sandboxed.sign_up(SHORT, first_name="Ann")
    assert sandboxed.deliver() == [READ, LOOKED]
    assert_left_alone(sandboxed, first)
    sandboxed.later(SECOND)
    assert sandboxed.deliver() == [LOOKED, asks(contact_id)]
    assert sandboxed.view(second).status == ASKED
    assert_left_alone(sandboxed, first)


def test_a_newer_sign_up_does_not_carry_an_older_one_that_was_stored_behind_it(
    sandboxed: SandboxedSystem,
) -> None:
    """A spooled sign-up has the earlier time and the higher row number."""
    sandboxed.account.add(SHORT)
    contact_id = leave(sandboxed)
    sandboxed.later(HOUR)
    newer = by_key(sandboxed, returning="accept")
    sandboxed.spooled(SHORT, sandboxed.clock.now - 2 * HOUR)
    assert SpoolImport(sandboxed.database, sandboxed.spool).run().signups == 1
    assert sandboxed.deliver() == [READ, LOOKED, SENT]
    assert sandboxed.view(newer).contact_id == contact_id
    sandboxed.later(SECOND)
    sandboxed.deliver()
    assert sandboxed.account.find(SHORT)["email_address"]["permission_to_send"] == "explicit"


@pytest.mark.parametrize("address", [SHORT, LONG])
@pytest.mark.parametrize("before", ["nothing", "deleted", "subscribed"])
def test_a_sign_up_of_somebody_who_did_not_leave_since_is_sent(
    sandboxed: SandboxedSystem, address: str, before: str
) -> None:
    """However long it waited; a contact that was deleted before is revived by it."""
    if before != "nothing":
        contact_id = sandboxed.account.add(address)
        if before == "deleted":
            sandboxed.account.edit("DELETE", f"/{contact_id}")
        sandboxed.later(3 * DAY)
    signup_id = sandboxed.sign_up(address)
    sandboxed.later(DAY + 1)
    assert sandboxed.deliver()[0] == READ
    assert sandboxed.view(signup_id).status == "subscribed"
    assert PRESET_LIST_ID in sandboxed.account.find(address)["list_memberships"]


def test_an_old_sign_up_does_not_revive_who_was_deleted_since(sandboxed: SandboxedSystem) -> None:
    """The account deleted the contact after the sign-up, on the same day."""
    contact_id = sandboxed.account.add(SHORT)
    signup_id = sandboxed.sign_up(SHORT)
    sandboxed.later(MINUTE)
    sandboxed.account.edit("DELETE", f"/{contact_id}")
    sandboxed.later(MINUTE)
    assert sandboxed.deliver() == [READ, LOOKED]
    assert sandboxed.view(signup_id).last_error == LeftSince.plain


# Somebody who left asks to come back


@pytest.mark.parametrize("address", [SHORT, LONG])
def test_a_stranger_brings_nobody_back(sandboxed: SandboxedSystem, address: str) -> None:
    """The vendor asks the owner of the address; the contact is unchanged."""
    contact_id = left(sandboxed, address)
    signup_id = sandboxed.sign_up(address, first_name="Mallory")
    assert sandboxed.deliver() == [LOOKED, asks(contact_id)]
    contact = sandboxed.account.find(address)
    assert contact["email_address"]["permission_to_send"] == "unsubscribed"
    assert "first_name" not in contact
    assert (sandboxed.view(signup_id).status, sandboxed.view(signup_id).contact_id) == (ASKED, contact_id)


def test_who_says_yes_is_back_and_signs_up_like_anybody(sandboxed: SandboxedSystem) -> None:
    """The lists are those of the sign-up; the table learns of it when the contact is looked up."""
    left(sandboxed)
    sandboxed.sign_up(SHORT)
    sandboxed.deliver()
    sandboxed.account.vendor.client.post("/_sandbox/confirm-return", json={"email": SHORT})
    contact = sandboxed.account.find(SHORT)
    assert contact["email_address"]["permission_to_send"] == "explicit"
    assert contact["list_memberships"] == [EVENTS_ID, PRESET_LIST_ID]
    sandboxed.later(SECOND)
    sandboxed.sign_up(SHORT, first_name="Ann")
    assert sandboxed.deliver() == [LOOKED, SENT]
    sandboxed.later(SECOND)
    sandboxed.sign_up(SHORT, last_name="Smith")
    assert sandboxed.deliver() == [SENT]


def test_the_second_stranger_changes_nothing(sandboxed: SandboxedSystem) -> None:
    """The vendor asks once; an admin sees that somebody asks again."""
    left(sandboxed)
    sandboxed.sign_up(SHORT)
    sandboxed.deliver()
    sandboxed.later(SECOND)
    again = sandboxed.sign_up(SHORT)
    assert sandboxed.deliver() == [LOOKED]
    assert (sandboxed.view(again).status, sandboxed.view(again).last_error) == ("parked", AskedBefore.plain)


def test_two_sign_ups_at_once_make_one_question_for_both_lists(sandboxed: SandboxedSystem) -> None:
    """Two sign-ups at once, as when a button is pressed twice."""
    contact_id = left(sandboxed)
    first, second = sandboxed.sign_up(SHORT), by_key(sandboxed, SHORT)
    assert sandboxed.deliver() == [LOOKED, asks(contact_id)]
    assert [sandboxed.view(each).status for each in (first, second)] == [ASKED, ASKED]


@pytest.mark.parametrize("status", [400, 404, 409])
def test_when_the_vendor_does_not_ask_a_person_decides(sandboxed: SandboxedSystem, status: int) -> None:
    """The vendor may have asked before; no other sign-up has to wait."""
    left(sandboxed)
    answer = [{"error_key": "contacts.api.validation.error", "error_message": "sent before"}]
    sandboxed.account.vendor.fault(path="/v3/contacts/resubscribe/", status=status, body=answer)
    signup_id = sandboxed.sign_up(SHORT)
    sandboxed.deliver()
    assert sandboxed.view(signup_id).status == "parked"
    assert str(sandboxed.view(signup_id).last_error).startswith(NotAsked.plain)
    assert sandboxed.quota.read().failures == 0


def test_with_accept_signing_up_brings_back(open_sandboxed: Callable[[Returning], SandboxedSystem]) -> None:
    """A new sign-up counts as the person's own action; an older one is still not sent."""
    sandboxed = open_sandboxed("accept")
    sandboxed.account.add(SHORT)
    older = sandboxed.sign_up(SHORT)
    sandboxed.later(MINUTE)
    leave(sandboxed)
    sandboxed.later(MINUTE)
    sandboxed.sign_up(SHORT)
    sandboxed.deliver()
    assert_left_alone(sandboxed, older)
    sandboxed.later(SECOND)
    assert sandboxed.deliver() == [LOOKED, SENT]
    assert sandboxed.account.find(SHORT)["email_address"]["permission_to_send"] == "explicit"


def test_with_hold_an_admin_decides(open_sandboxed: Callable[[Returning], SandboxedSystem]) -> None:
    """The sign-up waits with a sentence that says what to do."""
    sandboxed = open_sandboxed("hold")
    left(sandboxed)
    signup_id = sandboxed.sign_up(SHORT)
    assert sandboxed.deliver() == [LOOKED]
    assert sandboxed.view(signup_id).last_error == AsksToReturn.plain


@pytest.mark.parametrize("setting", ["confirm", "hold"])
def test_a_keys_holder_may_give_the_persons_word(
    open_sandboxed: Callable[[Returning], SandboxedSystem], setting: Returning
) -> None:
    """`"returning": "accept"`: the person said so, at a counter or by telephone."""
    sandboxed = open_sandboxed(setting)
    left(sandboxed)
    by_key(sandboxed, returning="accept")
    assert sandboxed.deliver() == [LOOKED, SENT]
    assert sandboxed.account.find(SHORT)["email_address"]["permission_to_send"] == "explicit"
    with sandboxed.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM opt_outs").scalar() == 0


def test_without_that_word_a_key_is_held_to_the_setting(sandboxed: SandboxedSystem) -> None:
    """A shop's server only passes on what was typed into its form."""
    contact_id = left(sandboxed)
    by_key(sandboxed)
    assert sandboxed.deliver() == [LOOKED, asks(contact_id)]


def test_a_stranger_who_says_accept_says_nothing(sandboxed: SandboxedSystem) -> None:
    """`returning` counts with an API key only."""
    contact_id = left(sandboxed)
    submission = read_json(
        f'{{"email": "{SHORT}", "list_id": "{PRESET_LIST_ID}", "returning": "accept"}}'.encode()
    )
    sandboxed.intake.accept(submission, ANONYMOUS, Evidence())
    assert sandboxed.deliver() == [LOOKED, asks(contact_id)]


def test_the_word_of_one_does_not_carry_a_strangers_sign_up(sandboxed: SandboxedSystem) -> None:
    """An accepted return does not take along another sign-up, and the vendor is not told of it."""
    left(sandboxed)
    own = by_key(sandboxed, returning="accept")
    strangers = sandboxed.sign_up(SHORT, first_name="Mallory")
    assert sandboxed.deliver() == [LOOKED, SENT]
    assert (sandboxed.view(own).status, sandboxed.view(strangers).status) == ("subscribed", "queued")
    bodies = [call["body"] for call in sandboxed.account.vendor.calls() if call["path"] == FORM[1]]
    assert not any("returning" in body for body in bodies)


@pytest.mark.parametrize("address", [SHORT, LONG])
def test_who_was_deleted_and_had_not_opted_out_comes_back_by_signing_up(
    sandboxed: SandboxedSystem, address: str
) -> None:
    """The contract: “Unlike unsubscribed contacts, deleted contacts can be revived”."""
    contact_id = sandboxed.account.add(address)
    sandboxed.account.edit("DELETE", f"/{contact_id}")
    sandboxed.later(HOUR)
    signup_id = sandboxed.sign_up(address)
    assert sandboxed.deliver()[:2] == [READ, LOOKED]
    assert sandboxed.view(signup_id).status == "subscribed"


def test_who_had_opted_out_before_being_deleted_is_not_revived(sandboxed: SandboxedSystem) -> None:
    """Deleting the contact does not undo the person's opt-out."""
    sandboxed.account.add(SHORT)
    contact_id = leave(sandboxed)
    sandboxed.later(10 * DAY)
    sandboxed.account.edit("DELETE", f"/{contact_id}")
    sandboxed.later(3 * DAY)
    signup_id = sandboxed.sign_up(SHORT)
    assert sandboxed.deliver()[:2] == [READ, LOOKED]
    assert sandboxed.view(signup_id).status == "parked"
    assert sandboxed.account.find(SHORT)["deleted_at"]


def test_an_address_that_turns_out_to_be_known_is_judged_as_well(sandboxed: SandboxedSystem) -> None:
    """The vendor says that a long address is known, before the table knows of the opt-out."""
    sandboxed.account.add(LONG)
    sandboxed.later(SECOND)
    contact_id = leave(sandboxed, LONG)
    sandboxed.later(SECOND)
    sandboxed.sign_up(LONG)
    assert sandboxed.deliver() == [(*CREATE, 409), LOOKED, asks(contact_id)]
