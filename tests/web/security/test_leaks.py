"""No token, code, verifier or client secret stands in clear anywhere: logs, answers, database, failures."""

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from oauth.encryption import TokenCipher
from oauth.errors import OAuthError
from sandbox import SANDBOX_CLIENT_SECRET
from services.errors import ServiceError
from store.connection.oauth_connection import OAuthConnections
from store.engine.database import Database
from store.schema.columns import metadata
from store.schema.connection import oauth_attempts
from tests.support.postgresql_server import new_database
from tests.web.conftest import API_KEY, MakeApp, sign_in

TOKEN_CALLS = {"path": "/oauth2/default/v1/token"}
API_CALLS = {"path": "/v3/"}


class Everything(logging.Handler):
    """Collects every record of every logger with its traceback, as a reader of the log would see it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        self.lines.append(f"{record.getMessage()} {record.__dict__} {trace}")


@pytest.fixture
def log() -> Iterator[Everything]:
    handler = Everything()
    names = ["", "urllib3", "werkzeug", "sqlalchemy", "alembic"]
    levels = {name: logging.getLogger(name).level for name in names}
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def app(request: pytest.FixtureRequest, make_app: MakeApp) -> Iterator[Flask]:
    if request.param == "sqlite":
        yield make_app()
        return
    with new_database(request.getfixturevalue("postgresql_url")) as url:
        made = make_app(DATABASE_URL=url)
        yield made
        made.extensions["parts"].database.close()


class Life:
    """A whole use of the service: connecting, working, failing; its secrets, and everything it showed."""

    def __init__(self, app: Flask, log: Everything) -> None:
        self.app, self.log = app, log
        self.database: Database = app.extensions["parts"].database
        self.sealer = TokenCipher(app.extensions["settings"].encryption_keys)
        self.secrets = {"client secret": SANDBOX_CLIENT_SECRET}
        self.shown: dict[str, str] = {}
        self.browser = app.test_client()

    def begin(self) -> None:
        for name in ("", "urllib3", "werkzeug", "sqlalchemy", "alembic"):
            # After the app has set its own levels.
            logging.getLogger(name).setLevel(logging.DEBUG)
        sign_in(self.browser)

    def connect(self) -> None:
        consent = self.browser.get("/oauth/start").location
        with self.database.reading() as connection:
            sealed = connection.scalar(select(oauth_attempts.c.verifier_sealed))
        self.secrets["verifier"] = self.sealer.unseal(str(sealed))
        back = urlsplit(self.browser.post(consent, data={"decision": "allow", "user": "owner"}).location)
        self.secrets["code"] = parse_qs(back.query)["code"][0]
        for attempt in ("callback", "callback again"):
            self.keep(attempt, self.browser.get(back.path, query_string=back.query))
        self.note_tokens()

    def note_tokens(self) -> None:
        row = OAuthConnections(self.database).read()
        for name, sealed in (("access", row.access_sealed), ("refresh", row.refresh_sealed)):
            self.secrets[f"{name} token {row.generation}"] = self.sealer.unseal(str(sealed))

    def fault(self, match: dict[str, str], effect: dict[str, Any]) -> None:
        order = {"match": match, "times": None, "fault": effect}
        assert self.browser.post("/sandbox/_sandbox/faults", json=order).status_code == 201

    def refresh(self, name: str) -> None:
        self.keep(name, str(self.app.extensions["services"].connection_control.refresh()))

    def call(self, name: str) -> None:
        try:
            self.app.extensions["services"].lists.read(refresh=True)
        except (ServiceError, OAuthError) as failure:
            self.keep(name, "".join(traceback.format_exception(failure)))

    def look_around(self) -> None:
        """Fetch every page as an admin, as a program and as a stranger; read every row of every table."""
        by_key = {"Authorization": f"Bearer {API_KEY}"}
        readers: list[tuple[str, FlaskClient, dict[str, str]]] = [
            ("admin", self.browser, {}),
            ("program", self.app.test_client(), by_key),
            ("stranger", self.app.test_client(), {}),
        ]
        paths = [str(rule) for rule in self.app.url_map.iter_rules() if not rule.arguments]
        for who, client, headers in readers:
            for path in [*paths, "/nothing", "/signups/none"]:
                for method in ("GET", "POST"):
                    if (method, path) not in {("POST", "/oauth/disconnect"), ("GET", "/oauth/start")}:
                        with client.open(path, method=method, headers=headers) as answer:
                            self.keep(f"{method} {path} as {who}", answer)
        with self.database.reading() as connection:
            for table in metadata.sorted_tables:
                self.keep(f"table {table.name}", str(connection.execute(select(table)).all()))

    def keep(self, place: str, answer: Any) -> None:
        self.shown[place] = answer if isinstance(answer, str) else f"{answer.headers}{answer.text}"


def leaks(life: Life, folder: Path) -> list[str]:
    """Return every place where a secret stands in clear."""
    files = {str(path): path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()}
    places = life.shown | files | {"the log": "\n".join(life.log.lines)}
    return [
        f"{name} in {place}"
        for place, text in places.items()
        for name, secret in life.secrets.items()
        if secret in text
    ]


@pytest.fixture
def life(app: Flask, log: Everything) -> Life:
    life = Life(app, log)
    life.begin()
    life.connect()
    life.refresh("a refresh")
    life.note_tokens()
    life.call("lists")
    life.fault(API_CALLS, {"status": 401, "body": {}})
    life.call("refused lists")
    life.note_tokens()
    effects: list[dict[str, Any]] = [{"garbage": True}, {"status": 400, "body": "no"}]
    for number, effect in enumerate(effects):
        life.browser.delete("/sandbox/_sandbox/faults")
        life.fault(TOKEN_CALLS, effect)
        life.refresh(f"failing refresh {number}")
    life.look_around()
    return life


def test_no_secret_stands_anywhere(life: Life, tmp_path: Path) -> None:
    """All logs at DEBUG, every page, JSON answer and metric, tracebacks, every table and file."""
    assert len(life.secrets) == 9, "three pairs, the code, the verifier, the client secret"
    assert len(life.shown) > 60
    assert any("POST" in line or "oauth" in line for line in life.log.lines)
    assert leaks(life, tmp_path) == []

    plant_leaks(life, tmp_path)
    found = " ".join(leaks(life, tmp_path))
    for place in ("the log", "table meta", "GET /", f"{tmp_path}/token-rescue"):
        assert f"refresh token 3 in {place}" in found, "a scan that finds nothing proves nothing"


def plant_leaks(life: Life, folder: Path) -> None:
    """Put a secret into each kind of place; the log's is in a traceback, at DEBUG."""
    secret = life.secrets["refresh token 3"]
    logging.getLogger("urllib3").debug("went wrong", exc_info=ValueError(secret))
    with life.database.transaction() as connection:
        connection.execute(metadata.tables["meta"].insert().values(key="k", value=secret))
        life.keep("table meta", str(connection.execute(select(metadata.tables["meta"])).all()))
    life.keep("GET /", f"<p>{secret}</p>")
    (folder / "token-rescue").write_text(f"x{secret}x")
