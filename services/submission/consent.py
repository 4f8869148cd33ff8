"""Consent: the wordings that a form asks for, every version of them, and what an answer to them means.

Answers are read in this module only, for the consent to e-mail and the one to text messages: an answer is a
wording that was agreed to, or a refusal, or an error for the sender. Nothing that is not understood becomes a
consent. Browsers send “on” for a ticked box, frameworks true, 1 or yes; for a box that is not ticked programs
send false, 0, no or null.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from services.errors import FieldError
from services.plain_text import shortened

AFFIRMATIONS = frozenset(
    {
        *("on", "true", "1", "yes", "y", "t", "ok", "okay", "checked", "ticked", "selected", "given"),
        *("granted", "agree", "agreed", "accept", "accepted", "consent", "consented", "i agree", "i accept"),
        *("i consent", "yes please", "yes i agree", "yes i accept", "yes i do", "opt in", "opted in"),
        *("optin", "ja", "oui", "si", "sì", "sí", "sim", "tak", "da"),
    }
)
REFUSALS = frozenset(
    {
        *("", "false", "0", "no", "n", "f", "off", "null", "undefined", "none", "nil", "nan", "0 0"),
        *("nope", "never", "not", "not given", "unchecked", "unticked", "opt out", "opted out", "optout"),
        *("disagree", "disagreed", "decline", "declined", "deny", "denied", "refuse", "refused", "reject"),
        *("rejected", "withdrawn", "unsubscribe", "i disagree", "i decline", "i refuse"),
        *("nein", "non", "nej", "nee", "não", "nao", "nie", "ne"),
    }
)
# “No, thanks” as forms word it. Other texts that begin with “no” may be a wording, such as “No spam: only
# news of the shop” or “Don't miss a thing”.
_NO_THANKS = re.compile(
    r"(no|nope|nein|non|nej|nee|não|nao)(\s*[,.;:!].*|\s+[–—-].*"
    r"|\s+(thanks?|thank you|thx|i|we|danke|merci|gracias|grazie|obrigad[oa]|tack|tak|bedankt)\b.*)"
    r"|not (now|today|yet|interested)\b.*"
    r"|(please |i |we )?(do not|don['’]?t|never|will not|won['’]?t|would rather not|would prefer not to)"
    r" (agree|consent|accept|want|wish|contact|send|e-?mail|mail|text|call|sign|subscribe|add|write|opt)"
    r"\b(?! to miss).*",
    re.DOTALL,
)
_VERSION = re.compile(r"v(?:ersion)?[ .]?(\d{1,9})")
UNKNOWN_VERSION = "“{sent}” is no wording that this form ever had. Send {today}, or the wording itself."
UNKNOWN_TEXT = "“{sent}” does not tell whether the person agreed. Send true, false, {today} or the wording."
LONGEST_QUOTED = 100
# Of the answer as it was sent, which is stored beside the wording.
LONGEST_RECORD = 200


class Consent(BaseModel):
    """A wording to agree to. It never changes: a new wording is the next version."""

    model_config = ConfigDict(frozen=True)

    version: int
    wording: str

    @property
    def reference(self) -> str:
        """What a page sends for it, so that the sign-up tells which wording the person saw."""
        return f"version {self.version}"


@dataclass(frozen=True)
class Agreed:
    """A consent that was given: the wording on record, and its version among the form's.

    Where no wording is known, `wording` is what was sent, such as “on”.
    """

    wording: str
    version: int | None = None


@dataclass(frozen=True)
class Consents:
    """Both consents of a sign-up, to e-mail and to text messages; None for one that was not given.

    `unclear` has an error for each of the fields that cannot be understood.
    """

    mail: Agreed | None = None
    messages: Agreed | None = None
    unclear: tuple[FieldError, ...] = ()

    def is_unclear(self, field: str) -> bool:
        """Return whether that field cannot be understood."""
        return any(error.field == field for error in self.unclear)


class Unclear(Exception):
    """An answer is neither a consent nor a refusal; the text is a sentence that says so."""


def current(wordings: Sequence[str]) -> Consent | None:
    """Return today's consent, the last of the `wordings`; None if it is empty: none is asked for."""
    return _version(wordings, len(wordings))


