"""Captchas of third parties: who is believed, who is not, and what happens while nobody can say."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
import responses
from responses.matchers import urlencoded_params_matcher

from services.forms.form import Form
from services.intake.parsing import read_form, read_json
from services.protection.providers import PROVIDERS, Provider
from services.protection.third_party import CAPTCHA_RULES, NoKeys, ThirdPartyCaptcha
from services.submission.fields import WIDGET_FIELDS, Submission
from tests.services.protection.captcha_provider import SECRET_KEY, SITE_KEY, CaptchaProvider, served_provider
from transport.deadline import DeadlineSession

SECONDS = 0.3
# A busy machine's moods; the deadline is far below.
LATEST = 2.5


def form(slug: str = "news", origins: tuple[str, ...] = ("https://www.example.com:8443",)) -> Form:
    return Form(
        id=1,
        slug=slug,
        name="Newsletter",
        list_ids=("l",),
        fields=(),
        wordings=(),
        thank_you_message=None,
        thank_you_url=None,
        origins=origins,
        archived=False,
    )


def captcha(provider: Provider, **other: Any) -> ThirdPartyCaptcha:
    """Under our keys, with places for two calls."""
    given: dict[str, Any] = {
        "site_key": SITE_KEY,
        "secret_key": SECRET_KEY,
        "session": DeadlineSession(SECONDS),
        "waiting": threading.BoundedSemaphore(2),
        "own_hosts": {"signup.example.org"},
    }
    return ThirdPartyCaptcha(provider, **(given | other))


def fault_of(check: ThirdPartyCaptcha, token: str | None, form: Form) -> str | None:
    """What breaks a sign-up by that form with that answer."""
    submission = Submission.model_construct(email="ann@example.org", captcha=token)
    result = check.check(submission, form, "8.8.4.4")
    assert result.once is None
    return result.fault


@pytest.fixture
def provider() -> Iterator[CaptchaProvider]:
    with served_provider() as provider:
        yield provider


@pytest.fixture(params=list(PROVIDERS))
def real(request: pytest.FixtureRequest) -> Provider:
    return PROVIDERS[request.param]


Checked = Callable[..., ThirdPartyCaptcha]


@pytest.fixture
def checked(provider: CaptchaProvider, real: Provider) -> Checked:
    """One of the providers, whose address is the stand-in's."""
    return lambda **other: captcha(replace(real, verify_url=provider.verify_url), **other)


def test_a_good_answer_is_believed_once(checked: Checked) -> None:
    """The provider itself refuses the second time."""
    check = checked()
    assert fault_of(check, "good-1", form()) is None
    assert fault_of(check, "good-1", form()) == "captcha_used"
    assert fault_of(check, "good-2", form()) is None


@pytest.mark.parametrize(
    "code",
    [
        "timeout-or-duplicate",
        "already-seen-response",
        "invalid-or-already-seen-response",
        "expired-input-response",
    ],
)
def test_each_providers_word_for_used_or_old_is_known(
    checked: Checked, provider: CaptchaProvider, code: str
) -> None:
    """Whatever they call it."""
    provider.used_code = code
    check = checked()
    assert fault_of(check, "good-1", form()) is None
    assert fault_of(check, "good-1", form()) == "captcha_used"


def test_a_wrong_answer_is_rejected(checked: Checked) -> None:
    """As the provider says."""
    assert fault_of(checked(), "bad", form()) == "captcha_rejected"


@pytest.mark.parametrize("token", [None, ""])
def test_without_an_answer_nobody_is_asked(
    checked: Checked, provider: CaptchaProvider, token: str | None
) -> None:
    """The most frequent program costs no call."""
    assert fault_of(checked(), token, form()) == "captcha_missing"
    assert provider.asked == []


@pytest.mark.parametrize("token", ["good" + "x" * 20_000, "gööd", "good\ud800", "good\u0661"])
def test_what_can_be_no_answer_is_not_sent(checked: Checked, provider: CaptchaProvider, token: str) -> None:
    """Nor does it break anything, as half a character would."""
    assert fault_of(checked(), token, form()) == "captcha_rejected"
    assert provider.asked == []


def test_the_provider_learns_no_more_than_it_needs(provider: CaptchaProvider, checked: Checked) -> None:
    """The secret and the answer, to hCaptcha the site key; never the visitor's address."""
    check = checked()
    fault_of(check, "good-1", form())
    expected = {"secret": SECRET_KEY, "response": "good-1"}
    if check.provider.name == "hcaptcha":
        expected["sitekey"] = SITE_KEY
    assert provider.asked == [expected]


