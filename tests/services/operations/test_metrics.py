"""The figures for Prometheus."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.access.requester import ANONYMOUS
from services.connection.states import WORDS
from services.constant_contact.errors import Rejected
from services.intake.parsing import read_form
from services.intake.record import Evidence
from services.operations.metrics import Metrics
from tests.services.conftest import System
from tests.services.vendor import NEWSLETTER

DAY = 86_400
NAMES = {
    "up",
    "connection_state",
    "token_expires_seconds",
    "token_last_success_timestamp_seconds",
    *("token_failures refresh_failing", "token_failures credentials_rejected"),
    "token_failures needs_reauthorization",
    "refresh_idle_days",
    "pending",
    "oldest_pending_seconds",
    "parked",
    "calls_today",
    "paused",
    *("suspected proven", "suspected unsure", "suspected junk"),
}


def figures(system: System) -> dict[str, float]:
    """Return what a scraper reads, by name without the common prefix."""
    metrics = Metrics(system.reader)
    text, _ = metrics.exposition("")
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            name = sample.name.removeprefix("subscriber_sync_")
            kind = sample.labels.get("class") or sample.labels.get("rank")
            found[sample.labels.get("state", f"{name} {kind}" if kind else name)] = sample.value
    return found


def sign_up(system: System) -> None:
    submission = read_form([("email", "ann@example.org"), ("list_id", NEWSLETTER.list_id)])
    system.intake.accept(submission, ANONYMOUS, Evidence())


def test_a_quiet_connected_service_shows_every_figure(system: System) -> None:
    """Each value that can be known is there; of the states exactly one is 1."""
    connected_at = system.clock.now
    system.clock.now += 3 * DAY * 1000
    found = figures(system)
    assert set(found) == NAMES - {"connection_state"} | set(WORDS)
    assert {state for state in WORDS if found[state]} == {"connected"}
    assert found["up"] == 1
    assert found["token_expires_seconds"] == -2 * DAY
    assert found["token_last_success_timestamp_seconds"] == connected_at / 1000
    assert found["refresh_idle_days"] == 3
    for name in ("pending", "oldest_pending_seconds", "parked", "calls_today", "paused"):
        assert found[name] == 0, name
    assert {found[name] for name in NAMES if name.startswith("token_failures")} == {0}


def test_the_backlog_and_what_was_refused_are_counted(system: System) -> None:
    """Pending, its age in seconds, parked, and the calls that were made."""
    system.lists.read()
    spent = system.quota.read().used
    system.vendor.script = [Rejected()]
    sign_up(system)
    system.attempt.step()
    sign_up(system)
    sign_up(system)
    system.clock.now += 90_500
    found = figures(system)
    assert (found["pending"], found["oldest_pending_seconds"], found["parked"]) == (2, 90.5, 1)
    assert found["calls_today"] == spent + 1


def test_yesterdays_calls_are_not_todays(system: System) -> None:
    """The count starts anew at 00:00 UTC, also before the new day's first call."""
    system.quota.reserve(system.clock.now)
    assert figures(system)["calls_today"] == 1
    system.clock.now += DAY * 1000
    assert figures(system)["calls_today"] == 0


def test_a_pause_shows_until_it_is_over(system: System) -> None:
    """A stored pause counts only until its end."""
    system.quota.pause(until=system.clock.now + 1_000, reason="away")
    assert figures(system)["paused"] == 1
    system.clock.now += 1_000
    assert figures(system)["paused"] == 0


@pytest.mark.parametrize("state", ["refresh_failing", "credentials_rejected", "needs_reauthorization"])
def test_failures_are_counted_by_class_and_another_state_is_the_one(system: System, state: str) -> None:
    """The new state is 1, the earlier one falls to 0."""
    system.connections.record_failure(
        generation=system.connections.read().generation, state=state, error="No.", next_refresh_at=None
    )
    found = figures(system)
    assert (found[state], found["connected"]) == (1, 0)
    failures = {name: found[name] for name in NAMES if name.startswith("token_failures")}
    assert {name for name, count in failures.items() if count} == {f"token_failures {state}"}
    assert sum(failures.values()) == 1


def test_what_is_not_known_is_left_out(system: System) -> None:
    """Without tokens there is no expiry, no success and no idleness: 0 would be a lie."""
    system.connections.disconnect(now=system.clock.now)
    found = figures(system)
    missing = {"token_expires_seconds", "token_last_success_timestamp_seconds", "refresh_idle_days"}
    assert set(found) == NAMES - missing - {"connection_state"} | set(WORDS)


def test_a_store_that_cannot_be_written_is_down(system: System) -> None:
    """Only `up` is there then: old values would hide the fault."""
    system.database.prepare()
    with system.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE meta RENAME TO meta_gone")
    assert figures(system) == {"up": 0}


def test_a_store_that_fails_half_way_is_down(system: System) -> None:
    """Where reading fails although writing works, there are no partial values and no exception."""
    system.database.prepare()
    with system.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE budget RENAME TO budget_gone")
    assert figures(system) == {"up": 0}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4"),
        ("text/plain;version=1.0.0", "text/plain; version=1.0.0"),
        ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text; version=1.0.0"),
    ],
)
def test_the_scraper_chooses_the_format(system: System, accept: str, content_type: str) -> None:
    """The content type names the format that the Accept header asked for; OpenMetrics ends with # EOF."""
    metrics = Metrics(system.reader)
    text, found = metrics.exposition(accept)
    assert found.startswith(content_type)
    assert text.endswith(b"# EOF\n") is ("openmetrics" in accept)
    assert b"subscriber_sync_up 1.0\n" in text


def test_what_is_kept_apart_is_counted_by_how_likely_it_is_a_persons(system: System) -> None:
    """Suspected sign-ups are counted by rank; an alert on the proven ones tells of people who wait."""
    for trap in ("x", "y"):
        system.sign_up(website=trap)
    found = figures(system)
    assert [found[f"suspected {rank}"] for rank in ("proven", "unsure", "junk")] == [0, 0, 2]
