"""A sandbox in a process of its own, and the clients."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from sandbox import SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET
from tests.clients.oauth_clients.clients import (
    Application,
    Authlib,
    NodeClient,
    OAuthClient,
    RequestsOauthlib,
    Tokens,
)
from tests.end_to_end.processes import Process
from tests.support.ports import free_port


class Sandbox:
    """What a person at a browser and the tests do with it."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.confidential = Application(f"{base}/oauth2/default/v1", SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET)
        self.public = Application(f"{base}/oauth2/default/v1", SANDBOX_CLIENT_ID, None)
        self.account = f"{base}/v3/account/summary"

    def control(self, path: str, **body: Any) -> None:
        requests.post(f"{self.base}/_sandbox/{path}", json=body, timeout=10).raise_for_status()

    def consent(self, url: str, decision: str = "allow") -> str:
        """Return where the browser is sent after the button on the page at `url`."""
        assert urlsplit(url).netloc == urlsplit(self.base).netloc
        page = requests.get(url, timeout=10)
        assert page.ok, page.text
        form = {"user": "owner", "decision": decision}
        answer = requests.post(url, data=form, allow_redirects=False, timeout=10)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def connected(self, client: OAuthClient, application: Application) -> Tokens:
        begun = client.begin(application)
        return client.exchange(application, begun, self.consent(begun.url))


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("sandbox"), free_port()
    base = f"http://127.0.0.1:{port}"
    process = Process(
        "the sandbox",
        [Path(sys.executable).parent / "flask", "sandbox", "--port", port],
        env={"DATA_DIR": str(folder / "data")},
        url=f"{base}/_sandbox/counters",
        log=folder / "sandbox.log",
    )
    process.start()
    yield base
    process.stop()


@pytest.fixture
def sandbox(running: str) -> Sandbox:
    """As new, and without the limits of calls."""
    sandbox = Sandbox(running)
    sandbox.control("reset")
    sandbox.control("settings", rate_limit=False)
    return sandbox


@pytest.fixture(scope="session")
def openid_client() -> Iterator[NodeClient]:
    client = NodeClient("openid_client.mjs")
    yield client
    client.close()


@pytest.fixture(scope="session")
def simple_oauth2() -> Iterator[NodeClient]:
    client = NodeClient("simple_oauth2.mjs")
    yield client
    client.close()


@pytest.fixture
def authlib() -> Authlib:
    return Authlib()


@pytest.fixture
def requests_oauthlib(monkeypatch: pytest.MonkeyPatch) -> RequestsOauthlib:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    return RequestsOauthlib()


@pytest.fixture(params=["authlib", "requests_oauthlib", "openid_client", "simple_oauth2"])
def client(request: pytest.FixtureRequest) -> OAuthClient:
    client: OAuthClient = request.getfixturevalue(request.param)
    return client


@pytest.fixture(params=["authlib", "requests_oauthlib", "openid_client"])
def public_client(request: pytest.FixtureRequest) -> OAuthClient:
    """Return each client that can do without a secret; simple-oauth2 cannot."""
    client: OAuthClient = request.getfixturevalue(request.param)
    return client
