"""`flask signups`: what an operator types, reads and gets as an exit code."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from app import create_app
from settings import Settings
from store.engine.database import Database
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.signups.accept import Signups
from store.signups.batch import Judgement
from tests.store.conftest import accept
from tests.support.signups import bare_signup

NINE = 1_795_253_896_123  # 2026-11-21T09:38:16.123Z


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(Settings.from_env({"DATA_DIR": str(tmp_path), "DELIVERY": "off"}))
    yield app
    app.extensions["parts"].database.close()


@pytest.fixture
def store(app: Flask) -> Database:
    database: Database = app.extensions["parts"].database
    return database


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["signups", *words])


def park(store: Database, name: str, *, now: int = NINE + 1_000) -> None:
    accept(store, name, at=NINE)
    # A wait for the lock counts as time, and a busy machine makes it long.
    claimed = Deliveries(store, monotonic=lambda: 0.0).claim(now)
    assert isinstance(claimed, Claimed)
    Deliveries(store).park(claimed, now=now, error="Constant Contact refused it.")


def test_list_shows_the_newest_first_in_full(app: Flask, store: Database) -> None:
    """A line each: id, time in UTC, state, the whole address, the last error."""
    park(store, "s1")
    accept(store, "s2", at=NINE + 5)
    answer = run(app, "list")
    assert answer.exit_code == 0
    assert answer.stdout.splitlines() == [
        "s2  2026-11-21T09:38:16.128Z  ready      s2@example.org",
        "s1  2026-11-21T09:38:16.123Z  parked     s1@example.org  Constant Contact refused it.",
    ]


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["--state", "parked"], ["s1"]),
        (["--state", "merged"], []),
        (["--email", "S2@example.org"], ["s2"]),
        (["--limit", "1"], ["s3"]),
        (["--since", "2026-11-22"], ["s3"]),
        (["--since", "2026-11-21T10:38:16.124+01:00"], ["s3", "s2"]),
        (["--since", "2026-11-21T09:38:16.123Z"], ["s3", "s2", "s1"]),
        (["--state", "ready", "--since", "2026-11-21T09:38:17"], ["s3"]),
    ],
)
def test_list_narrows_by_its_options(app: Flask, store: Database, words: list[str], ids: list[str]) -> None:
    """State, address, number and time; a time without a zone is UTC."""
    park(store, "s1")
    accept(store, "s2", at=NINE + 1)
    accept(store, "s3", at=NINE + 86_400_000)
    answer = run(app, "list", *words)
    assert answer.exit_code == 0
    assert [line.split()[0] for line in answer.stdout.splitlines()] == ids
    assert ("No such sign-up." in answer.stderr) == (not ids)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["list", "--state", "lost"], "lost"),
        (["list", "--email", "ann@"], "ann@"),
        (["list", "--since", "yesterday"], "2026-11-21T09:30"),
        (["list", "--limit", "0"], "limit"),
        (["export", "--email", "ann@"], "ann@"),
        (["export", "--format", "xls"], "xls"),
        (["retry"], "--all-parked"),
        (["retry", "s1", "--all-parked"], "--all-parked"),
    ],
)
def test_mistakes_are_named(app: Flask, words: list[str], named: str) -> None:
    """Exit code 2 and a sentence, nothing on standard output."""
    answer = run(app, *words)
    assert answer.exit_code == 2
    assert answer.stdout == ""
    assert named in answer.stderr.splitlines()[-1]


def test_show_tells_everything_and_what_to_do(app: Flask, store: Database) -> None:
    """What was submitted, the evidence, each call with its outcome, the next step."""
    park(store, "s1")
    answer = run(app, "show", "s1")
    assert answer.exit_code == 0
    lines = answer.stdout.splitlines()
    for line in (
        "State            parked",
        "E-mail           s1@example.org",
        "First name       Ada",
        "Consent          v1",
        "Network address  192.0.2.1",
        "Last error       Constant Contact refused it.",
    ):
        assert line in lines
    assert "run `flask signups retry s1`." in lines[2]
    assert lines[-1].startswith(
        "Call             2026-11-21T09:38:17.123Z to 2026-11-21T09:38:17.123Z: parked"
    )


def test_show_knows_no_such_id(app: Flask) -> None:
    """Exit code 1 and the id."""
    answer = run(app, "show", "s9")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert "There is no sign-up s9." in answer.stderr


def test_retry_says_what_happens_next(app: Flask, store: Database) -> None:
    """Each id is answered; the sentence names who sends it."""
    park(store, "s1")
    answer = run(app, "retry", "s1")
    assert answer.exit_code == 0
    first, second = answer.stdout.splitlines()
    assert first == "s1 is due again."
    assert "`flask worker`" in second
    assert "ready" in run(app, "list").stdout


def test_retry_fails_when_one_of_them_was_not_parked(app: Flask, store: Database) -> None:
    """The others are retried nevertheless; those left alone are named on standard error."""
    park(store, "s1")
    accept(store, "s2", at=NINE)
    answer = run(app, "retry", "s2", "s1", "s3")
    assert answer.exit_code == 1
    assert answer.stdout.startswith("s1 is due again.")
    refused = answer.stderr.splitlines()
    assert any(line.startswith("s2 is not parked") for line in refused)
    assert "s3 is not known." in refused
    assert run(app, "retry", "s3").stdout == ""


def test_retry_of_all_parked_counts_them(app: Flask, store: Database) -> None:
    """Exit code 0, also when there are none."""
    park(store, "s1")
    park(store, "s2", now=NINE + 3_000)
    assert "Sign-ups that are due again: 2." in run(app, "retry", "--all-parked").stdout
    again = run(app, "retry", "--all-parked")
    assert (again.exit_code, again.stdout) == (0, "Sign-ups that are due again: 0.\n")


def test_export_prints_every_signup(app: Flask, store: Database) -> None:
    """CSV by default, lines of JSON on request; one person's alone by address."""
    accept(store, "s1", at=NINE)
    accept(store, "s2", at=NINE + 1)
    table = run(app, "export").stdout_bytes.decode().split("\r\n")
    assert table[0].startswith("\ufeffid,received_at,email,")
    assert [row.split(",")[0] for row in table[1:]] == ["s1", "s2", ""]
    lines = run(app, "export", "--format", "jsonl", "--email", "s2@example.org").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["s2"]


