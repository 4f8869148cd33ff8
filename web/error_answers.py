"""What a refusal looks like: RFC 9457 for programs, a page for people. Never an exception's own text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from flask import Response, make_response, render_template, request
from werkzeug.http import HTTP_STATUS_CODES

from services.errors import FieldError

JSON = "application/json"
HTML = "text/html"
URL_ENCODED = "application/x-www-form-urlencoded"
FORMS = (URL_ENCODED, "multipart/form-data")

# status: (what happened, what to do)
WORDS: dict[int, tuple[str, str]] = {
    400: ("The request could not be read.", "Check it and send it again."),
    401: ("This needs a key or an admin.", "Send “Authorization: Bearer <API key>”, or sign in at /admin/."),
    404: ("There is nothing at this address.", "Check the address for typing errors."),
    405: ("This address does not take that method.", "Use one of the methods in the Allow header."),
    409: ("The Idempotency-Key came with another sign-up.", "Choose a new key for each sign-up."),
    413: ("This is too much for one request.", "Send at most 16 KB, or 64 KB with an API key."),
    415: ("This content type is not accepted.", f"Send {JSON} or an HTML form ({' or '.join(FORMS)})."),
    422: ("Some fields need another look.", "Correct the fields that are named."),
    500: ("Something went wrong on our side.", "Try again in a moment; the cause is in the server's log."),
}


def wants_page() -> bool:
    """Whether a browser is waiting: only where Accept names text/html, and no JSON before it.

    A form's content type says nothing: fetch, jQuery and curl send the same, accept anything at all, and
    could not read the page to which a browser would be sent on.
    """
    return request.mimetype != JSON and not wants_fragment() and _names_html()


def wants_fragment() -> bool:
    """Whether a script puts the answer's HTML into its page, as htmx and jQuery's load() do.

    htmx says so: https://htmx.org/reference/#request_headers. Of others it is known by Accept and by what the
    browser adds (https://www.w3.org/TR/fetch-metadata/): a script of another origin could not follow a
    redirect to the page of thanks, and would take a sign-up that is on disk for a failed one.
    """
    if request.headers.get("HX-Request", "").lower() == "true":
        return True
    elsewhere = request.headers.get("Sec-Fetch-Site") != "same-origin"
    by_script = request.headers.get("Sec-Fetch-Mode") == "cors" and elsewhere
    return by_script and request.mimetype != JSON and _names_html()


def _names_html() -> bool:
    named: dict[str, float] = {}
    for kind, quality in request.accept_mimetypes:
        named[kind.lower()] = max(quality, named.get(kind.lower(), 0.0))
    return named.get(HTML, 0.0) > 0 and named[HTML] >= named.get(JSON, 0.0)


def answer(
    status: int,
    happened: str,
    cure: str,
    *,
    errors: Iterable[FieldError] = (),
    ignored: Iterable[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error as a page, a piece of one or a problem document, as the request prefers."""
    if wants_fragment():
        messages = [error.message for error in errors] or [f"{happened} {cure}"]
        made = make_response(render_template("subscribe/fragment.html", messages=messages), status)
    elif wants_page():
        made = make_response(render_template("error.html", happened=happened, cure=cure), status)
    else:
        made = _problem(status, f"{happened} {cure}", errors, ignored)
    made.headers.update(headers or {})
    return made


def later(status: int, happened: str, retry_after: int) -> Response:
    """A refusal that ends by itself after `retry_after` seconds."""
    cure = f"Try again in {retry_after} seconds."
    return answer(status, happened, cure, headers={"Retry-After": str(retry_after)})


def _problem(status: int, detail: str, errors: Iterable[FieldError], ignored: Iterable[str] = ()) -> Response:
    document: dict[str, object] = {
        "type": "about:blank",
        "title": HTTP_STATUS_CODES[status],
        "status": status,
        "detail": detail,
    }
    if listed := [asdict(error) for error in errors]:
        document["errors"] = listed
    if names := list(ignored):
        document["ignored"] = names
    return Response(json.dumps(document), status, content_type="application/problem+json")
