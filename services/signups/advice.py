"""Sign-ups as text for a terminal, with what happens next or is to be done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from services.delivery.errors import LeftSince
from services.delivery.kinds.sign_up.confirmed_opt_in import PENDING
from services.delivery.kinds.sign_up.returning import ASKED
from services.submission.fields import RECORDED
from store.signups.records import CallRecord, SignupRecord

WHAT_RETRY_LEADS_TO = (
    "The running service sends what is due within half a minute, unless Constant Contact is away or today's "
    "calls are used up; where DELIVERY=off, `flask worker` or the next drain does."
)

HAS_BEEN_ASKED = (
    "Nothing to do: the person had left, and Constant Contact has mailed them the question whether to come "
    "back. They are subscribed as soon as they say yes."
)
LEFT_SINCE = "Nothing to mend: it stays on record and is not sent, also not when it is retried."
IS_TO_CONFIRM = (
    "Nothing to do: Constant Contact has mailed them the question whether to sign up, as this account "
    "confirms sign-ups. They are subscribed as soon as they say yes."
)
_WAITS_FOR_A_YES = {ASKED: HAS_BEEN_ASKED, PENDING: IS_TO_CONFIRM}
_ENDED = {
    "delivered": "Nothing to do: Constant Contact has it.",
    "dropped": "Nothing to do: a person decided that it is not to be sent.",
}


def moment(epoch_ms: int) -> str:
    """Return a time (epoch ms) as ISO 8601 in UTC, as in “2026-11-21T09:38:16.123Z”."""
    return f"{datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec='milliseconds')[:-6]}Z"


def advice(record: SignupRecord, *, carrier: str | None, now: int) -> str:
    """Return what happens next, or what a person must do, at `now` (epoch ms).

    `carrier` is the id of the sign-up that this one was merged into.
    """
    if record.state in _ENDED:
        return _WAITS_FOR_A_YES.get(record.action or "", _ENDED[record.state])
    if record.state == "merged":
        return f"Nothing to do: the call for {carrier}, a sign-up of the same person, carried it."
    if record.state == "parked":
        mend = (
            "It stays here until a person decides. Mend what the last error says, "
            f"then run `flask signups retry {record.id}`. `flask signups drop {record.id}` ends it instead."
        )
        return LEFT_SINCE if record.last_error == LeftSince.plain else mend
    due_at = record.due_at or now
    if record.state == "sending":
        return (
            f"It is being sent. Should the sending process have died, it is sent again at {moment(due_at)}."
        )
    if due_at > now:
        return f"Nothing to do: it is tried again by itself at {moment(due_at)}."
    return "It is due and goes out in its turn. If it does not, `flask doctor` says why."


def line(record: SignupRecord) -> str:
    """Return one sign-up as one line."""
    words = [record.id, moment(record.received_at), f"{record.state:<9}", record.email, record.last_error]
    return printable("  ".join(word for word in words if word))


def rows(record: SignupRecord, attempts: Iterable[CallRecord], what_next: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of all that is known of one sign-up."""
    known = [
        ("Sign-up", record.id),
        ("State", record.state),
        ("Next", what_next),
        ("Received", moment(record.received_at)),
        ("E-mail", record.email),
        *((_label(name), value) for name, value in record.person.items()),
        *((f"“{name}”", _as_text(value)) for name, value in record.custom_fields.items()),
        *(("List", list_id) for list_id in record.list_ids),
        *(("Tag", tag) for tag in record.tags),
        ("Form", record.form),
        ("Source", record.source),
        ("Consent", record.consent or _no_consent(record.consent_sent)),
        ("Consent sent", record.consent_sent),
        ("Consent version", str(record.consent_version) if record.consent_version else None),
        *_sms(record.sms or {}),
        ("Page", record.page),
        *((label, getattr(record, name)) for name, label in RECORDED.items()),
        ("Network address", record.network_address),
        ("Browser", record.user_agent),
        ("Asked by", record.asked_by),
        ("Contact", f"{record.contact_id} ({record.action})" if record.contact_id else None),
        ("Finished", moment(record.finished_at) if record.finished_at is not None else None),
        ("Last error", record.last_error),
        ("Vendor said", record.vendor_said),
        ("Note", record.note),
        *(("Call", _call(attempt)) for attempt in attempts),
    ]
    for name, value in known:
        # The wording of a consent may have several lines.
        for number, part in enumerate(value.splitlines() if value else []):
            yield "" if number else printable(name), printable(part)


def _as_text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _sms(sms: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    version = sms.get("consent_version")
    yield "Text messages", sms.get("number")
    yield "SMS consent", sms.get("consent")
    yield "SMS sent", sms.get("consent_sent")
    yield "SMS version", str(version) if version else None
    yield "SMS page", sms.get("page")


def _no_consent(sent: str | None) -> str:
    return "not given" if sent else "no wording was sent"


def _label(name: str) -> str:
    return "Address state" if name == "state" else name.replace("_", " ").capitalize()


def printable(text: str) -> str:
    """Return the text without control characters, by which strangers could steer the terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)


def _call(attempt: CallRecord) -> str:
    ended = f" to {moment(attempt.ended_at)}" if attempt.ended_at is not None else ""
    outcome = attempt.outcome or "no outcome yet, or its process died"
    said = f" Constant Contact said: {attempt.vendor_said}" if attempt.vendor_said else ""
    return f"{moment(attempt.started_at)}{ended}: {outcome}{said}"
