"""What every call passes before and after its view: the limits, the injected faults, the log of calls."""

import hashlib
import json
import re
import socket
from collections.abc import Iterator
from threading import Event
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from sandbox.control.call_log import Call, CallLog
from sandbox.control.faults import NO_FAULT, Fault
from sandbox.errors import ApiRefusal, ConnectionDropped, ControlRefused, TokenRefusal
from sandbox.state import current_world

TOKEN_PATH = "/oauth2/default/v1/token"  # noqa: S105 - a path
_MASKED = {"access_token", "refresh_token", "code", "code_verifier", "client_secret"}
_GARBAGE = "<!DOCTYPE html><html><body><h1>We will be back soon</h1></body></html>"


def install(app: Flask) -> None:
    """Put the gateway in front of every view of the sandbox."""
    app.before_request(_arrive)
    app.after_request(_leave)
    app.register_error_handler(ApiRefusal, lambda refusal: (jsonify(refusal.body), refusal.status))
    app.register_error_handler(TokenRefusal, _token_refusal)
    app.register_error_handler(ControlRefused, lambda refusal: ({"error": str(refusal)}, 400))
    app.register_error_handler(HTTPException, _http_error)


def wait_out_delay() -> None:
    """Wait out the latency and an injected delay, once. Never called with the world's lock held."""
    delay, g.delay = g.get("delay", 0), 0
    if delay:
        Event().wait(delay)


def _arrive() -> Response | None:
    g.call = None
    g.fault = NO_FAULT
    if not request.path.startswith(("/v3/", "/oauth2/")):
        return None
    # Read first: a body that is left unread would be cut off with the connection.
    request.get_data(cache=True, parse_form_data=False)
    world = current_world()
    is_api = request.path.startswith("/v3/")
    with world.lock:
        now, limits, settings = world.now(), world.limits, world.settings
        if is_api or request.path == TOKEN_PATH:
            g.calls = world.calls
            g.call = _record(g.calls, now)
            world.counters["api_calls" if is_api else "token_calls"] += 1
        if is_api:
            try:
                limits.admit(
                    now,
                    per_second=settings.per_second,
                    per_day=settings.per_day,
                    enforce=settings.rate_limit,
                )
            except ApiRefusal as refusal:
                world.counters[refusal.key] += 1
                raise
        g.fault = world.faults.next_for(request.method, request.path)
    return _begin_fault(g.fault, settings.latency)


def _begin_fault(fault: Fault, latency: float) -> Response | None:
    g.delay = fault.delay + latency
    if g.call is not None and fault is not NO_FAULT:
        g.call.fault = fault.effect()
    if fault.drop == "before":
        wait_out_delay()
        _cut()
    if fault.garbage or fault.status is not None:
        wait_out_delay()
        return _injected(fault)
    # An edit of a contact is delayed while the contact is marked, so that a second edit finds it being
    # edited.
    if request.blueprint != "contacts":
        wait_out_delay()
    return None


def _injected(fault: Fault) -> Response:
    if fault.garbage:
        return Response(_GARBAGE, content_type="text/html; charset=utf-8")
    if isinstance(fault.body, str):
        answer = Response(fault.body, fault.status, content_type="text/plain; charset=utf-8")
    elif fault.body is None:
        answer = Response(b"", fault.status)
    else:
        answer = Response(json.dumps(fault.body), fault.status, content_type="application/json")
    answer.headers.update(fault.headers)
    return answer


def _leave(response: Response) -> Response:
    wait_out_delay()
    if g.call is not None:
        answer = json.dumps(_shown(response.get_data(as_text=True)))
        with current_world().lock:
            # The log that the call was added to: after a reset the world has another one.
            g.calls.answered(g.call, response.status_code, answer)
    if g.fault.drop == "after":
        _cut()
    if g.fault.half_body:
        data = response.get_data()
        response.response = _half(data, request.environ)
        response.headers["Content-Length"] = str(len(data))
    return response


def _half(data: bytes, environ: dict[str, Any]) -> Iterator[bytes]:
    yield data[: len(data) // 2]
    _cut(environ)


def _cut(environ: dict[str, Any] | None = None) -> None:
    for server in ("werkzeug", "gunicorn"):
        connection = (environ or request.environ).get(f"{server}.socket")
        if connection is not None:
            connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionDropped("the sandbox was told to drop this connection")


def _record(calls: CallLog, now: float) -> Call:
    query = urlencode(
        [(name, _masked(name, value)) for name, value in parse_qsl(request.query_string.decode())]
    )
    bearer = request.headers.get("Authorization", "")
    form = request.mimetype == "application/x-www-form-urlencoded"
    return calls.add(
        now,
        request.method,
        request.path,
        query=query,
        bearer=_fingerprint(bearer[7:]) if bearer[:7].lower() == "bearer " else None,
        body=json.dumps(_shown(request.get_data(as_text=True), form=form)),
    )


def _shown(text: str, *, form: bool = False) -> Any:
    """Return a body as JSON where it is JSON, with every token replaced by its fingerprint."""
    try:
        body: Any = dict(parse_qsl(text)) if form else json.loads(text)
    except ValueError:
        return re.sub(r"(_token=|code=)[^&\s]+", r"\1…", text)
    if isinstance(body, dict):
        return {name: _masked(name, value) for name, value in body.items()}
    return body


def _masked(name: str, value: Any) -> Any:
    return _fingerprint(value) if name in _MASKED and isinstance(value, str) else value


def _fingerprint(token: str) -> str:
    """Return the first 12 hex digits of the token's SHA-256, enough to tell tokens apart."""
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()[:12]


def _token_refusal(refusal: TokenRefusal) -> Response:
    answer = jsonify(refusal.body)
    answer.status_code = refusal.status
    answer.headers["Cache-Control"] = "no-store"
    if refusal.status == 401:
        # RFC 6749 §5.2 asks for the challenge of the scheme that the client used.
        answer.headers["WWW-Authenticate"] = 'Basic realm="sandbox"'
    return answer


def _http_error(error: HTTPException) -> Response | HTTPException:
    if error.response is not None or (error.code or 500) < 400:
        return error
    if not request.path.startswith(("/v3/", "/_sandbox/", TOKEN_PATH)):
        return error
    answer = jsonify({"message": error.name})
    answer.status_code = error.code or 500
    if error.code == 405:
        answer.headers["Allow"] = dict(error.get_headers()).get("Allow", "")
    return answer
