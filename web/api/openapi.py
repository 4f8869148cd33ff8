"""The API's own description (OpenAPI 3.1), made from the models that validate, and a page that shows it.

https://spec.openapis.org/oas/v3.1.1
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, render_template

from services.protection.providers import PROVIDERS
from web.api.schemas import (
    IGNORED,
    Document,
    json_answer,
    later,
    object_of,
    problem,
    problems,
    reference,
    schemas,
    unavailable,
)
from web.error_answers import FORMS, JSON
from web.public.request_options import KEY_PATTERN
from web.security.addresses import known_base_url

blueprint = Blueprint("openapi", __name__)

_APPLIED = {
    "Preference-Applied": {
        "description": "What of the Prefer header was followed.",
        "schema": {"type": "string"},
    }
}
_QUEUED = {
    "id": {"type": "string", "format": "uuid"},
    # The latter of somebody who had left: Constant Contact has asked them whether to come back.
    "status": {"enum": ["queued", "confirmation_sent"]},
}
_RECEIVED = {"id": {"type": "string", "format": "uuid"}, "status": {"const": "received"}}
_HEADERS = (
    (
        "Idempotency-Key",
        "Your name for this sign-up, such as a UUID: sent again with the same body within 48 hours "
        "it is not stored again, and the answer tells of the first.",
        {"type": "string", "pattern": KEY_PATTERN},
    ),
    (
        "Prefer",
        "With an API key. respond-async: answer without waiting for Constant Contact; wait=n: wait n seconds "
        "at most.",
        {"type": "string", "examples": ["respond-async", "wait=1"]},
    ),
)
_SUBSCRIBED = {
    "id": {"type": "string", "format": "uuid"},
    # The latter where the account is known to ask new contacts by e-mail to confirm.
    "status": {"enum": ["subscribed", "pending_confirmation"]},
    "action": {"enum": ["created", "updated"]},
    "contact_id": {"type": "string"},
}


@blueprint.get("/openapi.json")
def document() -> Response:
    """Answer the description, with this service's own address."""
    return jsonify(_description())


@blueprint.get("/docs")
def page() -> str:
    """Show the description to people, without a script and with nothing from another host."""
    return render_template("openapi/docs.html", api=_description())


def _description() -> Document:
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Subscriber Sync",
            "version": current_app.config["VERSION"],
            "description": "Takes the sign-ups of a website's forms and brings them to Constant Contact.",
        },
        # A relative address is one to the document's own host.
        "servers": [{"url": known_base_url() or "/"}],
        **_paths_and_components(),
    }


@cache
def _paths_and_components() -> Document:
    return {
        "paths": {
            "/subscribe": {"post": _subscribe(), "get": _opened()},
            "/signups/{id}": {"get": _signup()},
            "/forms/{slug}.json": {"get": _form()},
            "/forms/{slug}/token": {"get": _token()},
            "/forms/{slug}/challenge": {"get": _challenge()},
            "/lists": {"get": _lists()},
            "/health": {"get": _health()},
            "/metrics": {"get": _metrics()},
            "/internal/drain": {"post": _drain()},
        },
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "One of API_KEYS."},
                "drainToken": {"type": "http", "scheme": "bearer", "description": "DRAIN_TOKEN."},
            },
        },
    }


def _subscribe() -> Document:
    body = reference("Submission")
    return {
        "summary": "Take a sign-up.",
        "description": "On any 2xx the sign-up is on disk and will be delivered. "
        "Without a key, only by a form or for lists that are open to the public, and the answer is the same "
        "for all and comes at once: 202 received, or 303.",
        "security": [{}, {"apiKey": []}],
        "parameters": [_header(*header) for header in _HEADERS],
        "requestBody": {"required": True, "content": {kind: {"schema": body} for kind in (JSON, *FORMS)}},
        "responses": {
            "200": _taken("With a key: a known contact; the lists were added to its own.", _SUBSCRIBED),
            "201": _taken("With a key: a new contact.", _SUBSCRIBED),
            "202": _taken(
                "On disk, delivered as soon as possible. With a key queued, without one received.",
                _QUEUED | {"status_url": {"type": "string", "format": "uri-reference"}},
                _RECEIVED,
            ),
            "303": {"description": "For a form in a browser: the thank-you page.", "headers": _APPLIED},
            **problems(400, 401, 409, 413, 415, 422, page=True),
            "403": problem("A script of a page without an origin of its own calls.", page=False),
            "429": later("A flood from one place; nothing was stored.", page=True),
            **unavailable("The sign-up cannot be stored at the moment; nothing was stored.", page=True),
        },
    }


def _opened() -> Document:
    return {
        "summary": "Takes nothing; leads a person who opens the address on to the form.",
        "parameters": [
            {
                "name": "form",
                "in": "query",
                "description": "The form's short name; needed where there is more than one form.",
                "schema": {"type": "string"},
            }
        ],
        "responses": {
            "303": {"description": "For a browser: the form's page."},
            "405": problem("Only POST takes a sign-up.", page=True)
            | {"headers": {"Allow": {"description": "POST.", "schema": {"type": "string"}}}},
            **unavailable("The database cannot be used at the moment.", page=True),
        },
    }


def _signup() -> Document:
    return {
        "summary": "Where a sign-up stands; without a key only that it was received.",
        "security": [{}, {"apiKey": []}],
        "parameters": [
            {
                "name": "id",
                "in": "path",
                "required": True,
                "description": "The id that POST /subscribe answered.",
                "schema": {"type": "string", "format": "uuid"},
            }
        ],
        "responses": {
            "200": json_answer(
                "Its state, without personal data.",
                {"anyOf": [reference("SignupView"), object_of(_RECEIVED)]},
            ),
            **problems(401, 404),
            **unavailable("The database cannot be used at the moment."),
        },
    }