@pytest.mark.parametrize(
    ("hostname", "fault"),
    [
        ("signup.example.org", None),
        ("SIGNUP.example.org", None),
        ("www.example.com", None),
        ("evil.example.net", "captcha_elsewhere"),
        ("example.com", "captcha_elsewhere"),
        ("", None),
        ("not-provided", None),
        (None, None),
    ],
)
def test_an_answer_from_elsewhere_is_not_believed(
    checked: Checked, provider: CaptchaProvider, hostname: str | None, fault: str | None
) -> None:
    """Our own host and the form's sites, where the provider tells the host."""
    provider.hostname = hostname
    assert fault_of(checked(), "good-1", form()) == fault


def test_where_our_address_is_not_known_any_host_will_do(checked: Checked, provider: CaptchaProvider) -> None:
    """In development, where the providers' test keys name hosts of their own."""
    provider.hostname = "testkey.google.com"
    assert fault_of(checked(own_hosts=()), "good-1", form()) is None


@pytest.mark.parametrize(
    ("action", "fault"),
    [(None, None), ("", None), ("news", None), ("login", "captcha_elsewhere"), ("new", "captcha_elsewhere")],
)
def test_an_answer_for_another_form_is_not_believed(
    provider: CaptchaProvider, action: str | None, fault: str | None
) -> None:
    """Where the widget said for what it stands, which Turnstile's can."""
    provider.action = action
    check = captcha(replace(PROVIDERS["turnstile"], verify_url=provider.verify_url))
    assert check.action(form()) == "news"
    assert fault_of(check, "good-1", form()) == fault


def test_a_long_name_is_told_by_its_beginning(provider: CaptchaProvider) -> None:
    """Turnstile takes 32 characters."""
    provider.action = "n" * 32
    check = captcha(replace(PROVIDERS["turnstile"], verify_url=provider.verify_url))
    assert fault_of(check, "good-1", form(slug="n" * 50)) is None


@pytest.mark.parametrize(
    "instead",
    [
        ("", 200),
        ("<html>Please wait</html>", 200),
        ("[]", 200),
        ("null", 200),
        ('{"success": "true"}', 200),
        ('{"success": 1}', 200),
        ('{"error-codes": []}', 200),
        ('{"success": true, "hostname": 7}', 200),
        ("[" * 100_000, 200),
        (b"\xff\xfe", 200),
        ("Bad gateway", 502),
        ("Slow down", 429),
        ("", 307, {"Location": "/elsewhere"}),
        ('{"success": false, "error-codes": ["internal-error"]}', 200),
        ('{"success": false, "error-codes": ["bad-request"]}', 400),
        ('{"success": false, "error-codes": ["sitekey-secret-mismatch"]}', 200),
        ('{"success": false, "error-codes": ["not-using-dummy-passcode"]}', 200),
        ('{"success": false, "error-codes": ["invalid-input-response", "invalid-input-secret"]}', 200),
    ],
)
def test_a_provider_that_makes_no_sense_refuses_nobody(
    checked: Checked, provider: CaptchaProvider, instead: Any
) -> None:
    """Nor is anybody believed for it."""
    provider.instead = instead
    assert fault_of(checked(), "good-1", form()) == "captcha_unchecked"


def test_wrong_keys_of_ours_are_not_held_against_the_visitor(checked: Checked) -> None:
    """They are our fault, and named as such."""
    assert fault_of(checked(secret_key="old"), "good-1", form()) == "captcha_unchecked"


def test_a_slow_provider_is_not_waited_for(checked: Checked, provider: CaptchaProvider) -> None:
    """The call ends in time, whole."""
    provider.delay = 4
    started = time.monotonic()
    assert fault_of(checked(), "good-1", form()) == "captcha_unchecked"
    assert SECONDS <= time.monotonic() - started < LATEST


