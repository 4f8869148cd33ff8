"""The commands for a shell: connection and doctor."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from app import create_app
from oauth.encryption import TokenCipher
from settings import Settings
from store.connection.oauth_connection import OAuthConnections
from store.errors import StoreError, StoreUnavailable
from tests.web.conftest import PASSWORD_HASH, connect, sign_in
from wiring import build_services
from wiring.clock import real_clock

ALONE = {"CONSTANT_CONTACT_CLIENT_ID": "sandbox-client", "CONSTANT_CONTACT_CLIENT_SECRET": "sandbox-secret"}
DAY = 86_400_000


class Control:
    """The connection's control; it remembers what it was told to do."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.refreshes = True
        self.fault: StoreError | None = None

    def refresh(self) -> tuple[bool, str]:
        self.done.append("refresh")
        if self.fault is not None:
            raise self.fault
        return self.refreshes, "It went like this."

    def disconnect(self) -> None:
        self.done.append("disconnect")

    def decryptable(self) -> bool:
        return True


MakeApp = Callable[..., Flask]


@pytest.fixture
def control() -> Control:
    return Control()


@pytest.fixture
def make_app(tmp_path: Path, control: Control) -> Iterator[MakeApp]:
    """Build an app whose connection is controlled by `control`."""
    made: list[Flask] = []

    def make(**environ: str) -> Flask:
        settings = Settings.from_env(
            {
                "APP_ENV": "development",
                "DATA_DIR": str(tmp_path),
                "ADMIN_PASSWORD": PASSWORD_HASH,
                "DELIVERY": "off",
            }
            | environ
        )
        parts = build_services(settings)
        services = replace(parts.services, connection_control=control)
        made.append(create_app(settings, replace(parts, services=services)))
        return made[-1]

    yield make
    for app in made:
        app.extensions["parts"].database.close()


@pytest.fixture
def connected(make_app: MakeApp) -> Flask:
    """An app that is connected to its built-in sandbox."""
    app = make_app()
    browser = app.test_client()
    sign_in(browser)
    connect(browser)
    return app


def run(app: Flask, *words: str, typed: str | None = None) -> Result:
    return app.test_cli_runner().invoke(args=words, input=typed)


def store_connection(app: Flask, *, age_ms: int) -> OAuthConnections:
    """Tokens that were issued `age_ms` ago, without a vendor."""
    connections = OAuthConnections(app.extensions["parts"].database)
    sealer = TokenCipher(app.extensions["settings"].encryption_keys)
    now = real_clock() - age_ms
    connections.store_connected(
        access_sealed=sealer.seal("access"),
        refresh_sealed=sealer.seal("refresh"),
        access_issued_at=now,
        access_expires_at=now + DAY,
        scope=None,
        now=now,
        account_id="a07e1l7rgxm",
        account_name="Cat Shelter",
        account_user="ann",
    )
    return connections


def test_status_of_a_connection_never_shows_a_token(connected: Flask) -> None:
    """State, sentence and ages with exit code 0, and neither a token nor its sealed form."""
    answer = run(connected, "connection", "status")
    assert answer.exit_code == 0, answer.output
    assert "State          connected\n" in answer.output
    assert "Constant Contact is connected." in answer.output
    assert "Access token   is " in answer.output
    assert "Refresh token  is " in answer.output
    assert "Idle days      0\n" in answer.output
    row = OAuthConnections(connected.extensions["parts"].database).read()
    sealer = TokenCipher(connected.extensions["settings"].encryption_keys)
    for sealed in (row.access_sealed, row.refresh_sealed):
        assert sealed is not None
        assert sealed not in answer.output
        assert sealer.unseal(sealed) not in answer.output


