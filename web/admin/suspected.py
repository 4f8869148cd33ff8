"""The pages of suspected sign-ups: find, release and delete them, one by one or all of one reason."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from services.protection.rules import RULES
from services.signups.suspected import BULK_MOST
from web.current import services

PER_PAGE = 50
DECISIONS = frozenset({"release", "delete"})

blueprint = Blueprint("suspected", __name__, url_prefix="/suspected")


@blueprint.get("/")
def index() -> str:
    """Show suspected sign-ups, the likeliest people first: all, those of one reason, or of one address."""
    reason, address = _reason(), request.args.get("address", "").strip()
    after = None
    if address:
        suspects = tuple(services().suspected.of_address(address, PER_PAGE))
    else:
        page = services().suspected.page(PER_PAGE, after=request.args.get("after"), reason=reason)
        suspects, after = page.suspects, page.after
    lists = services().lists.known()
    waiting = services().suspected.counts()
    services().suspected.look()
    return render_template(
        "admin/suspected.html",
        suspects=suspects,
        after=after,
        waiting=waiting,
        reasons=RULES,
        reason=reason,
        address=address,
        form_names={form.id: form.name for form in services().forms.all()},
        list_names={entry.list_id: entry.name for entry in lists.entries} if lists else {},
    )


@blueprint.get("/<decision>-all")
def confirm(decision: str) -> str:
    """Ask for a confirmation before all sign-ups of one reason are released or deleted."""
    reason = _reason()
    if reason is None or decision not in DECISIONS:
        raise NotFound
    some, seen = services().suspected.to_confirm(reason, PER_PAGE)
    return render_template(
        "admin/suspected_confirm.html",
        decision=decision,
        reason=reason,
        sentence=RULES[reason],
        some=some,
        most_shown=PER_PAGE,
        # Epoch ms: the decision leaves out what was received later, which this page does not show.
        seen=seen,
    )


@blueprint.post("/<decision>-all")
def decide_all(decision: str) -> Response:
    """Release or delete what was confirmed, at most BULK_MOST sign-ups in one request."""
    if decision not in DECISIONS:
        raise NotFound
    reason, seen = _reason(), request.form.get("seen", type=int)
    if reason is None or seen is None or not 0 < seen < 2**53:
        abort(HTTPStatus.BAD_REQUEST)
    decide = services().suspected.release_all if decision == "release" else services().suspected.delete_all
    count = decide(reason, seen=seen)
    done = "released for delivery" if decision == "release" else "deleted"
    number = "One sign-up" if count == 1 else f"{count:,} sign-ups"
    message = f"{number} {done}." if count else "No sign-up was left to decide on."
    if count >= BULK_MOST:
        message += " There may be more. Repeat to continue."
    flash(message)
    return redirect(url_for(".index"), HTTPStatus.SEE_OTHER)


@blueprint.post("/<uuid:signup_id>/release")
def release(signup_id: UUID) -> Response:
    """Release one suspected sign-up: store it with a delivery like any other."""
    return _decided(services().suspected.release(str(signup_id)), "Released for delivery.")


@blueprint.post("/<uuid:signup_id>/delete")
def delete(signup_id: UUID) -> Response:
    """Delete one suspected sign-up for good."""
    return _decided(services().suspected.delete(str(signup_id)), "Deleted.")


def _reason() -> str | None:
    reason = request.values.get("reason")
    return reason if reason in RULES else None


def _decided(done: bool, message: str) -> Response:
    if not done:
        raise NotFound
    flash(message)
    return redirect(url_for(".index"), HTTPStatus.SEE_OTHER)
