"""Consents that are not what they look like, against the sandbox's authorization server."""

import base64
import hashlib
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from store.connection.oauth_connection import OAuthConnections
from tests.web.conftest import connect


def an_attackers_code(app: Flask, consent: str, challenge: str | None) -> str:
    """A good code of the attacker's own consent, for the same application and address."""
    parts = urlsplit(consent)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if challenge is None:
        del query["code_challenge"], query["code_challenge_method"]
    else:
        query["code_challenge"] = challenge
    own = urlunsplit(parts._replace(query=urlencode(query)))
    back = app.test_client().post(own, data={"decision": "allow", "user": "owner"}).location
    return parse_qs(urlsplit(back).query)["code"][0]


def test_pressing_connect_again_and_again_is_slowed_down(app: Flask, admin: FlaskClient) -> None:
    """Thirty attempts in a quarter of an hour are stored, however many are begun."""
    # Twice over: a quarter of an hour may end meanwhile, and with it the count.
    answers = [admin.get("/oauth/start") for _ in range(62)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert 2 <= len(refused) <= 32
    assert all(1 <= int(answer.headers["Retry-After"]) <= 900 for answer in refused)


CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(b"an attacker's").digest()).rstrip(b"=").decode()


@pytest.mark.parametrize("challenge", [CHALLENGE, None], ids=["own challenge", "no challenge"])
@pytest.mark.parametrize("before", ["never connected", "connected"])
def test_a_code_of_somebody_elses_consent_connects_nothing(
    app: Flask, admin: FlaskClient, challenge: str | None, before: str
) -> None:
    """Code injection: with our state and cookie, but a code that our verifier does not fit (RFC 9700 4.5)."""
    if before == "connected":
        connect(admin)
    connections = OAuthConnections(app.extensions["parts"].database)
    row = connections.read()
    consent = admin.get("/oauth/start").location
    state = parse_qs(urlsplit(consent).query)["state"][0]
    code = an_attackers_code(app, consent, challenge)
    answer = admin.get("/oauth/callback", query_string={"state": state, "code": code})
    assert answer.status_code == 502
    assert "too old or already used" in answer.text
    assert connections.read() == row