@pytest.mark.parametrize(
    "words", [["list"], ["show", "s1"], ["retry", "s1"], ["retry", "--all-parked"], ["export"]]
)
def test_a_broken_database_is_told_in_one_sentence(app: Flask, tmp_path: Path, words: list[str]) -> None:
    """Exit code 1, the way to the doctor, no traceback."""
    (tmp_path / "subscriber-sync.db").write_text("This is no database. " * 100)
    answer = run(app, *words)
    assert answer.exit_code == 1
    assert "flask doctor" in answer.stderr
    assert "Traceback" not in answer.output


def suspect(store: Database, name: str, *rules: str) -> None:
    signup = bare_signup(name, "ada@example.org", at=NINE)
    Signups(store).accept(
        signup, kind="sign_up", payload={}, judgement=Judgement(broken=rules or ("honeypot",))
    )


def test_suspected_ones_are_listed_with_their_reasons(app: Flask, store: Database) -> None:
    """A line each; that there is none is no output, so that a script may count lines."""
    assert run(app, "suspected", "list").stdout == ""
    suspect(store, "s1")
    assert run(app, "suspected", "list").stdout.splitlines() == [
        "s1  2026-11-21T09:38:16Z  ada@example.org  A field that people do not see was filled in."
    ]


def test_suspected_ones_are_released_by_their_ids(app: Flask, store: Database) -> None:
    """An id that does not wait is named, and makes the exit code 1."""
    suspect(store, "s1")
    answer = run(app, "suspected", "release", "s1")
    assert (answer.exit_code, answer.stdout) == (0, "s1 is due.\n")
    assert run(app, "list").stdout.startswith("s1 ")
    answer = run(app, "suspected", "release", "s1")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert "s1 does not wait here." in answer.stderr


def test_suspected_ones_are_decided_on_by_their_reason(app: Flask, store: Database) -> None:
    """All of a reason at once; neither ids nor a reason, or an unknown rule, is an error of usage."""
    suspect(store, "s1", "honeypot")
    suspect(store, "s2", "form_rate")
    suspect(store, "s3", "honeypot", "form_rate")
    assert len(run(app, "suspected", "list", "--reason", "form_rate").stdout.splitlines()) == 2
    assert len(run(app, "suspected", "list", "--email", "Ada@example.org").stdout.splitlines()) == 3
    assert run(app, "suspected", "list", "--email", "nobody").stdout == ""
    assert run(app, "suspected", "delete", "--reason", "honeypot").stdout == "2 sign-ups: each is deleted.\n"
    assert run(app, "suspected", "release", "--reason", "form_rate").stdout == "1 sign-up: each is due.\n"
    for words in (["delete"], ["release", "s1", "--reason", "form_rate"], ["release", "--reason", "x"]):
        assert run(app, "suspected", *words).exit_code == 2
    assert run(app, "suspected", "delete", "s1").exit_code == 1


OLD_LIST, NEW_LIST = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def test_retry_sends_what_waits_for_one_list_to_another(app: Flask, store: Database) -> None:
    """It says how many; what is no list's id, or is not the account's, is named."""
    accept(store, "s1", at=NINE)
    with store.transaction() as connection:
        connection.exec_driver_sql(
            f'UPDATE deliveries SET payload = \'{{"list_memberships":["{OLD_LIST}"]}}\''
        )
    answer = run(app, "retry", "--list", f"{OLD_LIST}={NEW_LIST}")
    assert answer.exit_code == 0
    assert answer.stdout.startswith("Sign-ups that go to the other list and are due: 1.")
    assert run(app, "retry", "--list", f"{OLD_LIST}={NEW_LIST}").stdout.splitlines() == [
        "Sign-ups that go to the other list and are due: 0."
    ]
    for words in ("Spring=Summer", OLD_LIST, f"{OLD_LIST}={OLD_LIST}"):
        assert run(app, "retry", "--list", words).exit_code == 2
    assert run(app, "retry", "s1", "--list", f"{OLD_LIST}={NEW_LIST}").exit_code == 2
    assert NEW_LIST in run(app, "show", "s1").stdout


def test_drop_ends_a_sign_up_with_a_reason_that_stays(app: Flask, store: Database) -> None:
    """Exit code 1 for one that cannot be dropped; without a reason nothing is."""
    park(store, "s1")
    assert run(app, "drop", "s1").exit_code == 2
    assert run(app, "drop", "s1", "--reason", " ").exit_code == 2
    answer = run(app, "drop", "s1", "--reason", "A test\nof ours")
    assert (answer.exit_code, answer.stdout) == (0, "s1 is dropped.\n")
    assert run(app, "drop", "s1", "--reason", "again").exit_code == 1
    shown = run(app, "show", "s1").stdout
    assert "Dropped: A test of ours" in shown
    assert "not to be sent" in shown
    assert "Dropped: A test of ours" in run(app, "export").stdout
    assert "s1" in run(app, "list", "--state", "dropped").stdout
