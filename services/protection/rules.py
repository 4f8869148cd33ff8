"""The rules by which an anonymous sign-up is suspected to be a program's.

One that breaks a rule is not refused: its sender would only learn the rule, and a person taken for a program
would be lost. It is answered like any other and suspected (services/signups/suspected.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from itsdangerous import BadData, URLSafeSerializer

from services.access.network_place import place_of
from services.errors import FieldError, InvalidSubmission
from services.forms.form import Form
from services.forms.honeypot import BAIT
from services.protection.captcha import Captcha
from services.protection.disposable import is_disposable
from services.protection.providers import PROVIDERS
from services.protection.third_party import CAPTCHA_RULES
from services.submission.fields import Submission
from store.engine.clock import Clock
from store.signups.batch import JUNK, PROVEN, UNSURE, Judgement
from store.signups.rate_limits import Limit

TOKEN = "form_token"  # noqa: S105 - the field's name
FASTEST_FILL_MS = 2_000
TOKEN_LIVES_MS = 24 * 3_600_000
STALE = "This page was open for too long. Please send it once more."

# The rules by the names that are stored, and what they mean to an admin.
RULES = {
    "honeypot": "A field that people do not see was filled in.",
    "disposable": "The address is at a service for addresses that are thrown away.",
    "no_token": "The form's token was missing: it was not sent from the form as we show it.",
    "wrong_token": "The form's token was not one of ours.",
    "too_fast": "The form was sent within two seconds of being shown.",
    "no_proof": "The proof of work was missing: it was sent without a script.",
    "wrong_proof": "The proof of work was wrong.",
    "used_proof": "The proof of work was used before, or is too old.",
    "form_full": "As many sign-ups by this form waited for their delivery as it allows.",
    "address_rate": "Many sign-ups came from this address within a minute.",
    "address_rate_hour": "Many sign-ups came from this address within an hour.",
    "address_rate_day": "Many sign-ups came from this address within a day.",
    "network_rate": "Many sign-ups came from this network within a minute.",
    "network_rate_hour": "Many sign-ups came from this network within an hour.",
    "network_rate_day": "Many sign-ups came from this network within a day.",
    "store_away": "Sign-ups came from very many addresses within a minute, while the database was away.",
    "form_rate": "Many sign-ups came by this form, or without a form, within a minute.",
} | CAPTCHA_RULES
# What programs do, or people who want no mail.
JUNK_RULES = frozenset({"honeypot", "disposable"})
# Broken by something else than the sender.
NOT_BY_ITS_FAULT = frozenset({"form_full", "captcha_unchecked"})
# A /48 is what a rented server comes with, but also a company with a network on each floor.
SITE_NETWORKS = 2


@dataclass(frozen=True)
class RateLimits:
    """How many sign-ups from one address, from one network, and by one form are not suspected; 0: no limit.

    `address`, `network` and `form` are by the minute. The slower ones are, where they are None, five times as
    much an hour and fifteen times as much a day: a school behind one address may sign up five classes of
    twenty in an hour and fifteen in a day, and takes 3 % of the vendor's day.
    """

    address: int = 20
    network: int = 100
    form: int = 600
    address_hour: int | None = None
    address_day: int | None = None
    network_hour: int | None = None
    network_day: int | None = None

    def of_address(self) -> tuple[int | None, int | None, int | None]:
        """By minute, hour and day; None: no limit."""
        return _limited(self.address, self.address_hour, self.address_day)

    def of_network(self) -> tuple[int | None, int | None, int | None]:
        """By minute, hour and day; None: no limit."""
        return _limited(self.network, self.network_hour, self.network_day)


def is_trapped(submission: Submission, form: Form | None) -> bool:
    """Return whether the field was filled in that people do not see (services/forms/honeypot.py).

    `website` is that field only where HTML of an earlier release may have sent it: by a form of that time
    that asks nobody for a website, or without a form, in a body of documented names only that lacks the
    field of today.
    """
    if submission.reading.trap is not None:
        return bool(submission.reading.trap.strip())
    if not submission.website or not submission.reading.plain:
        return False
    asked = form is not None and any(BAIT in (field.custom_field or "").casefold() for field in form.fields)
    return form is None or not (form.own_trap or asked)


def _limited(minute: int, hour: int | None, day: int | None) -> tuple[int | None, int | None, int | None]:
    hour, day = 5 * minute if hour is None else hour, 15 * minute if day is None else day
    return minute or None, hour or None, day or None


@dataclass(frozen=True, kw_only=True)
class Protection:
    """Judges anonymous sign-ups by the rules, and signs the tokens that tell when a form was shown.

    Args:
        keys: those whose tokens are accepted; the first one signs.
        rates: the rate limits.
        captchas: by the level of a form's protection that asks for them.
        is_full: tells whether as many sign-ups of a form wait as may.
        due_at: when (epoch ms) the delivery of a sign-up by a form, or without one, is due; None for at once.
        clock: the time that all hosts share.
        seen: hears the short name of a form for each of its anonymous posts.
        unlimited: tells network addresses for which only the limit of a form counts.
    """

    keys: Callable[[], tuple[str, ...]]
    rates: RateLimits
    captchas: Mapping[str, Captcha]
    is_full: Callable[[Form], bool]
    due_at: Callable[[Form | None], int | None]
    clock: Clock
    seen: Callable[[str], None] = lambda _slug: None
    unlimited: Callable[[str | None], bool] = lambda _address: False

    def token(self, form: Form, *, shown_before: bool = False) -> str:
        """Return a token that says that `form` is shown now.

        `shown_before`: it was filled in already and comes back, so it may be sent at once.
        """
        shown_at = self.clock() - (FASTEST_FILL_MS if shown_before else 0)
        return _signer(self.keys()).dumps([form.slug, shown_at])

    def judge(self, submission: Submission, form: Form | None, network_address: str | None) -> Judgement:
        """Return the rules that an anonymous submission breaks, and the limits that it counts for.

        Raises:
            InvalidSubmission: the token is a day old, which happens to people: they are asked to send again.
        """
        if form:
            self.seen(form.slug)
        broken, once, rank = self._broken(submission, form), None, UNSURE
        captcha = self.captchas.get(form.protection) if form else None
        # Also where a rule is broken: whoever solved it is a person, whose sign-up an admin is to see.
        if captcha and form and (not broken or submission.altcha or submission.captcha):
            result = captcha.check(submission, form, network_address)
            if result.fault is None:
                once, rank = result.once, PROVEN
            elif not broken:
                broken = (result.fault,)
        if rank != PROVEN and JUNK_RULES.intersection(broken):
            rank = JUNK
        if not broken and form and self.is_full(form):
            broken = ("form_full",)
        # Of a flood of those that gave themselves away as a program's not all are kept.
        found_out = rank != PROVEN and any(rule not in NOT_BY_ITS_FAULT for rule in broken)
        limits = self.limits(network_address, form, found_out=found_out)
        return Judgement(broken, limits, once, rank, self.due_at(form), found_out)

    def limits(
        self, network_address: str | None, form: Form | None, *, found_out: bool = False
    ) -> tuple[Limit, ...]:
        """Return the rate limits that an anonymous sign-up counts for.

        Those that were found out have counts of their own: a crowd of programs must not make people
        suspected, be it by the same form or from the same address. An address that is not public has the
        limit of a network.
        """
        kind = "suspected" if found_out else "sign-up"
        by_form = Limit("form_rate", f"{kind} form:{form.id if form else None}", self.rates.form or None)
        if self.unlimited(network_address):
            return (by_form,) if form and any(by_form.most) else ()
        place, (minute, hour, day) = place_of(network_address), self.rates.of_network()
        limits = [Limit("network_rate", f"{kind}:{place.network}", minute, hour, day), by_form]
        if place.public:
            limits.insert(0, Limit("address_rate", f"{kind}:{place.address}", *self.rates.of_address()))
        if place.site:
            most = (SITE_NETWORKS * number if number else None for number in (minute, hour, day))
            limits.append(Limit("network_rate", f"{kind}:{place.site}", *most))
        return tuple(limit for limit in limits if any(limit.most))

    def _broken(self, submission: Submission, form: Form | None) -> tuple[str, ...]:
        if is_trapped(submission, form):
            return ("honeypot",)
        if form is None or form.protection == "none":
            return ()
        if is_disposable(submission.email):
            return ("disposable",)
        return self._by_token(submission.form_token, form)

    def _by_token(self, token: str | None, form: Form) -> tuple[str, ...]:
        if token is None:
            # HTML that was copied into a site brings no token; a third party's captcha takes its place there.
            return () if form.protection in PROVIDERS else ("no_token",)
        try:
            slug, shown_at = _signer(self.keys()).loads(token)
        except BadData:
            return ("wrong_token",)
        age = self.clock() - shown_at
        if slug != form.slug:
            return ("wrong_token",)
        if age > TOKEN_LIVES_MS:
            raise InvalidSubmission([FieldError(TOKEN, STALE)])
        return ("too_fast",) if age < FASTEST_FILL_MS else ()


@lru_cache(maxsize=8)
def _signer(keys: tuple[str, ...]) -> URLSafeSerializer:
    # It signs with the last one.
    return URLSafeSerializer(list(reversed(keys)), salt="form token")
