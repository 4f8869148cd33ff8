"""OAuth clients that others wrote, each behind the same few operations."""

import json
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import authlib.integrations.requests_client as authlib
import requests
import requests_oauthlib
from authlib.common.errors import AuthlibBaseError
from oauthlib.oauth2 import OAuth2Error
from requests.auth import HTTPBasicAuth

FOLDER = Path(__file__).parent
# Of one request to a Node.js process, its start included.
LONGEST_SECONDS = 60

Tokens = dict[str, Any]


class Refused(Exception):
    """What the library made of a refusal: the code of RFC 6749 if it found one, else None."""

    def __init__(self, error: str | None, message: str = "", status: int | None = None) -> None:
        super().__init__(error, message, status)
        self.error = error
        self.status = status


@dataclass(frozen=True)
class Application:
    """The developer's application as a library is told of it; a public one has no secret."""

    server: str
    client_id: str
    client_secret: str | None
    redirect_uri: str = "https://app.example.org/oauth/callback"
    scope: str = "contact_data account_read offline_access"


@dataclass(frozen=True)
class Begun:
    """An authorization request: where the browser goes, and what the library keeps meanwhile."""

    url: str
    state: str
    verifier: str


class OAuthClient(Protocol):
    """One library. Each operation raises Refused where the library reports a failure."""

    def begin(self, application: Application) -> Begun: ...

    def exchange(self, application: Application, begun: Begun, callback: str) -> Tokens: ...

    def refresh(self, application: Application, tokens: Tokens) -> Tokens: ...

    def read(self, application: Application, tokens: Tokens, url: str) -> Any: ...


class Authlib:
    """Authlib's session for requests."""

    def begin(self, application: Application) -> Begun:
        verifier = "authlib-leaves-it-to-us-to-make-up-a-verifier"
        url, state = self._session(application).create_authorization_url(
            f"{application.server}/authorize", code_verifier=verifier
        )
        return Begun(url, state, verifier)

    def exchange(self, application: Application, begun: Begun, callback: str) -> Tokens:
        session = self._session(application, state=begun.state)
        # As Authlib's integrations with web frameworks look for it; the session alone does not.
        if denied := parse_qs(urlsplit(callback).query).get("error"):
            raise Refused(denied[0])
        return self._told(
            lambda: session.fetch_token(
                f"{application.server}/token",
                authorization_response=callback,
                code_verifier=begun.verifier,
            )
        )

    def refresh(self, application: Application, tokens: Tokens) -> Tokens:
        session = self._session(application)
        url = f"{application.server}/token"
        return self._told(lambda: session.refresh_token(url, refresh_token=tokens["refresh_token"]))

    def read(self, application: Application, tokens: Tokens, url: str) -> Any:
        # Without the time of expiry, by which it would refuse an old token before it asks.
        token = {"access_token": tokens["access_token"], "token_type": "Bearer"}
        return _read(self._session(application, token=token).get(url, timeout=10))

    def _session(self, application: Application, **more: Any) -> Any:
        return authlib.OAuth2Session(
            application.client_id,
            application.client_secret,
            scope=application.scope,
            redirect_uri=application.redirect_uri,
            token_endpoint_auth_method="client_secret_basic" if application.client_secret else "none",
            code_challenge_method="S256",
            **more,
        )

    def _told(self, ask: Callable[[], Any]) -> Tokens:
        try:
            return dict(ask())
        except AuthlibBaseError as error:
            raise Refused(error.error, str(error)) from error


class RequestsOauthlib:
    """requests-oauthlib, which takes plain HTTP only with OAUTHLIB_INSECURE_TRANSPORT=1."""

    def begin(self, application: Application) -> Begun:
        session = self._session(application)
        url, state = session.authorization_url(f"{application.server}/authorize")
        return Begun(url, state, session._code_verifier)

    def exchange(self, application: Application, begun: Begun, callback: str) -> Tokens:
        session = self._session(application, state=begun.state)
        session._code_verifier = begun.verifier
        return self._told(
            lambda: session.fetch_token(
                f"{application.server}/token",
                authorization_response=callback,
                client_secret=application.client_secret,
                include_client_id=True if application.client_secret is None else None,
            )
        )

    def refresh(self, application: Application, tokens: Tokens) -> Tokens:
        proof: dict[str, Any] = {"client_id": application.client_id}
        if application.client_secret is not None:
            proof = {"auth": HTTPBasicAuth(application.client_id, application.client_secret)}
        session, url = self._session(application), f"{application.server}/token"
        return self._told(lambda: session.refresh_token(url, refresh_token=tokens["refresh_token"], **proof))

    def read(self, application: Application, tokens: Tokens, url: str) -> Any:
        token = {"access_token": tokens["access_token"], "token_type": "Bearer"}
        return _read(self._session(application, token=token).get(url, timeout=10))

    def _session(self, application: Application, **more: Any) -> Any:
        return requests_oauthlib.OAuth2Session(
            application.client_id,
            redirect_uri=application.redirect_uri,
            scope=application.scope,
            pkce="S256",
            **more,
        )

    def _told(self, ask: Callable[[], Any]) -> Tokens:
        try:
            return dict(ask())
        except OAuth2Error as error:
            raise Refused(error.error, str(error), error.status_code) from error


class NodeClient:
    """A library of Node.js, in a process that a script beside this file keeps open."""

    def __init__(self, script: str) -> None:
        self._process = subprocess.Popen(
            ["node", script], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def close(self) -> None:
        """End the process by ending its input."""
        self._process.communicate(timeout=10)

    def begin(self, application: Application) -> Begun:
        return Begun(**self.call("begin", application))

    def exchange(self, application: Application, begun: Begun, callback: str) -> Tokens:
        return dict(
            self.call("exchange", application, callback=callback, state=begun.state, verifier=begun.verifier)
        )

    def refresh(self, application: Application, tokens: Tokens) -> Tokens:
        return dict(self.call("refresh", application, refresh_token=tokens["refresh_token"]))

    def read(self, application: Application, tokens: Tokens, url: str) -> Any:
        return self.call("read", application, access_token=tokens["access_token"], url=url)

    def call(self, operation: str, application: Application | None = None, **given: Any) -> Any:
        """Return the result of one of the script's operations. Raises Refused."""
        told = vars(application) if application else {}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watchdog = threading.Timer(LONGEST_SECONDS, self._process.kill)
        watchdog.start()
        try:
            self._process.stdin.write(json.dumps({"operation": operation, **told, **given}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        assert line, f"the process ended, or took more than {LONGEST_SECONDS} s: {operation}"
        answer = json.loads(line)
        if "refusal" in answer:
            raise Refused(**answer["refusal"])
        return answer["result"]


def _read(answer: requests.Response) -> Any:
    if not answer.ok:
        raise Refused(None, answer.text, answer.status_code)
    return answer.json()