def agreed(sent: str | None, wordings: Sequence[str], *, trusted: bool) -> Agreed | None:
    """Return what was agreed to by the answer that was `sent`; None where no consent was given.

    HTML that was pasted into a site goes on showing the wording of that day; its answers count for that one.

    Args:
        sent: the value of the field, as `answer` reads it.
        wordings: every wording of the form, version 1 first. Empty without a form, and for a form that never
            had one: then a text is taken for the wording that was shown.
        trusted: the holder of an API key sent it, who may have shown a wording of its own.

    Raises:
        Unclear: it is neither a consent nor a refusal, or names a wording that the form never had.
    """
    plain = _plain(sent or "")
    if not plain:
        return None
    known = [consent for number in range(len(wordings), 0, -1) if (consent := _version(wordings, number))]
    for consent in known:
        if plain == _plain(consent.wording):
            return Agreed(consent.wording, consent.version)
    if _refuses(plain):
        return None
    if known and (named := _VERSION.fullmatch(plain)):
        return _named(int(named[1]), known, wordings, sent or "")
    if _bare(plain) in AFFIRMATIONS:
        today = current(wordings)
        return Agreed(today.wording, today.version) if today else Agreed((sent or "").strip())
    if trusted or not known:
        return Agreed((sent or "").strip())
    raise Unclear(UNKNOWN_TEXT.format(sent=_quoted(sent or ""), today=known[0].reference))


def agreements(
    *,
    mail: tuple[str | None, Sequence[str]],
    messages: tuple[str | None, Sequence[str]],
    trusted: bool,
) -> Consents:
    """Judge both consents of a sign-up, each by what was sent and the form's wordings, see `agreed`."""
    found: dict[str, Agreed | None] = {}
    unclear = []
    for field, (sent, wordings) in {"consent": mail, "sms_consent": messages}.items():
        try:
            found[field] = agreed(sent, wordings, trusted=trusted)
        except Unclear as mistake:
            unclear.append(FieldError(field, str(mistake)))
    return Consents(found.get("consent"), found.get("sms_consent"), tuple(unclear))


def answer(values: Iterable[str]) -> str | None:
    """Return what several values of one field say together; None for nothing.

    Frameworks put a hidden “false” or “0” beside a box that may be unticked: a value that agrees outweighs
    it. Several texts are one wording in parts.
    """
    given = list(dict.fromkeys(value for value in values if value.strip()))
    agreeing = [value for value in given if not _refuses(_plain(value))]
    texts = [value for value in agreeing if _bare(_plain(value)) not in AFFIRMATIONS]
    return "\n".join(texts) if texts else next(iter(agreeing or given), None)


def ticked(values: Iterable[str], wordings: Sequence[str]) -> bool:
    """Return whether a page with today's wording shows its box ticked; not for a tick of another wording."""
    today = current(wordings)
    try:
        given = agreed(answer(values), wordings, trusted=False)
    except Unclear:
        return False
    return today is not None and given == Agreed(today.wording, today.version)


def on_record(sent: str | None) -> str | None:
    """Return the answer as it is stored beside the wording: literally, and shortened."""
    return shortened(sent, LONGEST_RECORD) if sent else None


def _named(number: int, known: Sequence[Consent], wordings: Sequence[str], sent: str) -> Agreed:
    consent = _version(wordings, number) if number <= len(wordings) else None
    if consent is None:
        raise Unclear(UNKNOWN_VERSION.format(sent=_quoted(sent), today=known[0].reference))
    return Agreed(consent.wording, consent.version)


def _version(wordings: Sequence[str], number: int) -> Consent | None:
    wording = wordings[number - 1] if number else ""
    return Consent(version=number, wording=wording) if wording else None


def _plain(text: str) -> str:
    """Normalise case, width, runs of blanks and line breaks, and drop invisible characters."""
    seen = "".join(each for each in unicodedata.normalize("NFKC", text) if unicodedata.category(each) != "Cf")
    return " ".join(seen.split()).casefold()


def _bare(plain: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", plain).split())


def _refuses(plain: str) -> bool:
    return _bare(plain) in REFUSALS or _NO_THANKS.fullmatch(plain) is not None


def _quoted(sent: str) -> str:
    return shortened(" ".join(sent.split()), LONGEST_QUOTED)
