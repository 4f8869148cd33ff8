"""The record of a sign-up: what is kept for good, with the evidence of consent."""

from dataclasses import dataclass

from services.access.requester import Requester
from services.forms.form import Applied
from services.intake.identifiers import SignupIds
from services.plain_text import header_text
from services.submission.consent import on_record
from services.submission.fields import RECORDED
from store.engine.clock import Clock
from store.signups.accept import NewSignup

LONGEST_HEADER_BYTES = 500
# The length of an IPv6 address with an IPv4 address at its end; a proxy may pass on any text.
LONGEST_NETWORK_ADDRESS = 45


@dataclass(frozen=True)
class Evidence:
    """What the request shows about the consent: the page, the network address, the browser.

    `service` is our own address: Constant Contact wants a page for a consent to text messages, also where
    the request shows none.
    """

    page: str | None = None
    network_address: str | None = None
    user_agent: str | None = None
    service: str | None = None


@dataclass(frozen=True)
class Recorder:
    """Makes the record of each sign-up, with its id and its time."""

    ids: SignupIds
    clock: Clock

    def record(self, applied: Applied, requester: Requester, evidence: Evidence) -> NewSignup:
        """Return the record of a sign-up that keeps the rules."""
        now, submission, consent = self.clock(), applied.submission, applied.consent
        return NewSignup(
            id=self.ids.new(now),
            received_at=now,
            contact_key=submission.email,
            email=submission.email,
            person=submission.person,
            list_ids=submission.list_ids,
            source=submission.source,
            consent=consent.wording if consent else None,
            consent_sent=on_record(submission.consent),
            page=header_text(evidence.page, LONGEST_HEADER_BYTES),
            network_address=header_text(evidence.network_address, LONGEST_NETWORK_ADDRESS),
            user_agent=header_text(evidence.user_agent, LONGEST_HEADER_BYTES),
            asked_by=requester.name,
            form_id=applied.form.id if applied.form else None,
            consent_version=consent.version if consent else None,
            sms=applied.sms.evidence(evidence.page or evidence.service or "") if applied.sms else None,
            custom_fields=submission.custom_fields,
            tags=submission.tags,
            **{name: getattr(submission, name) for name in RECORDED},
        )