def test_status_tells_ages_and_account_in_plain_words(make_app: MakeApp) -> None:
    """Spans in a unit and the one below it; who is connected; how long it lasts."""
    app = make_app()
    store_connection(app, age_ms=3 * 3_600_000 + 5 * 60_000)
    answer = run(app, "connection", "status")
    assert answer.exit_code == 0
    assert "Account        Cat Shelter (a07e1l7rgxm), as ann\n" in answer.output
    assert "Access token   is 3 h 5 min old, ends in 20 h 54 min\n" in answer.output
    assert "Refresh token  is 3 h 5 min old, unused for 3 h 5 min\n" in answer.output
    assert "Last error" not in answer.output
    assert "Next refresh" not in answer.output


def test_status_of_a_failing_connection_names_the_error_and_the_next_try(make_app: MakeApp) -> None:
    """Every state but connected ends with exit code 1, for scripts."""
    app = make_app()
    connections = store_connection(app, age_ms=2 * DAY + 5_000)
    connections.record_failure(
        generation=connections.read().generation,
        state="refresh_failing",
        error="No answer.",
        next_refresh_at=real_clock() + 600_000,
    )
    answer = run(app, "connection", "status")
    assert answer.exit_code == 1
    assert "State          refresh_failing\n" in answer.output
    assert "Access token   is 2 d old, is over\n" in answer.output
    assert "Last error     No answer. (failures in a row: 1)\n" in answer.output
    assert re.search(r"^Next refresh   in 9 min 5\d s$", answer.output, re.MULTILINE)


def test_status_warns_of_a_connection_that_nobody_uses(make_app: MakeApp) -> None:
    """The days come with the sentence that says what they mean."""
    app = make_app()
    store_connection(app, age_ms=61 * DAY)
    assert "Idle days      61. The connection has not been used for 61 days." in (
        run(app, "connection", "status").output
    )


def test_status_without_a_connection_has_no_ages(make_app: MakeApp) -> None:
    """Without tokens there are no ages, and the exit code is 1."""
    answer = run(make_app(), "connection", "status")
    assert answer.exit_code == 1
    assert "State          disconnected\n" in answer.output
    assert "token " not in answer.output


def test_refresh_prints_the_outcome(make_app: MakeApp, control: Control) -> None:
    """The command refreshes once, prints the sentence and ends with the code of its outcome."""
    app = make_app(**ALONE)
    store_connection(app, age_ms=0)
    control.refreshes = False
    answer = run(app, "connection", "refresh")
    assert (answer.exit_code, answer.output) == (1, "It went like this.\n")
    control.refreshes = True
    assert run(app, "connection", "refresh").exit_code == 0
    assert control.done == ["refresh", "refresh"]


def test_refresh_leaves_the_built_in_sandbox_alone(make_app: MakeApp, control: Control) -> None:
    """The command's process has a sandbox of its own, which would refuse the token of the other for good."""
    answer = run(make_app(), "connection", "refresh")
    assert answer.exit_code == 1
    assert "flask sandbox" in answer.output
    assert control.done == []


@pytest.mark.parametrize(
    ("options", "typed", "done"),
    [([], "n\n", []), ([], "\n", []), ([], "y\n", ["disconnect"]), (["--yes"], None, ["disconnect"])],
)
def test_disconnect_asks_first(
    make_app: MakeApp, control: Control, options: list[str], typed: str | None, done: list[str]
) -> None:
    """Only a yes forgets the tokens; the question says that sign-ups stay."""
    answer = run(make_app(), "connection", "disconnect", *options, typed=typed)
    assert control.done == done
    assert (answer.exit_code == 0) is bool(done)
    assert ("Disconnected." in answer.output) is bool(done)
    assert ("Sign-ups stay" in answer.output) is (not options)


def test_the_audit_says_who_connected(connected: Flask) -> None:
    """There is one admin; whatever the service does by itself has no actor."""
    by_kind = {event.kind: event.actor for event in connected.extensions["services"].audit(10)}
    assert by_kind["connected"] == "admin"


