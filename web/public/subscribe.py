"""POST /subscribe for website forms and other servers, and GET /signups/<id>: where a sign-up stands."""

from collections.abc import Sequence
from dataclasses import asdict
from http import HTTPStatus
from uuid import UUID

import structlog
from flask import (
    Blueprint,
    Response,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.exceptions import MethodNotAllowed, NotFound, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wrappers import Response as BaseResponse

from services.access.requester import ANONYMOUS, Requester
from services.errors import FieldError, InvalidSubmission, StorageUnavailable, TooManyAttempts
from services.forms.form import Form
from services.intake.record import Evidence
from services.intake.result import RECEIVED, SignupResult
from services.protection.rules import TOKEN
from services.submission.fields import Submission
from services.submission.web_origins import to_send
from web.current import services
from web.error_answers import FORMS, JSON, URL_ENCODED, wants_fragment, wants_page
from web.error_answers import answer as refusal
from web.public import captchas, form_pairs, form_view, request_options
from web.security import guards, headers
from web.security.addresses import known_base_url, may_redirect_to, page_of

log = structlog.get_logger(__name__)

ANONYMOUS_BODY_LIMIT = 16 * 1024
OPENED = (
    "This address only receives sign-ups.",
    "Go back to the page with the form and send it from there.",
)
STATUS = {
    InvalidSubmission: HTTPStatus.UNPROCESSABLE_ENTITY,
    StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManyAttempts: HTTPStatus.TOO_MANY_REQUESTS,
}

blueprint = Blueprint("subscribe", __name__)


@blueprint.post("/subscribe")
def subscribe() -> BaseResponse:
    """Take one sign-up, as JSON or from an HTML form."""
    requester = guards.requester()
    _limit_body(requester)
    if request.mimetype == JSON:
        raw = request.get_data(cache=False)
        _refuse_cut_off()
        submission = services().intake.read_json(raw)
        answer: BaseResponse = _for_scripts(_accept(submission, requester), submission)
    elif request.mimetype in FORMS:
        answer = _from_form(requester)
    else:
        raise UnsupportedMediaType
    request_options.acknowledge(answer, requester)
    if requester == ANONYMOUS:
        answer.call_on_close(services().intake.answered)
    return answer


@blueprint.get("/subscribe")
def opened() -> BaseResponse:
    """Redirect a person who opened the address to the form.

    A program gets 405: its request was a POST that a redirect to https:// made a GET of, and the form's page,
    a 200, would tell it that the sign-up was accepted.
    """
    if not wants_page():
        raise MethodNotAllowed(["OPTIONS", "POST"])
    form = _only_form(request.args.get("form"))
    if form is None:
        return refusal(HTTPStatus.METHOD_NOT_ALLOWED, *OPENED, headers={"Allow": "POST"})
    return redirect(url_for("forms.page", slug=form.slug), HTTPStatus.SEE_OTHER)


@blueprint.get("/signups/<uuid:signup_id>")
def signup(signup_id: UUID) -> Response:
    """Answer where a sign-up stands, without personal data; without an API key only that it was received."""
    if guards.requester() == ANONYMOUS:
        if not services().statuses.received(str(signup_id)):
            raise NotFound
        return jsonify(id=str(signup_id), status=RECEIVED)
    view = services().statuses.status(str(signup_id))
    if view is None:
        raise NotFound
    return jsonify(asdict(view))


def _only_form(slug: str | None) -> Form | None:
    """Return the form of that slug; without a slug the only form in use, if there is just one."""
    if slug:
        return services().forms.find(slug)
    in_use = services().forms.in_use()
    return in_use[0] if len(in_use) == 1 else None


def _from_form(requester: Requester) -> BaseResponse:
    pairs = _pairs()
    try:
        submission = services().intake.read_form(pairs)
        result = _accept(submission, requester)
    except (InvalidSubmission, StorageUnavailable, TooManyAttempts) as error:
        if not wants_page():
            raise
        return _with_mistakes(pairs, error)
    if not wants_page():
        return _for_scripts(result, submission)
    return redirect(_next_page(submission, result.id), HTTPStatus.SEE_OTHER)


def _pairs() -> list[tuple[str, str]]:
    body = request.get_data(cache=False)
    _refuse_cut_off()
    return form_pairs.url_encoded(body) if request.mimetype == URL_ENCODED else form_pairs.multipart(body)


def _limit_body(requester: Requester) -> None:
    if requester == ANONYMOUS:
        request.max_content_length = request.max_form_memory_size = ANONYMOUS_BODY_LIMIT
        if (request.content_length or 0) > ANONYMOUS_BODY_LIMIT:
            raise RequestEntityTooLarge


def _refuse_cut_off() -> None:
    # Werkzeug ends a chunked body at the limit without an error (LimitedStream.readall): half a form would be
    # read as a whole one.
    limit = request.max_content_length or 0
    if request.content_length is None and request.stream.tell() >= limit:
        raise RequestEntityTooLarge


def _accept(submission: Submission, requester: Requester) -> SignupResult:
    evidence = Evidence(
        page=page_of(request.headers.get("Referer"), request.headers.get("Origin")),
        network_address=request.remote_addr,
        user_agent=request.headers.get("User-Agent"),
        service=known_base_url(),
    )
    return services().intake.accept(submission, requester, evidence, request_options.handling(requester))


def _as_json(result: SignupResult, submission: Submission) -> Response:
    body: dict[str, object] = {"id": result.id, "status": result.status}
    status, location = HTTPStatus.ACCEPTED, None
    if result.status in {"subscribed", "pending_confirmation"}:
        body |= {"action": result.action, "contact_id": result.contact_id}
        status = HTTPStatus.OK if result.action == "updated" else HTTPStatus.CREATED
    elif result.status != RECEIVED:
        # In production it does not come from the Host header: if it is not set, the address is relative.
        # A stranger gets none: the status would tell no more than this answer.
        location = body["status_url"] = f"{known_base_url() or ''}/signups/{result.id}"
    if submission.reading.ignored:
        body["ignored"] = submission.reading.ignored
    answer = make_response(jsonify(body), status)
    if location:
        answer.location = location
    return answer


def _for_scripts(result: SignupResult, submission: Submission) -> Response:
    return _as_fragment(result, submission) if wants_fragment() else _as_json(result, submission)


def _as_fragment(result: SignupResult, submission: Submission) -> Response:
    """Answer thanks as a fragment for htmx, or redirect it to the site's own page of thanks."""
    form = services().forms.seen(submission.form)
    thanks = form.thank_you_message if form else None
    answer = make_response(render_template("subscribe/fragment.html", thanks=thanks), HTTPStatus.ACCEPTED)
    if page := _own_thanks(submission, result.id):
        answer.headers["HX-Redirect"] = page
    return answer


def _next_page(submission: Submission, signup_id: str) -> str:
    form = services().forms.seen(submission.form)
    return _own_thanks(submission, signup_id) or url_for("site.thank_you", form=form.slug if form else None)


def _own_thanks(submission: Submission, signup_id: str) -> str | None:
    """Return the page of thanks that the sign-up or its form names, if it is allowed."""
    form = services().forms.seen(submission.form)
    if submission.redirect:
        if may_redirect_to(submission.redirect, also=form.redirects if form else ()):
            return to_send(submission.redirect)
        # The sign-up is on disk: a page of thanks that is not allowed must not make it look refused.
        log.warning(
            "redirect_not_allowed", signup_id=signup_id, cure="add the page's origin to ALLOWED_ORIGINS"
        )
    return to_send(form.thank_you_url) if form and form.thank_you_url else None


def _with_mistakes(
    pairs: Sequence[tuple[str, str]], error: InvalidSubmission | StorageUnavailable | TooManyAttempts
) -> Response:
    form = services().forms.seen(dict(pairs).get("form"))
    errors = error.errors if isinstance(error, InvalidSubmission) else ()
    notice = None if errors else str(error)
    if form:
        pairs = _with_token(pairs, form, errors)
    filled = form_view.fill(pairs, errors, form, services().fields_and_tags.custom_fields_known())
    page = render_template(
        "subscribe/form.html", form=filled, notice=notice, organisation=services().organisation.name()
    )
    answer = make_response(page, STATUS[type(error)])
    if not isinstance(error, InvalidSubmission):
        answer.headers["Retry-After"] = str(error.retry_after)
    headers.allow_visitors_form(answer, captchas.provider_of(form) if form else None)
    return answer


def _with_token(
    pairs: Sequence[tuple[str, str]], form: Form, errors: Sequence[FieldError]
) -> Sequence[tuple[str, str]]:
    """Keep the token of a form that is shown again: it tells when that was first. Renew a stale one."""
    stale = any(error.field == TOKEN for error in errors)
    if form.protection == "none" or (dict(pairs).get(TOKEN) and not stale):
        return pairs
    token = services().protection.token(form, shown_before=stale)
    return [*((name, value) for name, value in pairs if name != TOKEN), (TOKEN, token)]
