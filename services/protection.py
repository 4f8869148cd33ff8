"""Telling programs from people by what they send: rules without a third party and without a puzzle.

An anonymous sign-up that breaks one is not refused: its sender would only learn the rule, and a person taken
for a program would be lost. It is answered like any other and kept apart (services/quarantine.py).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from itsdangerous import BadData, URLSafeSerializer

from services.captcha import Captcha
from services.captcha_providers import CAPTCHA_RULES, PROVIDERS
from services.disposable import is_disposable
from services.errors import FieldError, InvalidSubmission
from services.forms import Form
from services.submission import Submission
from store import Limit, Once

HONEYPOT = "website"
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
    "network_rate": "Many sign-ups came from this network within a minute.",
    "store_away": "Sign-ups came from very many addresses within a minute, while the database was away.",
    "form_rate": "Many sign-ups came by this form within a minute.",
} | CAPTCHA_RULES


@dataclass(frozen=True)
class Rates:
    """How many sign-ups a minute are believed from one address, one network, by one form; 0: no limit."""

    address: int = 20
    network: int = 100
    form: int = 600


@dataclass(frozen=True)
class Judgement:
    """What is to be known of a sign-up when it is stored.

    The rules it breaks already, the limits it counts for, what must not count for another one, and whether a
    captcha was solved for it.
    """

    broken: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    once: Once | None = None
    proven: bool = False


class Protection:
    """The rules, and the signed tokens that tell when a form was shown."""

    def __init__(
        self,
        *,
        keys: Callable[[], tuple[str, ...]],
        rates: Rates,
        captchas: Mapping[str, Captcha],
        is_full: Callable[[Form], bool],
        clock: Callable[[], int],
    ) -> None:
        """`captchas` by the level of a form's protection that asks for it; `clock` tells epoch ms.

        `is_full` tells whether enough sign-ups of a form wait already. `keys` are those whose tokens are
        believed; the first makes them.
        """
        self._rates = rates
        self._captchas = captchas
        self._is_full = is_full
        self._keys = keys
        self._clock = clock

    def token(self, form: Form, *, shown_before: bool = False) -> str:
        """Says that `form` is shown now; `shown_before`: filled in already, so it may be sent at once."""
        shown_at = self._clock() - (FASTEST_FILL_MS if shown_before else 0)
        return _signer(self._keys()).dumps([form.slug, shown_at])

    def judge(self, submission: Submission, form: Form | None, network_address: str | None) -> Judgement:
        """What an anonymous submission does that a person would not, and what it counts for.

        Raises:
            InvalidSubmission: the token is a day old, which happens to people: they are asked to send again.
        """
        broken, once, proven = self._broken(submission, form), None, False
        captcha = self._captchas.get(form.protection) if form else None
        if captcha and form and not broken:
            result = captcha.check(submission, form, network_address)
            broken, once = ((result.fault,) if result.fault else ()), result.once
            proven = not broken
        return Judgement(broken, self.limits(network_address, form, suspected=bool(broken)), once, proven)

    def limits(
        self, network_address: str | None, form: Form | None, *, suspected: bool = False
    ) -> tuple[Limit, ...]:
        """What an anonymous sign-up counts for.

        A form's suspected ones count by themselves: a crowd of programs must not make people suspected.
        """
        address, network = _places(network_address)
        by_form = f"{'suspected' if suspected else 'sign-up'} form:{form.id if form else None}"
        limits = (
            Limit("address_rate", f"sign-up:{address}", self._rates.address if address else 0),
            Limit("network_rate", f"sign-up:{network}", self._rates.network if network else 0),
            Limit("form_rate", by_form, self._rates.form if form else 0),
        )
        return tuple(limit for limit in limits if limit.most)

    def _broken(self, submission: Submission, form: Form | None) -> tuple[str, ...]:
        if submission.website:
            return ("honeypot",)
        if form is None:
            return ()
        broken: tuple[str, ...] = ()
        if form.protection != "none":
            disposable = is_disposable(submission.email)
            broken = ("disposable",) if disposable else self._by_token(submission.form_token, form)
        return broken or (("form_full",) if self._is_full(form) else ())

    def _by_token(self, token: str | None, form: Form) -> tuple[str, ...]:
        if token is None:
            # HTML that was copied into a site has none; there a third party's captcha stands for it.
            return () if form.protection in PROVIDERS else ("no_token",)
        try:
            slug, shown_at = _signer(self._keys()).loads(token)
        except BadData:
            return ("wrong_token",)
        age = self._clock() - shown_at
        if slug != form.slug:
            return ("wrong_token",)
        if age > TOKEN_LIVES_MS:
            raise InvalidSubmission([FieldError(TOKEN, STALE)])
        return ("too_fast",) if age < FASTEST_FILL_MS else ()


@lru_cache(maxsize=8)
def _signer(keys: tuple[str, ...]) -> URLSafeSerializer:
    # It signs with the last one.
    return URLSafeSerializer(list(reversed(keys)), salt="form token")


@lru_cache(maxsize=1024)
def _places(network_address: str | None) -> tuple[str | None, str | None]:
    """The address and its network (/24, for IPv6 /64); none for what is not on the internet.

    Such an address is a proxy's that PROXY_HOPS does not count, and stands for all visitors at once.
    """
    try:
        address = ipaddress.ip_address(network_address or "")
    except ValueError:
        return None, None
    if address.version == 6 and address.ipv4_mapped:
        # As a server says it that takes IPv4 by an IPv6 socket.
        address = address.ipv4_mapped
    if not address.is_global:
        return None, None
    # Not by ip_network, which takes longer than all other rules.
    if address.version == 4:
        return str(address), f"{str(address).rpartition('.')[0]}.0/24"
    return str(address), f"{address.exploded[:19]}::/64"
