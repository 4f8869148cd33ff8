"""Routes for other servers, health probes and schedulers: lists, health, metrics, drain."""

from dataclasses import asdict, dataclass
from http import HTTPStatus

from flask import Blueprint, Response, jsonify, make_response, request
from werkzeug.exceptions import NotFound, Unauthorized

from services.access.requester import ANONYMOUS
from services.constant_contact.client import ContactList
from web.current import services
from web.security import guards

# Below the 30 s after which many hosts give up on a request.
DRAIN_SECONDS = 25

blueprint = Blueprint("api", __name__)


@dataclass(frozen=True)
class ListsView:
    """What `GET /lists` answers."""

    lists: tuple[ContactList, ...]
    fetched_at: int
    stale: bool


@blueprint.get("/lists")
def lists() -> Response:
    """Answer the account's lists to holders of an API key and admins."""
    if guards.requester() == ANONYMOUS and not guards.is_admin():
        raise Unauthorized
    view = services().lists.read(refresh=request.args.get("refresh") == "1")
    return jsonify(ListsView(lists=view.entries, fetched_at=view.fetched_at, stale=view.stale))


@blueprint.get("/health")
def health() -> Response:
    """Answer how the service is: with 503 only if sign-ups cannot be stored, since a host restarts on that.

    With ?strict=1 it is 503 unless everything is well, for monitors that restart nothing.
    """
    report = services().health.report(for_all=not guards.may_see_all())
    answer = asdict(report) | {"problems": [problem.sentence for problem in report.problems]}
    # `storable` shows as the status code; `suspected` is for the dashboard.
    for name in ("storable", "suspected"):
        del answer[name]
    well = report.status == "ok" if request.args.get("strict") == "1" else report.storable
    return make_response(jsonify(answer), HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Answer the metrics for Prometheus to holders of an API key."""
    if guards.requester() == ANONYMOUS:
        raise Unauthorized
    text, content_type = services().metrics.exposition(request.headers.get("Accept", ""))
    return Response(text, content_type=content_type)


@blueprint.post("/internal/drain")
def drain() -> Response:
    """Deliver for at most 25 s; 404 where DRAIN_TOKEN is not set."""
    token = services().drain_token
    if not token.is_set:
        raise NotFound
    if not token.matches(guards.bearer_token() or ""):
        raise Unauthorized
    return jsonify(asdict(services().delivery.drain(DRAIN_SECONDS)))
