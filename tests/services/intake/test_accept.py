"""Accepting a sign-up."""

import json
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from services.access.requester import ANONYMOUS, Requester
from services.errors import InvalidSubmission, KeyReused, StorageUnavailable
from services.intake.idempotency import Handling
from services.intake.parsing import read_form
from services.intake.record import Evidence
from services.submission.fields import Submission
from store.recovery.spool_import import SpoolImport
from tests.services.conftest import System
from tests.services.vendor import EVENTS, NEWSLETTER

SHOP = Requester("api:12345678")
UNKNOWN = "99999999-9999-4999-8999-999999999999"


def submission(*list_ids: str, email: str = "ann@example.org") -> Submission:
    return read_form([("email", email), *(("list_ids", list_id) for list_id in list_ids)])


def test_an_anonymous_form_joins_public_lists_only(system: System) -> None:
    """A list outside PUBLIC_LIST_IDS is refused by its id, and nothing is stored."""
    with pytest.raises(InvalidSubmission) as caught:
        system.intake.accept(submission(NEWSLETTER.list_id, EVENTS.list_id), ANONYMOUS, Evidence())
    assert caught.value.errors[0].field == "list_ids"
    assert EVENTS.list_id in caught.value.errors[0].message
    assert system.newest(10) == []


def test_an_api_key_joins_any_list_of_the_account(system: System) -> None:
    """With the lists known, only an id that the account lacks is refused."""
    system.lists.read()
    assert system.intake.accept(submission(EVENTS.list_id), SHOP, Evidence()).status == "queued"
    with pytest.raises(InvalidSubmission, match="another look"):
        system.intake.accept(submission(UNKNOWN), SHOP, Evidence())
    assert len(system.newest(10)) == 1


def test_before_the_lists_are_known_an_api_key_is_believed(system: System) -> None:
    """The vendor may be away: a sign-up is not refused for what cannot be known."""
    assert system.intake.accept(submission(UNKNOWN), SHOP, Evidence()).status == "queued"
    assert system.vendor.pages == []


def test_old_knowledge_refuses_nobody(system: System) -> None:
    """A list may have been made since: lists fetched over an hour ago decide nothing."""
    system.lists.read()
    system.clock.now += 3_600_001
    assert system.intake.accept(submission(UNKNOWN), SHOP, Evidence()).status == "queued"


def test_the_evidence_of_consent_is_kept(system: System) -> None:
    """Who asked, from where and with which words stands beside the sign-up."""
    evidence = Evidence(
        page="https://www.example.org/join", network_address="192.0.2.1", user_agent="Firefox"
    )
    given = read_form(
        [
            ("email", "ann@example.org"),
            ("list_id", NEWSLETTER.list_id),
            ("source", "footer"),
            ("consent", "Yes, v3"),
        ]
    )
    system.intake.accept(given, ANONYMOUS, evidence)
    with system.database.reading() as connection:
        row = connection.exec_driver_sql("SELECT * FROM signups").mappings().one()
    assert (row["page"], row["network_address"], row["user_agent"]) == (
        "https://www.example.org/join",
        "192.0.2.1",
        "Firefox",
    )
    assert (row["consent"], row["source"], row["asked_by"]) == ("Yes, v3", "footer", "form")


def refuse(system: System) -> None:
    with system.database.transaction() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON deliveries BEGIN SELECT RAISE(ABORT, 'full'); END"
        )


def take_back(system: System) -> None:
    with system.database.transaction() as connection:
        connection.exec_driver_sql("DROP TRIGGER full")


def test_what_the_store_refuses_waits_in_the_spool(system: System) -> None:
    """It is queued under the id that was given, before the import and after."""
    refuse(system)
    verdict = system.intake.accept(submission(NEWSLETTER.list_id), SHOP, Evidence())
    assert verdict.status == "queued"
    assert system.newest(10) == []
    waiting = system.statuses.status(verdict.id)
    take_back(system)
    assert SpoolImport(system.database, system.spool).run().signups == 1
    assert waiting is not None
    assert waiting.status == "queued"
    imported = system.statuses.status(verdict.id)
    assert imported is not None
    assert imported.status == "queued"
    assert [entry.email for entry in system.newest(10)] == ["ann@example.org"]
    system.attempt.step()
    assert system.vendor.signed_up[0]["email_address"] == "ann@example.org"


def test_a_key_that_cannot_be_looked_up_turns_nobody_away(system: System) -> None:
    """While the store is away a sign-up with an Idempotency-Key goes to the spool as any other."""
    with system.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE idempotency_keys RENAME TO elsewhere")
    keyed = Handling(key="k-1")
    assert system.intake.accept(submission(NEWSLETTER.list_id), SHOP, Evidence(), keyed).status == "queued"
    assert system.spool.count() == 1


def test_a_taken_key_does_not_count_as_a_store_that_is_away(system: System) -> None:
    """The repeat hears of the first sign-up, and nothing goes to the spool."""
    keyed, shop = Handling(key="k-1"), Requester("api:12345678")
    first = system.intake.accept(submission(NEWSLETTER.list_id), shop, Evidence(), keyed)
    with pytest.raises(KeyReused):
        system.intake.accept(submission(NEWSLETTER.list_id, email="b@example.org"), shop, Evidence(), keyed)
    assert system.intake.accept(submission(NEWSLETTER.list_id), shop, Evidence(), keyed).id == first.id
    assert system.spool.count() == 0


