"""The connection under real processes: slow and failing token calls, and what leaks."""

import itertools
import re
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import requests

from oauth.encryption import TokenCipher
from sandbox import PRESET_LIST_ID
from store.connection.oauth_connection import OAuthConnections
from store.engine.database import Database
from tests.end_to_end.consent import connect
from tests.end_to_end.processes import Deployment, wait_for

TOKEN_PATH = "/oauth2/default/v1/token"


@pytest.fixture
def short_lived(tmp_path: Path) -> Iterator[Deployment]:
    """A deployment, not yet connected, whose vendor hands out tokens for ten seconds."""
    deployment = Deployment(tmp_path, preset_list=PRESET_LIST_ID)
    deployment.start()
    control(deployment, "settings", {"access_token_seconds": 10, "grace_seconds": 0})
    yield deployment
    deployment.stop()


def control(deployment: Deployment, name: str, document: dict[str, Any]) -> None:
    requests.post(f"{deployment.sandbox_base}/_sandbox/{name}", json=document, timeout=5).raise_for_status()


def answer_times(deployment: Deployment, *, seconds: float, name: str) -> list[float]:
    """Post sign-ups one after another; how long each answer took, in seconds."""
    # Connecting has used up the quota of its own second.
    time.sleep(1.2)
    times: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        answer = deployment.subscribe(f"{name}{len(times)}@example.org")
        times.append(time.monotonic() - began)
        assert answer.status_code in {201, 202}
        time.sleep(0.3)
    return times


def test_a_slow_token_call_makes_no_visitor_wait(short_lived: Deployment) -> None:
    """A token call of 8 s, and the seconds without a token that it brings, show in no answer's time."""
    connect(short_lived)
    control(short_lived, "faults", {"match": {"path": TOKEN_PATH}, "times": None, "fault": {"delay": 8}})
    slow = answer_times(short_lived, seconds=10, name="slow")
    log = requests.get(f"{short_lived.sandbox_base}/_sandbox/requests", timeout=5).json()["requests"]
    assert {"delay": 8} in [call["fault"] for call in log]
    # Half of the 1.2 s of SUBSCRIBE_WAIT_SECONDS, and of the vendor's 8 s: a busy machine may hold up one
    # answer, but not half of them.
    assert median(slow) < 0.6
    assert max(slow) < 4
    short_lived.heal()
    wait_for("the queue to drain", lambda: short_lived.health()["pending"] == 0, seconds=40)
    assert short_lived.health()["connection"] == "connected"


def test_one_refresh_per_expiry_and_no_reconnect(short_lived: Deployment) -> None:
    """Two processes, rotating tokens, no grace: two expiries, as many refreshes, nothing revoked."""
    connect(short_lived)
    answer_times(short_lived, seconds=22, name="steady")
    counters = short_lived.sandbox_state()["counters"]
    assert counters["reuse_revocations"] == 0
    assert 2 <= counters["refreshes"] <= 3
    wait_for("the queue to drain", lambda: short_lived.health()["pending"] == 0, seconds=20)
    assert short_lived.health()["connection"] == "connected"


def test_no_token_and_no_secret_is_found_anywhere(short_lived: Deployment) -> None:
    """Logs, every page and JSON answer, and the database file hold no token, code or key in clear."""
    browser = connect(short_lived)
    numbers = itertools.count()
    while short_lived.sandbox_state()["counters"]["refreshes"] < 1:
        answer_times(short_lived, seconds=1, name=f"leak{next(numbers)}-")
    row = read_row(short_lived)
    sealer = TokenCipher([short_lived.encryption_key])
    secrets = [sealer.unseal(row.access_sealed or ""), sealer.unseal(row.refresh_sealed or "")]
    secrets += ["sandbox-secret", short_lived.secret_key, short_lived.encryption_key, short_lived.password]
    base, key = short_lived.base, {"Authorization": f"Bearer {short_lived.api_key}"}
    pages = [
        browser.get(f"{base}{path}", timeout=10) for path in ("/", "/admin/", "/health", "/lists", "/nothing")
    ]
    pages += [requests.get(f"{base}{path}", headers=key, timeout=10) for path in ("/lists", "/metrics")]
    pages += [browser.get(f"{base}/oauth/callback?code=code-of-a-stranger&state=st4te", timeout=10)]
    places = {answer.url: answer.text + str(answer.headers) for answer in pages}
    places |= {path.name: path.read_bytes().decode("latin-1") for path in short_lived.folder.rglob("*.db*")}
    places["log"] = short_lived.app.log.read_text()
    for place, text in places.items():
        for secret in secrets:
            assert secret not in text, f"a secret stands in {place}"
        assert not re.search(r"eyJ[\w-]{10,}\.eyJ", text), f"a JWT stands in {place}"
    assert "code-of-a-stranger" not in places["log"]


def read_row(deployment: Deployment) -> Any:
    database = Database(f"sqlite:///{deployment.folder / 'data' / 'subscriber-sync.db'}")
    try:
        return OAuthConnections(database).read()
    finally:
        database.close()
