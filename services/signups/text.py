"""Sign-ups as text for a terminal."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from services.signups.advice import moment
from services.submission.fields import RECORDED
from store.signups.records import CallRecord, SignupRecord

# A name and its value; what has no value is not printed.
Row = tuple[str, str | None]


def lines_of(rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    """Yield a name and each line of its value, which may have several, as the wording of a consent does."""
    for name, value in rows:
        for number, line in enumerate(value.splitlines() if value else []):
            yield "" if number else printable(name), printable(line)


def printable(text: str) -> str:
    """Return the text without control characters, by which strangers could steer the terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)


def signup_line(record: SignupRecord) -> str:
    """Return one sign-up as one line."""
    words = [record.id, moment(record.received_at), f"{record.state:<9}", record.email, record.last_error]
    return printable("  ".join(word for word in words if word))


def signup_rows(record: SignupRecord, attempts: Iterable[CallRecord], what_next: str) -> list[Row]:
    """Return name and value of all that is known of one sign-up."""
    return [
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


def _as_text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _sms(sms: Mapping[str, Any]) -> Iterator[Row]:
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


def _call(attempt: CallRecord) -> str:
    ended = f" to {moment(attempt.ended_at)}" if attempt.ended_at is not None else ""
    outcome = attempt.outcome or "no outcome yet, or its process died"
    said = f" Constant Contact said: {attempt.vendor_said}" if attempt.vendor_said else ""
    return f"{moment(attempt.started_at)}{ended}: {outcome}{said}"
