"""Sign-ups in words for a terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.signups.advice import advice, line, moment, rows
from store.signups.records import CallRecord, SignupRecord

NOW = 1_795_253_896_123
RECORD = SignupRecord(
    id="s1",
    received_at=NOW,
    email="ann@example.org",
    person={"first_name": "Ann", "job_title": "Engineer"},
    list_ids=("list-1", "list-2"),
    source="footer",
    consent="I agree.\nEvery month.",
    page="https://example.org/",
    network_address="192.0.2.1",
    user_agent="Browser/1",
    asked_by="form",
    form="spring-news",
    consent_version=2,
    delivery_id=1,
    state="ready",
    attempts=0,
    last_error=None,
    due_at=NOW,
    finished_at=None,
    action=None,
    contact_id=None,
    merged_into=None,
)


def told(record: SignupRecord, *attempts: CallRecord) -> dict[str, str]:
    return dict(rows(record, attempts, "Nothing."))


def test_moments_are_iso_8601_in_utc() -> None:
    """To the millisecond, with the Z that says UTC."""
    assert moment(NOW) == "2026-11-21T09:38:16.123Z"
    assert moment(0) == "1970-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("state", "due_at", "said"),
    [
        ("delivered", None, "Nothing to do: Constant Contact has it."),
        ("merged", None, "carried it"),
        ("merged", None, " s0,"),
        ("parked", None, "`flask signups retry s1`"),
        ("sending", NOW + 60_000, "sent again at 2026-11-21T09:39:16.123Z"),
        ("ready", NOW + 1, "by itself at 2026-11-21T09:38:16.124Z"),
        ("ready", NOW, "goes out in its turn"),
    ],
)
def test_each_state_comes_with_what_to_do(state: str, due_at: int | None, said: str) -> None:
    """Nothing, wait until then, or what to run."""
    assert said in advice(replace(RECORD, state=state, due_at=due_at), carrier="s0", now=NOW)


def test_everything_known_has_a_row() -> None:
    """What was submitted, the evidence of consent, the outcome; empty things have none."""
    assert list(rows(RECORD, [], "Nothing.")) == [
        ("Sign-up", "s1"),
        ("State", "ready"),
        ("Next", "Nothing."),
        ("Received", "2026-11-21T09:38:16.123Z"),
        ("E-mail", "ann@example.org"),
        ("First name", "Ann"),
        ("Job title", "Engineer"),
        ("List", "list-1"),
        ("List", "list-2"),
        ("Form", "spring-news"),
        ("Source", "footer"),
        ("Consent", "I agree."),
        ("", "Every month."),
        ("Consent version", "2"),
        ("Page", "https://example.org/"),
        ("Network address", "192.0.2.1"),
        ("Browser", "Browser/1"),
        ("Asked by", "form"),
    ]
    done = replace(RECORD, contact_id="c-1", action="created", finished_at=NOW + 1, last_error="Refused.")
    assert told(replace(RECORD, referrer="https://x.example/"))["Came from"] == "https://x.example/"
    sms = {
        "number": "+17815551212",
        "consent": "Text me.",
        "consent_version": 3,
        "page": "https://x.example/",
    }
    texts = told(replace(RECORD, sms=sms))
    assert [texts[name] for name in ("Text messages", "SMS consent", "SMS version", "SMS page")] == [
        "+17815551212",
        "Text me.",
        "3",
        "https://x.example/",
    ]
    assert told(done)["Contact"] == "c-1 (created)"
    assert told(done)["Finished"] == "2026-11-21T09:38:16.124Z"
    assert told(done)["Last error"] == "Refused."
    assert told(replace(RECORD, consent=None))["Consent"] == "no wording was sent"
    assert {"Form", "Consent version"}.isdisjoint(told(replace(RECORD, form=None, consent_version=None)))


def test_where_a_person_lives_is_not_how_the_sign_up_stands() -> None:
    """Two rows, told apart by name."""
    known = dict(rows(replace(RECORD, person={"state": "Massachusetts"}), [], "Nothing."))
    assert (known["State"], known["Address state"]) == (RECORD.state, "Massachusetts")


def test_each_call_has_a_row_with_its_outcome() -> None:
    """From when to when and what came of it, or that nobody knows."""
    ended = CallRecord(1, NOW, NOW + 250, "delivered", ())
    refused = CallRecord(1, NOW, NOW + 250, "parked.", (), "No such field.")
    unknown = CallRecord(1, NOW + 60_000, None, None, ())
    assert [value for name, value in rows(RECORD, [ended, refused, unknown], "-") if name == "Call"] == [
        "2026-11-21T09:38:16.123Z to 2026-11-21T09:38:16.373Z: delivered",
        "2026-11-21T09:38:16.123Z to 2026-11-21T09:38:16.373Z: parked. Constant Contact said: No such field.",
        "2026-11-21T09:39:16.123Z: no outcome yet, or its process died",
    ]


def test_a_line_shows_the_address_in_full_and_the_last_error() -> None:
    """The operator's own data is not masked."""
    shown = line(replace(RECORD, state="parked", last_error="Refused."))
    assert shown == "s1  2026-11-21T09:38:16.123Z  parked     ann@example.org  Refused."


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x9b31m", "\x07", "\u202egro.elpmaxe"])
def test_what_strangers_wrote_cannot_steer_the_terminal(evil: str) -> None:
    """Escape sequences, bells and marks that turn the direction are replaced, in the list and in the case."""
    record = replace(RECORD, last_error=evil, user_agent=evil, consent=f"a\n{evil}", person={"x": evil})
    texts = [line(record), *(value for _, value in rows(record, [], evil))]
    assert all(text.isprintable() for text in texts)
    assert "�" in texts[0]


def test_custom_fields_and_tags_are_told_by_their_names() -> None:
    """What strangers wrote steers no terminal, the name neither."""
    said: dict[str, str | list[str]] = {
        "Shoe size": "42",
        "Topics": ["Chess", "Cooking"],
        "\x1b[31m": "x\x1b",
    }
    shown = told(replace(RECORD, custom_fields=said, tags=("VIP",)))
    assert (shown["“Shoe size”"], shown["“Topics”"], shown["Tag"]) == ("42", "Chess, Cooking", "VIP")
    assert "\x1b" not in "".join(shown) + "".join(shown.values())