def test_a_key_taken_at_the_same_time_leads_to_the_one_sign_up(system: System) -> None:
    """Both look for the key in vain and wait for the turn to write; the second is told of the first."""
    keyed = Handling(key="k-1")
    given = submission(NEWSLETTER.list_id)
    with ThreadPoolExecutor(2) as pool:
        with system.database.transaction():
            both = [pool.submit(system.intake.accept, given, ANONYMOUS, Evidence(), keyed) for _ in range(2)]
            wait(both, timeout=0.3)
        ids = {each.result().id for each in both}
    assert len(ids) == len(system.newest(10)) == 1
    assert system.spool.count() == 0


def test_after_a_refusal_the_next_ones_do_not_wait_for_the_store(system: System) -> None:
    """A store that is away costs one time-out in two seconds, not one for each sign-up."""
    refuse(system)
    system.intake.accept(submission(NEWSLETTER.list_id), ANONYMOUS, Evidence())
    take_back(system)
    system.intake.accept(submission(NEWSLETTER.list_id), ANONYMOUS, Evidence())
    assert system.spool.count() == 2
    system.clock.now += 2_001
    system.intake.accept(submission(NEWSLETTER.list_id), ANONYMOUS, Evidence())
    assert system.spool.count() == 0
    system.clock.now -= 3_600_000
    system.intake.accept(submission(NEWSLETTER.list_id), ANONYMOUS, Evidence())
    assert len(system.newest(10)) == 4


def test_what_was_spooled_is_stored_before_what_comes_later(system: System) -> None:
    """Else an older wish of the same person would be sent last, and win."""
    refuse(system)
    older = system.intake.accept(submission(NEWSLETTER.list_id), ANONYMOUS, Evidence())
    take_back(system)
    system.clock.now += 2_001
    newer = system.intake.accept(submission(NEWSLETTER.list_id), ANONYMOUS, Evidence())
    with system.database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT source_id FROM deliveries ORDER BY id").scalars().all()
    assert rows == [older.id, newer.id]


def test_while_the_spool_is_brought_in_elsewhere_later_ones_wait_in_it(system: System) -> None:
    """Two processes may notice at the same time that the store is back."""
    refuse(system)
    system.intake.accept(submission(NEWSLETTER.list_id), ANONYMOUS, Evidence())
    take_back(system)
    system.clock.now += 2_001
    with system.spool.set_aside():
        system.intake.accept(submission(NEWSLETTER.list_id), ANONYMOUS, Evidence())
        assert system.newest(10) == []
    system.intake.accept(submission(NEWSLETTER.list_id), ANONYMOUS, Evidence())
    assert len(system.newest(10)) == 3


def test_lists_that_cannot_be_looked_up_refuse_nobody(system: System) -> None:
    """The holder of an API key is believed while the store is away."""
    system.lists.read()
    with system.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE meta RENAME TO meta_gone")
    assert system.intake.accept(submission(UNKNOWN), SHOP, Evidence()).status == "queued"


def test_a_store_and_a_spool_that_refuse_are_said_and_not_thanked(system: System, tmp_path: Path) -> None:
    """When nothing can be written there is no verdict but StorageUnavailable."""
    refuse(system)
    (tmp_path / "spool").touch()
    with pytest.raises(StorageUnavailable):
        system.intake.accept(submission(NEWSLETTER.list_id), ANONYMOUS, Evidence())
    assert system.newest(10) == []


def test_an_unknown_id_has_no_status(system: System) -> None:
    """Nobody's id is nobody's sign-up."""
    assert system.statuses.status("nobody") is None


def test_ids_are_distinct_and_sort_by_time(system: System) -> None:
    """A UUIDv7 carries its millisecond in front and cannot be guessed from another."""
    first = system.intake.accept(submission(NEWSLETTER.list_id), ANONYMOUS, Evidence()).id
    system.clock.now += 1
    second = system.intake.accept(submission(NEWSLETTER.list_id), ANONYMOUS, Evidence()).id
    assert first < second
    assert first[14] == second[14] == "7"
    assert first[19] in "89ab"
    assert int(second[:8] + second[9:13], 16) == system.clock.now
    assert first[20:] != second[20:]


def test_the_vendor_gets_what_was_said_in_its_own_words(system: System) -> None:
    """Flat fields of a form become its phone number, birthday and one home address; nothing empty is sent."""
    given = read_form(
        [
            ("email", "ann@example.org"),
            ("list_id", NEWSLETTER.list_id),
            ("first_name", "Ann"),
            ("phone", "555 0100"),
            ("birthday_month", "02"),
            ("birthday_day", "29"),
            ("anniversary", "2006-11-15"),
            ("street", "1 High St"),
            ("city", "Boston"),
            ("country", ""),
        ]
    )
    system.intake.accept(given, ANONYMOUS, Evidence())
    system.attempt.step()
    assert system.vendor.signed_up == [
        {
            "email_address": "ann@example.org",
            "list_memberships": [NEWSLETTER.list_id],
            "first_name": "Ann",
            "phone_number": "555 0100",
            "birthday_month": 2,
            "birthday_day": 29,
            "anniversary": "2006-11-15",
            "street_address": {"kind": "home", "street": "1 High St", "city": "Boston"},
        }
    ]
    with system.database.reading() as connection:
        kept = json.loads(connection.exec_driver_sql("SELECT person FROM signups").scalar_one())
    assert kept == {name: value for name, value in given.person.items() if value}
    assert (kept["birthday_month"], kept["street"]) == ("2", "1 High St")


def test_who_says_nothing_about_themselves_changes_nothing(system: System) -> None:
    """An empty address or birthday would wipe what the contact has."""
    system.intake.accept(submission(NEWSLETTER.list_id), ANONYMOUS, Evidence())
    system.attempt.step()
    assert set(system.vendor.signed_up[0]) == {"email_address", "list_memberships"}
