"""The door for website forms and other servers, and how a sign-up stands afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from http import HTTPStatus
from urllib.parse import parse_qsl
from uuid import UUID

import structlog
from flask import (
    Blueprint,
    Response,
    current_app,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_cors import CORS
from werkzeug.exceptions import NotFound, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wrappers import Response as BaseResponse

from services import (
    Asker,
    Evidence,
    InvalidSubmission,
    MalformedSubmission,
    StorageUnavailable,
    Submission,
    Verdict,
)
from web import form_again, guards, preferences
from web.addresses import base_url, may_redirect_to, page_of
from web.current import services
from web.errors import FORMS, JSON, URL_ENCODED, wants_page

log = structlog.get_logger(__name__)

LONGEST_USER_AGENT = 500
NOT_UTF8 = 'The form is not in UTF-8; its page asks for that by accept-charset="utf-8".'


def create_blueprint(origins: Sequence[str]) -> Blueprint:
    """`origins` are the other sites whose scripts may call; their forms need no permission."""
    blueprint = Blueprint("subscribe", __name__)
    blueprint.post("/subscribe")(subscribe)
    blueprint.get("/signups/<uuid:signup_id>")(signup)
    # On the blueprint: the decorator leaves the headers off 4xx answers, and scripts could not read those.
    CORS(
        blueprint,
        origins=list(origins),
        methods=["GET", "POST"],
        allow_headers=["Content-Type", "Idempotency-Key", "Prefer"],
        expose_headers=["Location", "Preference-Applied", "Retry-After", "X-Request-Id"],
        max_age=3600,
    )
    return blueprint


def subscribe() -> BaseResponse:
    """Take one sign-up, as JSON or from an HTML form."""
    asker = guards.asker()
    if request.mimetype == JSON:
        raw = request.get_data(cache=False)
        _refuse_cut_off()
        submission = services().intake.read_json(raw)
        answer: BaseResponse = _as_json(_accept(submission, asker))
    elif request.mimetype in FORMS:
        answer = _from_form(asker)
    else:
        raise UnsupportedMediaType
    preferences.acknowledge(answer)
    return answer


def signup(signup_id: UUID) -> Response:
    """How that sign-up stands, without personal data."""
    view = services().intake.status(str(signup_id))
    if view is None:
        raise NotFound
    return jsonify(asdict(view))


def _from_form(asker: Asker) -> BaseResponse:
    pairs = _pairs()
    _refuse_cut_off()
    try:
        submission = services().intake.read_form(pairs)
        verdict = _accept(submission, asker)
    except (InvalidSubmission, StorageUnavailable) as error:
        if not wants_page():
            raise
        return _with_mistakes(pairs, error)
    if not wants_page():
        return _as_json(verdict)
    return redirect(_next_page(submission, verdict), HTTPStatus.SEE_OTHER)


def _pairs() -> list[tuple[str, str]]:
    if request.mimetype != URL_ENCODED:
        # Werkzeug's name for a multipart part without one is None.
        return [(name, value) for name, value in request.form.items(multi=True) if name is not None]
    try:
        # Werkzeug would take bytes that are no UTF-8 for text such as "%FF".
        return parse_qsl(request.get_data(cache=False).decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise MalformedSubmission(NOT_UTF8) from None


def _refuse_cut_off() -> None:
    # Werkzeug ends a chunked body silently at the limit (LimitedStream.readall): half a form would pass for a
    # whole one.
    limit: int = current_app.config["MAX_CONTENT_LENGTH"]
    if request.content_length is None and request.stream.tell() >= limit:
        raise RequestEntityTooLarge


def _accept(submission: Submission, asker: Asker) -> Verdict:
    evidence = Evidence(
        page=page_of(request.headers.get("Referer"), request.headers.get("Origin")),
        network_address=request.remote_addr,
        user_agent=request.headers.get("User-Agent", "")[:LONGEST_USER_AGENT] or None,
    )
    return services().intake.accept(submission, asker, evidence, preferences.handling())


def _as_json(verdict: Verdict) -> Response:
    if verdict.status == "queued":
        status_url = f"{base_url()}/signups/{verdict.id}"
        answer = make_response(
            jsonify(id=verdict.id, status="queued", status_url=status_url), HTTPStatus.ACCEPTED
        )
        answer.location = status_url
        return answer
    answer = jsonify(
        id=verdict.id, status=verdict.status, action=verdict.action, contact_id=verdict.contact_id
    )
    return make_response(answer, HTTPStatus.OK if verdict.action == "updated" else HTTPStatus.CREATED)


def _next_page(submission: Submission, verdict: Verdict) -> str:
    if submission.redirect:
        if may_redirect_to(submission.redirect):
            return submission.redirect
        # The sign-up is on disk by now; a wrong thank-you page must not make it look lost.
        log.warning(
            "redirect_not_allowed", signup_id=verdict.id, cure="add the page's origin to ALLOWED_ORIGINS"
        )
    return url_for("site.thank_you", status="queued" if verdict.status == "queued" else None)


def _with_mistakes(
    pairs: Sequence[tuple[str, str]], error: InvalidSubmission | StorageUnavailable
) -> Response:
    if isinstance(error, StorageUnavailable):
        page = render_template("subscribe/form.html", form=form_again.fill(pairs), notice=str(error))
        return make_response(page, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": str(error.retry_after)})
    page = render_template("subscribe/form.html", form=form_again.fill(pairs, error.errors), notice=None)
    return make_response(page, HTTPStatus.UNPROCESSABLE_ENTITY)
