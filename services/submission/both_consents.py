"""The two consents of one sign-up, each as it was given, or with the sentence that asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.errors import FieldError
from services.submission import consent
from services.submission.consent import Agreed


@dataclass(frozen=True)
class Consents:
    """What was agreed to for e-mail and for text messages; None where it was not.

    `unclear` has an error for each of the fields that cannot be understood.
    """

    mail: Agreed | None = None
    messages: Agreed | None = None
    unclear: tuple[FieldError, ...] = ()

    def is_unclear(self, field: str) -> bool:
        """Whether that field cannot be understood."""
        return any(error.field == field for error in self.unclear)


def agreements(
    *,
    mail: tuple[str | None, Sequence[str]],
    messages: tuple[str | None, Sequence[str]],
    trusted: bool,
) -> Consents:
    """Judge each consent: what was sent, with the form's wordings (see `consent.agreed`)."""
    found: dict[str, Agreed | None] = {}
    unclear = []
    for field, (sent, wordings) in {"consent": mail, "sms_consent": messages}.items():
        try:
            found[field] = consent.agreed(sent, wordings, trusted=trusted)
        except consent.Unclear as mistake:
            unclear.append(FieldError(field, str(mistake)))
    return Consents(found.get("consent"), found.get("sms_consent"), tuple(unclear))