def test_a_provider_that_is_away_refuses_nobody(real: Provider) -> None:
    """Nobody listens there."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        there = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        assert fault_of(captcha(replace(real, verify_url=there)), "good-1", form()) == "captcha_unchecked"


def test_a_provider_that_hangs_holds_a_quarter_of_the_threads_at_most(
    checked: Checked, provider: CaptchaProvider
) -> None:
    """Who comes when all places are taken neither waits nor is asked for; later there is a place again."""
    provider.delay = 0.5
    waiting = threading.BoundedSemaphore(1)
    check = checked(waiting=waiting, session=DeadlineSession(4))
    first: list[str | None] = []
    thread = threading.Thread(target=lambda: first.append(fault_of(check, "good-1", form())))
    thread.start()
    assert provider.busy.wait(4)
    assert fault_of(check, "good-2", form()) == "captcha_unchecked"
    assert thread.is_alive()
    thread.join()
    assert first == [None]
    provider.delay = 0
    assert fault_of(check, "good-2", form()) is None
    assert len(provider.asked) == 2


def test_a_place_is_free_again_after_a_failure(checked: Checked, provider: CaptchaProvider) -> None:
    """Otherwise two failures would end the checking for good."""
    waiting = threading.BoundedSemaphore(1)
    failing = checked(waiting=waiting, session=DeadlineSession(0.05))
    provider.delay = 0.3
    assert fault_of(failing, "good-1", form()) == "captcha_unchecked"
    provider.delay = 0
    assert fault_of(checked(waiting=waiting, session=DeadlineSession(4)), "good-2", form()) is None


def test_every_reason_is_explained(checked: Checked, provider: CaptchaProvider) -> None:
    """An admin reads sentences."""
    provider.hostname = "evil.example.net"
    found = {fault_of(checked(), token, form()) for token in (None, "bad", "good", "good")}
    assert found == {"captcha_missing", "captcha_rejected", "captcha_elsewhere", "captcha_used"}
    assert found | {"captcha_unchecked"} == set(CAPTCHA_RULES)


def test_a_captcha_whose_keys_were_taken_away_lets_nobody_through() -> None:
    """The form does not stand open instead."""
    submission = Submission.model_construct(email="ann@example.org", captcha="good-1")
    assert NoKeys().check(submission, form(), None).fault == "captcha_unchecked"


@pytest.mark.parametrize("name", [*WIDGET_FIELDS, "captcha"])
def test_an_answer_is_read_by_whatever_name_its_widget_sends_it(name: str) -> None:
    """From HTML and from JSON; what is no text is none."""
    list_id = "6b1d4c1e-7a52-11ef-9f3c-fa163e123456"
    pairs = {"email": "ann@example.org", "list_id": list_id}
    assert read_form([*pairs.items(), (name, "good-1")]).captcha == "good-1"
    assert read_json(json.dumps(pairs | {name: "good-1"}).encode()).captcha == "good-1"
    assert read_json(json.dumps(pairs | {name: {"answer": "good-1"}}).encode()).captcha is None


def test_every_widgets_field_is_known() -> None:
    """They are named like the class of what is drawn."""
    assert {f"{provider.widget}-response" for provider in PROVIDERS.values()} == set(WIDGET_FIELDS)


# The keys for tests and what they lead to, as the providers document them.
DOCUMENTED = {
    "turnstile": (
        "1x0000000000000000000000000000000AA",
        "XXXX.DUMMY.TOKEN.XXXX",
        {
            "success": True,
            "error-codes": [],
            "challenge_ts": "2026-11-21T15:00:00.000Z",
            "hostname": "example.com",
            "metadata": {"result_with_testing_key": True},
        },
    ),
    "hcaptcha": (
        "0x0000000000000000000000000000000000000000",
        "10000000-aaaa-bbbb-cccc-000000000001",
        {
            "success": True,
            "challenge_ts": "2026-11-21T15:00:00.000000Z",
            "hostname": "dummy-key-pass",
            "credit": False,
        },
    ),
    "recaptcha": (
        "6LeIxAcTAAAAAGG-vFI1TnRWxMZNFuojJ4WifJWe",
        "any-answer",
        {"success": True, "challenge_ts": "2026-11-21T15:00:00Z", "hostname": "testkey.google.com"},
    ),
}


@responses.activate
def test_the_documented_test_keys_are_believed_in_development(real: Provider) -> None:
    """By the call, and the answer, of the provider's own documentation."""
    secret, token, answer = DOCUMENTED[real.name]
    site_key = {"sitekey": SITE_KEY} if real.takes_site_key else {}
    expected = urlencoded_params_matcher({"secret": secret, "response": token, **site_key})
    responses.post(real.verify_url, json=answer, match=[expected])
    check = captcha(real, secret_key=secret, own_hosts=())
    assert fault_of(check, token, form()) is None
    assert parse_qs(str(responses.calls[0].request.body))["secret"] == [secret]
    # In production they would let everybody pass.
    assert fault_of(captcha(real, secret_key=secret), token, form()) == "captcha_elsewhere"
