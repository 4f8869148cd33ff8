"""The record of a sign-up: what is kept for good, with the evidence of consent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.access.requester import Requester
from services.forms.form import Applied
from services.intake.identifiers import SignupIds
from services.plain_text import header_text
from services.submission.consent import on_record
from services.submission.fields import RECORDED
from store.signups.accept import NewSignup

LONGEST_HEADER_BYTES = 500
# IPv6 with an IPv4 address at its end; a proxy may be told anything.
LONGEST_NETWORK_ADDRESS = 45


@dataclass(frozen=True)
class Evidence:
    """What the request shows about the consent: the page, the network address, the browser.

    `service` is our own address, for who must be told a page where the request shows none.
    """

    page: str | None = None
    network_address: str | None = None
    user_agent: str | None = None
    service: str | None = None


@dataclass(frozen=True)
class Recorder:
    """Gives each sign-up its id and its time; `clock` tells epoch ms."""

    ids: SignupIds
    clock: Callable[[], int]

    def record(self, applied: Applied, sender: Requester, evidence: Evidence) -> NewSignup:
        """The record of a sign-up that keeps the rules."""
        now, said, consent = self.clock(), applied.submission, applied.consent
        return NewSignup(
            id=self.ids.new(now),
            received_at=now,
            contact_key=said.email,
            email=said.email,
            person=said.person,
            list_ids=said.list_ids,
            source=said.source,
            consent=consent.wording if consent else None,
            consent_sent=on_record(said.consent),
            page=header_text(evidence.page, LONGEST_HEADER_BYTES),
            network_address=header_text(evidence.network_address, LONGEST_NETWORK_ADDRESS),
            user_agent=header_text(evidence.user_agent, LONGEST_HEADER_BYTES),
            asked_by=sender.name,
            form_id=applied.form.id if applied.form else None,
            consent_version=consent.version if consent else None,
            sms=applied.sms.evidence(evidence.page or evidence.service or "") if applied.sms else None,
            custom_fields=said.custom_fields,
            tags=said.tags,
            **{name: getattr(said, name) for name in RECORDED},
        )
