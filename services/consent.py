"""The wordings a form asks people to agree to, every version of them."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict


class Consent(BaseModel):
    """What a person agrees to; a wording never changes, a new one is the next version."""

    model_config = ConfigDict(frozen=True)

    version: int
    wording: str

    @property
    def reference(self) -> str:
        """What a page sends for it, so that the sign-up tells which wording the person had before them."""
        return f"version {self.version}"


def current(wordings: Sequence[str]) -> Consent | None:
    """Today's of the wordings, version 1 first; an empty one says that none was asked for."""
    return _version(wordings, len(wordings))


def agreed(wordings: Sequence[str], sent: str | None) -> Consent | None:
    """The wording that was agreed to: the one that `sent` refers to or repeats, otherwise today's.

    HTML that was pasted into a site goes on showing the wording of that day.
    """
    ever = [_version(wordings, number) for number in range(len(wordings), 0, -1)]
    named = (consent for consent in ever if consent and sent in (consent.reference, consent.wording))
    return next(named, current(wordings))


def _version(wordings: Sequence[str], number: int) -> Consent | None:
    wording = wordings[number - 1] if number else ""
    return Consent(version=number, wording=wording) if wording else None
