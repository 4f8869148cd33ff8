"""Error answers: problem documents (RFC 9457) for programs, pages for people, no text of an exception."""

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
    """Return whether a browser will show the answer: Accept names text/html, and no JSON before it.

    The request's content type does not tell: fetch, jQuery and curl send the same one as a browser's form,
    with `Accept: */*`, and could not read the page to which a browser would be redirected.
    """
    return request.mimetype != JSON and not wants_fragment() and _accepts_html()


def wants_fragment() -> bool:
    """Return whether a script puts the answer's HTML into its page, as htmx and jQuery's load() do.

    htmx sends HX-Request: https://htmx.org/reference/#request_headers. Other scripts are told by Accept and
    the Sec-Fetch headers that the browser adds (https://www.w3.org/TR/fetch-metadata/). A script of another
    origin could not follow a redirect to the thank-you page, and would report a stored sign-up as failed.
    """
    if request.headers.get("HX-Request", "").lower() == "true":
        return True
    other_origin = request.headers.get("Sec-Fetch-Site") != "same-origin"
    by_script = request.headers.get("Sec-Fetch-Mode") == "cors" and other_origin
    return by_script and request.mimetype != JSON and _accepts_html()


def _accepts_html() -> bool:
    qualities: dict[str, float] = {}
    for media_type, quality in request.accept_mimetypes:
        qualities[media_type.lower()] = max(quality, qualities.get(media_type.lower(), 0.0))
    return qualities.get(HTML, 0.0) > 0 and qualities[HTML] >= qualities.get(JSON, 0.0)


def answer(
    status: int,
    happened: str,
    cure: str,
    *,
    errors: Iterable[FieldError] = (),
    ignored: Iterable[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error as a page, an HTML fragment or a problem document, as the request prefers.

    `happened` and `cure` are one sentence each; `ignored` names fields that were sent and not understood.
    """
    if wants_fragment():
        messages = [error.message for error in errors] or [f"{happened} {cure}"]
        response = make_response(render_template("subscribe/fragment.html", messages=messages), status)
    elif wants_page():
        response = make_response(render_template("error.html", happened=happened, cure=cure), status)
    else:
        response = _problem(status, f"{happened} {cure}", errors, ignored)
    response.headers.update(headers or {})
    return response


def later(status: int, happened: str, retry_after: int) -> Response:
    """Return an error that ends by itself after `retry_after` seconds."""
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