def _form() -> Document:
    text, nothing = {"type": "string"}, {"type": "null"}
    field = {"name": text, "label": text, "type": text, "autocomplete": text}
    longest: Document = {"anyOf": [{"type": "integer"}, nothing]}
    field |= {"maxlength": longest, "required": {"type": "boolean"}}
    consent = object_of({"version": {"type": "integer"}, "wording": text})
    optional = {"anyOf": [text, nothing]}
    thank_you = object_of({"message": optional, "url": optional})
    form: Document = {"slug": text, "name": text, "action": text | {"format": "uri"}}
    asked = object_of(field)
    asked["properties"]["options"] = {"type": "array", "items": text, "description": "What to choose from."}
    form |= {"fields": {"type": "array", "items": asked}}
    proof = object_of({"kind": {"const": "altcha"}, "challenge_url": text})
    widget = {"kind": {"enum": list(PROVIDERS)}, "title": text, "html_class": text, "site_key": text}
    widget |= {"script": text | {"format": "uri"}, "api": text, "action": optional}
    form |= {
        "protection": object_of(
            {
                "honeypot": text,
                "token_url": optional,
                "captcha": {"anyOf": [proof, object_of(widget), nothing]},
            }
        )
    }
    form |= {"consent": {"anyOf": [consent, nothing]}, "thank_you": thank_you}
    form |= {"sms_consent": {"anyOf": [consent, nothing]}}
    return {
        "summary": "What a script needs to draw a form.",
        "parameters": [_slug()],
        "responses": {
            "200": json_answer("Its fields, its consent, and what follows.", object_of(form)),
            **problems(404),
            **unavailable("The database cannot be used at the moment."),
        },
    }


def _token() -> Document:
    return {
        "summary": "When a form was shown, signed; send it along as form_token.",
        "parameters": [_slug()],
        "responses": {
            "200": json_answer(
                "Good for a day, not before two seconds.", object_of({"token": {"type": "string"}})
            ),
            **problems(404),
            **unavailable("The database cannot be used at the moment."),
        },
    }


def _challenge() -> Document:
    text = {"type": "string"}
    asked = {"algorithm": {"const": "SHA-256"}, "challenge": text, "salt": text, "signature": text}
    return {
        "summary": "A proof of work; send its answer along as altcha.",
        "parameters": [_slug()],
        "responses": {
            "200": json_answer(
                "Good for ten minutes.", object_of(asked | {"maxnumber": {"type": "integer"}})
            ),
            **problems(404),
            **unavailable("The database cannot be used at the moment."),
        },
    }


def _slug() -> Document:
    return {
        "name": "slug",
        "in": "path",
        "required": True,
        "description": "The form's short name.",
        "schema": {"type": "string"},
    }


def _lists() -> Document:
    return {
        "summary": "The account's lists.",
        "security": [{"apiKey": []}],
        "parameters": [
            {
                "name": "refresh",
                "in": "query",
                "description": "1 asks Constant Contact now instead of answering from the last five minutes.",
                "schema": {"enum": ["1"]},
            }
        ],
        "responses": {
            "200": json_answer("All lists; stale while newer ones cannot be had.", reference("ListsView")),
            **problems(401),
            **unavailable("The lists were never fetched, and Constant Contact cannot be asked now."),
        },
    }


def _health() -> Document:
    health = reference("HealthReport")
    return {
        "summary": "How everything is.",
        "description": "To strangers it names no weakness, and its counts do not tell what became of a "
        "sign-up.",
        "security": [{}, {"apiKey": []}],
        "parameters": [
            {
                "name": "strict",
                "in": "query",
                "description": "1 answers 503 whenever status is not ok.",
                "schema": {"enum": ["1"]},
            }
        ],
        "responses": {
            "200": json_answer("Sign-ups are accepted; problems says what needs attention.", health),
            "503": json_answer(
                "Sign-ups cannot be stored, or with strict=1 something needs attention.", health
            ),
        },
    }


def _metrics() -> Document:
    return {
        "summary": "Figures for Prometheus.",
        "security": [{"apiKey": []}],
        "responses": {
            "200": {
                "description": "In the text format, or as OpenMetrics where the Accept header asks for it.",
                "content": {
                    kind: {"schema": {"type": "string"}}
                    for kind in ("text/plain", "application/openmetrics-text")
                },
            },
            **problems(401),
        },
    }


def _drain() -> Document:
    return {
        "summary": "Deliver for at most 25 seconds, on hosts that sleep.",
        "security": [{"drainToken": []}],
        "responses": {
            "200": json_answer("What was done and what still waits.", reference("DrainReport")),
            **problems(401, 404),
            **unavailable("The database cannot be used at the moment."),
        },
    }


def _header(name: str, description: str, schema: Mapping[str, Any]) -> Document:
    return {"name": name, "in": "header", "description": description, "schema": dict(schema)}


def _taken(description: str, *either: Mapping[str, Any]) -> Document:
    bodies = [object_of(properties) for properties in either]
    for made in bodies:
        made["properties"]["ignored"] = IGNORED
    body = bodies[0] if len(bodies) == 1 else {"anyOf": bodies}
    return json_answer(description, body) | {"headers": _APPLIED}
