"""Which custom fields and tags a sign-up may use, and what is looked up for that."""

import json
from typing import Any

import pytest

from services.access.requester import ANONYMOUS, Requester
from services.account.fields_and_tags import Offered
from services.constant_contact.catalog import Choice, CustomField, Tag
from services.constant_contact.errors import Unreachable
from services.delivery.kinds.sign_up.send import SignUp
from services.errors import InvalidSubmission
from services.intake.parsing import read_json
from services.intake.record import Evidence
from store.signups.accept import NewSignup
from tests.services.conftest import System
from tests.services.vendor import NEWSLETTER

SHOP = Requester("api:12345678")
SIZE = CustomField("f-1", "Shoe size", "number")
SHIRT = CustomField("f-2", "T-shirt", "single_select", (Choice("1", "Small"), Choice("2", "Large")))
HOUR = 3_600_000


def take(system: System, asker: Requester, **more: Any) -> str:
    document = {"email": "ann@example.org", "list_ids": [NEWSLETTER.list_id], **more}
    return system.intake.accept(read_json(json.dumps(document).encode()), asker, Evidence()).id


def refused(system: System, asker: Requester, **more: Any) -> dict[str, str]:
    with pytest.raises(InvalidSubmission) as caught:
        take(system, asker, **more)
    return {error.field: error.message for error in caught.value.errors}


def stored(system: System) -> dict[str, Any]:
    """Return the change that the stored delivery makes."""
    return system.wish()


@pytest.fixture
def knowing(system: System) -> System:
    """A system whose caches of fields and tags were filled just now."""
    system.vendor.fields, system.vendor.made_tags = (SIZE, SHIRT), (Tag("t-1", "VIP"),)
    system.vocabulary.fields.fetch()
    system.vocabulary.tags.fetch()
    return system


@pytest.mark.parametrize("asker", [ANONYMOUS, SHOP])
def test_what_nobody_looked_up_yet_refuses_nobody_and_makes_no_call(system: System, asker: Requester) -> None:
    """With empty caches a sign-up is accepted without a call; names are looked up at delivery."""
    take(system, asker, custom_fields={"Shoe size": "big"}, tags=["VIP"])
    assert system.vendor.asked_for == []
    assert stored(system)["custom_fields"] == {"Shoe size": "big"}


@pytest.mark.parametrize("asker", [ANONYMOUS, SHOP])
def test_a_field_that_the_account_lacks_is_named(knowing: System, asker: Requester) -> None:
    """The error is at the input's name, and nothing is stored."""
    errors = refused(knowing, asker, custom_fields={"Shoe size": "42", "Hat size": "7"})
    assert set(errors) == {"custom_fields[Hat size]"}
    assert "no such custom field" in errors["custom_fields[Hat size]"]
    assert knowing.newest(10) == []


def test_a_value_of_another_type_is_refused_beside_its_field(knowing: System) -> None:
    errors = refused(knowing, ANONYMOUS, custom_fields={"shoe_size": "big", "T-shirt": "Huge"})
    assert set(errors) == {"custom_fields[shoe_size]", "custom_fields[T-shirt]"}


def test_a_value_is_stored_as_the_account_spells_it(knowing: System) -> None:
    take(knowing, ANONYMOUS, custom_fields={"T-shirt": "large"})
    assert stored(knowing)["custom_fields"] == {"T-shirt": "Large"}


def test_strangers_use_the_tags_that_there_are(knowing: System) -> None:
    """A stranger's tag is never made, also not when it was accepted with an empty cache."""
    errors = refused(knowing, ANONYMOUS, tags=["VIP", "Mine"])
    assert errors["tags"].endswith("(Mine)")
    take(knowing, ANONYMOUS, tags=["vip"])
    assert stored(knowing)["tags"] == {"vip": False}


def test_the_holder_of_a_key_names_new_tags(knowing: System) -> None:
    take(knowing, SHOP, tags=["VIP", "Bought shoes"])
    assert stored(knowing)["tags"] == {"VIP": True, "Bought shoes": True}


def test_old_knowledge_refuses_nobody(knowing: System) -> None:
    """An old cache refuses nothing: the field may have been made since."""
    knowing.clock.now += HOUR
    take(knowing, ANONYMOUS, custom_fields={"Hat size": "7"}, tags=["Mine"])
    assert stored(knowing)["custom_fields"] == {"Hat size": "7"}


@pytest.mark.parametrize("asker", [ANONYMOUS, SHOP])
def test_a_delivery_that_was_lost_is_made_again_as_it_was(knowing: System, asker: Requester) -> None:
    """The columns of the sign-up hold its fields, its tags, and whether they may be made."""
    take(knowing, asker, first_name="Ann", custom_fields={"Shoe size": "42"}, tags=["VIP"])
    with knowing.database.reading() as connection:
        row = connection.exec_driver_sql("SELECT * FROM signups").mappings().one()
    again = SignUp.restore(NewSignup.of_row(dict(row)))
    assert again == stored(knowing)
    assert again["tags"] == {"VIP": asker == SHOP}


def test_a_sign_up_with_neither_asks_for_neither(system: System) -> None:
    take(system, ANONYMOUS)
    assert set(stored(system)) == {"email_address", "list_memberships"}


def test_the_background_looks_up_one_of_both_at_a_time(system: System) -> None:
    """Each is fetched hourly, and not right after connecting, when the first sign-ups need the calls."""
    assert not system.vocabulary.keep_fresh()
    system.clock.now += 10_000
    assert system.vocabulary.keep_fresh()
    assert system.vendor.asked_for == ["custom_fields"]
    assert system.vocabulary.keep_fresh()
    assert not system.vocabulary.keep_fresh()
    assert system.vendor.asked_for == ["custom_fields", "tags"]
    system.clock.now += HOUR
    assert system.vocabulary.keep_fresh()


def test_an_admin_chooses_from_fields_that_are_minutes_old(system: System) -> None:
    """Where they were never fetched and cannot be, there is nothing to choose from."""
    system.vendor.lists_error = Unreachable()
    assert system.vocabulary.offered() == Offered((), ())
    system.vendor.lists_error, system.vendor.fields = None, (SIZE,)
    assert system.vocabulary.offered().fields == (SIZE,)
    system.vendor.fields, system.vendor.made_tags = (SIZE, SHIRT), (Tag("t-1", "VIP"),)
    assert system.vocabulary.offered() == Offered((SIZE,), ())
    system.clock.now += 300_000
    assert system.vocabulary.offered() == Offered((SIZE, SHIRT), (Tag("t-1", "VIP"),))
    assert system.vocabulary.custom_fields_known() == (SIZE, SHIRT)