def test_doctor_ends_with_1_as_long_as_there_is_a_problem(make_app: MakeApp) -> None:
    """The doctor prints a line per check; warnings alone end with 0."""
    app = make_app(PUBLIC_BASE_URL="https://signup.example.org/", **ALONE)
    answer = run(app, "doctor")
    assert answer.exit_code == 1
    assert "problem: Constant Contact is not connected yet. — Press Connect at /admin/.\n" in answer.output
    assert "to the letter: https://signup.example.org/oauth/callback\n" in answer.output
    assert "DELIVERY=off" in answer.output
    store_connection(app, age_ms=0)
    answer = run(app, "doctor")
    assert answer.exit_code == 0, answer.output
    assert "warning: The account's lists are not known" in answer.output
    assert {line.split(":")[0] for line in answer.output.splitlines()} == {"ok", "warning"}


def test_doctor_tries_the_keys(make_app: MakeApp) -> None:
    """Tokens sealed with a key that is no longer set are a problem with its cure."""
    store_connection(make_app(), age_ms=0)
    answer = run(make_app(ENCRYPTION_KEYS="another key of thirty-two letters"), "doctor")
    assert answer.exit_code == 1
    assert "problem: ENCRYPTION_KEYS do not open the stored tokens. — Put the earlier key" in answer.output


def test_doctor_uses_the_network_only_when_asked(make_app: MakeApp) -> None:
    """`--online` looks for the hosts in the settings; without it no name is resolved."""
    urls = {
        "CONSTANT_CONTACT_API_URL": "http://127.0.0.1:1/v3",
        "CONSTANT_CONTACT_AUTH_URL": "http://127.0.0.1:1/a",
    }
    app = make_app(**ALONE, **urls)
    assert "in the DNS" not in run(app, "doctor").output
    assert run(app, "doctor", "--online").output.count("127.0.0.1 is found in the DNS.") == 1


def test_a_certificate_file_that_went_missing_is_named_wherever_one_looks(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dashboard, /health and `doctor --online` name the file; no page fails, and no try is used up."""
    gone = tmp_path / "company-ca.pem"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(gone))
    urls = {
        "CONSTANT_CONTACT_API_URL": "https://127.0.0.1:1/v3",
        "CONSTANT_CONTACT_AUTH_URL": "https://127.0.0.1:1/a",
    }
    app = make_app(**ALONE, **urls, PUBLIC_LIST_IDS="11111111-1111-4111-8111-111111111111")
    store_connection(app, age_ms=0)
    client = app.test_client()
    sign_in(client)
    said = f"the certificate file {gone} is missing"
    page = client.get("/admin/")
    assert (page.status_code, said in page.text) == (200, True)
    form = {"email": "ann@example.org", "list_id": "11111111-1111-4111-8111-111111111111"}
    assert client.post("/subscribe", json=form).status_code == 202
    run(app, "drain", "--seconds", "1")
    problems = " ".join((client.get("/health").json or {})["problems"])
    assert said in problems
    assert said in client.get("/admin/").text
    answer = run(app, "doctor", "--online")
    assert answer.output.count(f"127.0.0.1 cannot be used: {said}") == 2


@pytest.mark.parametrize("words", [("connection", "status"), ("connection", "refresh")])
def test_a_dead_database_is_told_without_a_traceback(
    make_app: MakeApp, control: Control, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """One sentence with the cause and where to learn more; `flask doctor` itself still works."""
    (tmp_path / "file").touch()
    control.fault = StoreUnavailable("no such folder")
    app = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/file/x.db", **ALONE)
    answer = run(app, *words)
    assert answer.exit_code == 1
    assert "The database cannot be used (`flask doctor` says more): " in answer.output
    assert "Traceback" not in answer.output
    assert "problem: The database at " in run(app, "doctor").output


def test_doctor_says_what_production_would_not_start_with(make_app: MakeApp) -> None:
    """In development a weak secret is a warning, and the exit code stays the same."""
    weak = {"SECRET_KEY": "dev", "API_KEYS": "k1"}
    answer, without = run(make_app(**weak), "doctor"), run(make_app(), "doctor")
    assert "warning: SECRET_KEY is easily guessed" in answer.output
    assert "warning: API_KEYS is easily guessed" in answer.output
    assert answer.exit_code == without.exit_code
