"""What happens next with a sign-up, in words."""

from dataclasses import replace

import pytest

from services.signups.advice import advice, moment
from store.signups.records import SignupRecord

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
