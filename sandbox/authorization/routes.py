"""The authorization server: the page where a person signs in and consents, the token endpoint and its keys.

Vendor pages: server_flow, pkce_flow; RFC 6749 §4.1 and §6, RFC 7636.
"""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as WerkzeugResponse

from sandbox.authorization import jwt
from sandbox.authorization.client import SANDBOX_CLIENT_ID, SCOPES, USERS, authenticated, invalid_request
from sandbox.authorization.tokens import Grant
from sandbox.errors import TokenRefusal
from sandbox.state import current_world

BASE = "/oauth2/default/v1"

blueprint = Blueprint("authorization", __name__)


@dataclass(frozen=True)
class AuthorizationRequest:
    """A request that may be answered by a redirect: its client and redirect_uri are valid."""

    redirect_uri: str
    state: str | None
    scopes: tuple[str, ...]
    challenge: str | None
    error: tuple[str, str] | None

    def back(self, **answer: str) -> WerkzeugResponse:
        """Send the browser back, keeping the query that redirect_uri already has (RFC 6749 §3.1.2)."""
        if self.state is not None:
            answer["state"] = self.state
        parts = urlsplit(self.redirect_uri)
        query = "&".join(filter(None, (parts.query, urlencode(answer))))
        return redirect(urlunsplit(parts._replace(query=query)), 303)


@blueprint.route(f"{BASE}/authorize", methods=["GET", "POST"])
def authorize() -> Response | WerkzeugResponse:
    """Show the page, or act on its form; the authorization request is in the query both times."""
    requested = _authorization_request()
    if isinstance(requested, str):
        # Never a redirect: the address may be an attacker's (RFC 6749 §4.1.2.1).
        return make_response(render_template("sandbox/refused.html", problem=requested), 400)
    if requested.error:
        return requested.back(error=requested.error[0], error_description=requested.error[1])
    if request.method == "GET":
        return make_response(render_template("sandbox/authorize.html", users=USERS, scopes=requested.scopes))
    user = request.form.get("user", "owner")
    if request.form.get("decision") != "allow" or user not in USERS:
        return requested.back(
            error="access_denied", error_description="The resource owner denied the request."
        )
    world = current_world()
    with world.lock:
        grant = Grant(user, requested.scopes)
        code = world.tokens.issue_code(grant, requested.redirect_uri, requested.challenge, world.now())
    return requested.back(code=code)


@blueprint.post(f"{BASE}/token")
def token() -> Response:
    """Exchange a code or a refresh token for tokens.

    Parameters are taken from the body and, as the vendor's examples send them, from the query.
    """
    public = not authenticated()
    grant_type = _parameter("grant_type")
    if grant_type == "authorization_code":
        answer = _redeem(public=public)
    elif grant_type == "refresh_token":
        answer = _refresh(public=public)
    else:
        raise TokenRefusal(
            400, {"error": "unsupported_grant_type", "error_description": "The grant type is not supported."}
        )
    response = jsonify(answer)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get(f"{jwt.ISSUER_PATH}/v1/keys")
@blueprint.get(f"{BASE}/keys")
def keys() -> dict[str, list[dict[str, str]]]:
    """Return the public key of access tokens, at the vendor's address and beside the token endpoint."""
    return jwt.key_set()


def _redeem(*, public: bool) -> dict[str, Any]:
    code, redirect_uri = _parameter("code"), _parameter("redirect_uri")
    verifier = _parameter("code_verifier") if "code_verifier" in request.values else None
    world = current_world()
    with world.lock:
        policy, now = world.settings.policy, world.now()
        return world.tokens.redeem(code, redirect_uri, verifier, policy, now, public=public)


def _refresh(*, public: bool) -> dict[str, Any]:
    refresh_token = _parameter("refresh_token")
    world = current_world()
    with world.lock:
        answer = world.tokens.refresh(refresh_token, world.settings.policy, world.now(), public=public)
        world.counters["refreshes"] += 1
    return answer


def _parameter(name: str) -> str:
    values = request.values.getlist(name)
    if len(values) != 1 or not values[0]:
        raise invalid_request(f"{name} must be given exactly once.")
    return values[0]


def _authorization_request() -> AuthorizationRequest | str:
    """Return the request, or in plain words why the browser must not be redirected."""
    query = request.args
    redirect_uri = query.get("redirect_uri", "")
    if query.get("client_id") != SANDBOX_CLIENT_ID:
        return f"client_id must be {SANDBOX_CLIENT_ID}."
    if not _may_be_redirected_to(redirect_uri):
        return "redirect_uri must be an absolute http or https address without a fragment."
    scopes = tuple(query.get("scope", "").split())
    challenge = query.get("code_challenge")
    return AuthorizationRequest(
        redirect_uri, query.get("state"), scopes, challenge, _request_error(scopes, challenge)
    )


def _may_be_redirected_to(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not parts.fragment


def _request_error(scopes: tuple[str, ...], challenge: str | None) -> tuple[str, str] | None:
    if request.args.get("response_type") != "code":
        return "unsupported_response_type", "response_type must be code."
    if not scopes or not set(scopes) <= set(SCOPES):
        return "invalid_scope", "One or more scopes are not configured for the authorization server."
    if challenge is None:
        return None
    if request.args.get("code_challenge_method") != "S256":
        return "invalid_request", "code_challenge_method must be S256."
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}", challenge):
        return "invalid_request", "code_challenge must be a base64url SHA-256."
    return None
