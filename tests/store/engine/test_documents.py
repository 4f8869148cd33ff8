"""JSON as it is stored, and what earlier releases stored."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from store.engine import documents
from store.engine.database import Database
from store.engine.files import checked_line, read_checked_line
from store.errors import RowRefused
from store.outbox import payloads
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.recovery.spool import Spool
from store.recovery.spool_import import SpoolImport
from store.schema.outbox import deliveries
from store.schema.signups import signups, suspected_signups
from store.signups.accept import Signups
from store.signups.records import SignupFilter, SignupRecords
from store.signups.suspected import SuspectedSignups
from tests.store.conftest import signup

# Texts that JSON escapes, and such as look like its escapes.
TEXT = st.text(alphabet='\\"/nrtu0006\n\r\t\b\x01\x02\x06é漢😀\ud800', max_size=20) | st.text(max_size=20)
VALUE = st.recursive(
    TEXT | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
)
quickly = settings(max_examples=300, derandomize=True, deadline=None)


@quickly
@given(value=VALUE)
def test_what_is_written_is_read_again(value: Any) -> None:
    """Any document can be written as UTF-8; documents that were written by another encoder are read, too."""
    text = documents.written(value)
    text.encode()
    assert documents.read(text) == value
    for earlier in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert documents.read(earlier) == value
    assert read_checked_line(checked_line("id", documents.written({"x": value}))) == (
        "id",
        {"x": value},
    )


@pytest.mark.parametrize("text", ['"', "\\", "\n", "\t", "é", "漢", "😀"])
def test_a_text_is_not_stored_longer_than_it_is(text: str) -> None:
    """No escape takes more bytes than its character, in a document nor in a document within one."""
    long = text * 1_000
    within = documents.rows_written({"signup": {"id": "s", "person": documents.written({"a": long})}})
    assert len(within.encode()) <= len(long.encode()) + 50


@quickly
@given(
    person=st.dictionaries(st.sampled_from(["first_name", "phone", "city"]), TEXT),
    fields=st.dictionaries(TEXT, TEXT | st.lists(TEXT, min_size=1), max_size=3),
    tags=st.lists(TEXT, unique=True, max_size=3),
    flag=st.booleans(),
)
def test_a_payload_is_whole_again(
    person: dict[str, str], fields: dict[str, Any], tags: list[str], flag: bool
) -> None:
    """To the last member, whichever of them the sign-up's row contains as well."""
    said: dict[str, Any] = {"email": "ada@example.org", "list_ids": ("l1", "l2"), "person": person}
    said |= {"custom_fields": fields or None, "tags": tags or None, "sms": None, "consent": "I agree."}
    payload = {
        "email_address": "ada@example.org",
        "list_memberships": ["l1", "l2"],
        **person,
        "street_address": {"kind": "home", "city": person.get("city", "x")},
        "custom_fields": fields,
        "tags": dict.fromkeys(tags, flag),
        "birthday_month": 5,
        "more": [True, "ada@example.org", {"x": "other"}],
    }
    text = payloads.compact(payload, said)
    row = {
        name: documents.written(value) if name in documents.COLUMNS and value is not None else value
        for name, value in said.items()
    }
    assert payloads.whole(text, row) == payload


def test_a_payload_says_nothing_a_second_time(database: Database) -> None:
    """A visitor's text stands in the sign-up's row only; the call gets the whole payload."""
    secret = "written once " * 10
    said = signup("s1")
    said = type(said)(**{**vars(said), "custom_fields": {secret: [secret, "b"]}, "tags": [secret, "c"]})
    payload = {
        "email_address": said.email,
        "list_memberships": list(said.list_ids),
        "custom_fields": {secret: [secret, "b"]},
        "tags": {secret: True, "c": True},
    }
    Signups(database).accept(said, kind="sign_up", payload=payload)
    with database.reading() as connection:
        assert (
            secret
            not in connection.scalars(deliveries.select().with_only_columns(deliveries.c.payload)).one()
        )
    claimed = Deliveries(database, monotonic=lambda: 0.0).claim(1_000)
    assert isinstance(claimed, Claimed)
    assert claimed.payload == payload


OLD_PERSON = {"first_name": 'Zo\u00eb "Q" \\', "city": "a\ud800b"}
OLD_ROW = vars(signup("old")) | {
    "person": json.dumps(OLD_PERSON),
    "list_ids": json.dumps(["l1"]),
    "custom_fields": json.dumps({"X": "a\ud800b"}),
    "tags": json.dumps(["T"]),
    "sms": None,
}
OLD_DELIVERY = {
    "signup_id": "old",
    "received_at": 0,
    "due_at": 0,
    "contact_key": "old@example.org",
    "kind": "sign_up",
    "payload": json.dumps({"email_address": "old@example.org", "custom_fields": {"X": "a\ud800b"}}),
    "state": "ready",
    "fence": 0,
    "attempts": 0,
}


def read_back(database: Database) -> None:
    (record,) = SignupRecords(database).all(SignupFilter())
    assert (record.person, record.list_ids, record.tags) == (OLD_PERSON, ("l1",), ("T",))
    assert record.custom_fields == {"X": "a\ud800b"}
    claimed = Deliveries(database, monotonic=lambda: 0.0).claim(1_000)
    assert isinstance(claimed, Claimed)
    assert claimed.payload == json.loads(str(OLD_DELIVERY["payload"]))


def test_rows_of_an_earlier_release_are_read(database: Database) -> None:
    """With their escapes, lone surrogates among them."""
    with database.transaction() as connection:
        connection.execute(insert(signups).values(OLD_ROW))
        connection.execute(insert(deliveries).values(documents.row_read(OLD_DELIVERY)))
    read_back(database)


def test_a_suspected_one_of_an_earlier_release_is_released(database: Database) -> None:
    """Its document has JSON as texts within JSON; its second copy is written as today."""
    document = json.dumps({"signup": OLD_ROW, "delivery": OLD_DELIVERY})
    row = {"id": "old", "received_at": 0, "reasons": '["honeypot"]', "document": document}
    with database.transaction() as connection:
        connection.execute(insert(suspected_signups).values(row))
    suspected = SuspectedSignups(database)
    (found,) = suspected.waiting(10)
    assert (found.person, found.reasons) == (OLD_PERSON, ("honeypot",))
    assert suspected.release("old", now=10)
    read_back(database)


def test_a_spooled_line_of_an_earlier_release_is_imported(database: Database, tmp_path: Any) -> None:
    """Written before the upgrade, brought in after it."""
    spool = Spool(tmp_path / "spool")
    body = json.dumps({"signup": OLD_ROW, "delivery": OLD_DELIVERY})
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "waiting").write_bytes(checked_line("old", body))
    assert SpoolImport(database, spool).run().signups == 1
    read_back(database)


def test_a_lone_surrogate_is_refused_by_its_row(database: Database) -> None:
    """Both engines refuse that row only, with a message that does not quote the value."""
    broken = type(signup("s1"))(**{**vars(signup("s1")), "source": "a\ud800b"})
    with pytest.raises(RowRefused, match="UTF-8"):
        Signups(database).accept(broken, kind="sign_up", payload={})
    with pytest.raises(RowRefused, match="UTF-8"):
        SignupRecords(database).find("a\ud800b")
