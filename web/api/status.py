"""What other servers, probes and schedulers ask: lists, health, metrics, draining."""

from __future__ import annotations

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
    """The account's lists, for holders of an API key and admins."""
    if guards.requester() == ANONYMOUS and not guards.is_admin():
        raise Unauthorized
    view = services().lists.read(refresh=request.args.get("refresh") == "1")
    return jsonify(ListsView(lists=view.entries, fetched_at=view.fetched_at, stale=view.stale))


@blueprint.get("/health")
def health() -> Response:
    """How the service is; 503 only when sign-ups cannot be stored: a host restarts what answers that.

    With ?strict=1 it is a 503 whenever not everything is well, for who watches and does not restart.
    """
    report = services().health.report(for_all=not guards.may_see_all())
    answer = asdict(report) | {"problems": [problem.sentence for problem in report.problems]}
    # The first is the status code; the second is for the dashboard, and no matter of how the service is.
    for name in ("storable", "suspected"):
        del answer[name]
    well = report.status == "ok" if request.args.get("strict") == "1" else report.storable
    return make_response(jsonify(answer), HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE)


@blueprint.get("/metrics")
def metrics() -> Response:
    """The figures for Prometheus, for holders of an API key."""
    if guards.requester() == ANONYMOUS:
        raise Unauthorized
    text, content_type = services().metrics.exposition(request.headers.get("Accept", ""))
    return Response(text, content_type=content_type)


@blueprint.post("/internal/drain")
def drain() -> Response:
    """Deliver for at most 25 s; does not exist without a DRAIN_TOKEN."""
    token = services().drain_token
    if not token.is_set:
        raise NotFound
    if not token.matches(guards.bearer_token() or ""):
        raise Unauthorized
    return jsonify(asdict(services().delivery.drain(DRAIN_SECONDS)))
