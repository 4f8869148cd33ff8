"""Sign-ups as text for a terminal."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from services.signups.text import lines_of, signup_line, signup_rows
from store.signups.records import CallRecord, SignupRecord
from tests.services.signups.test_advice import NOW, RECORD


def rows(record: SignupRecord, attempts: Iterable[CallRecord], what_next: str) -> list[tuple[str, str]]:
    return list(lines_of(signup_rows(record, attempts, what_next)))


def told(record: SignupRecord, *attempts: CallRecord) -> dict[str, str]:
    return dict(rows(record, attempts, "Nothing."))


def test_everything_known_has_a_row() -> None:
    """What was submitted, the evidence of consent, the outcome; empty things have none."""
    assert rows(RECORD, [], "Nothing.") == [
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
    """A person's state and the delivery's state are two rows with different names."""
    known = dict(rows(replace(RECORD, person={"state": "Massachusetts"}), [], "Nothing."))
    assert (known["State"], known["Address state"]) == (RECORD.state, "Massachusetts")


def test_each_call_has_a_row_with_its_outcome() -> None:
    """A row gives start, end and outcome, or that the outcome is not known."""
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
    shown = signup_line(replace(RECORD, state="parked", last_error="Refused."))
    assert shown == "s1  2026-11-21T09:38:16.123Z  parked     ann@example.org  Refused."


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x9b31m", "\x07", "\u202egro.elpmaxe"])
def test_what_strangers_wrote_cannot_steer_the_terminal(evil: str) -> None:
    """Escape sequences, bells and direction marks are replaced, in the list and in the details."""
    record = replace(RECORD, last_error=evil, user_agent=evil, consent=f"a\n{evil}", person={"x": evil})
    texts = [signup_line(record), *(value for _, value in rows(record, [], evil))]
    assert all(text.isprintable() for text in texts)
    assert "�" in texts[0]


def test_custom_fields_and_tags_are_told_by_their_names() -> None:
    """Neither names nor values that strangers wrote can steer the terminal."""
    said: dict[str, str | list[str]] = {
        "Shoe size": "42",
        "Topics": ["Chess", "Cooking"],
        "\x1b[31m": "x\x1b",
    }
    shown = told(replace(RECORD, custom_fields=said, tags=("VIP",)))
    assert (shown["“Shoe size”"], shown["“Topics”"], shown["Tag"]) == ("42", "Chess, Cooking", "VIP")
    assert "\x1b" not in "".join(shown) + "".join(shown.values())
