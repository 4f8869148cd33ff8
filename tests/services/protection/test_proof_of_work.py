"""A proof of work is asked for, and accepted once."""

import base64
import hashlib
import json
import time
from dataclasses import asdict, replace
from typing import Any

import pytest

from services.access.requester import ANONYMOUS
from services.forms.form import Form
from services.forms.honeypot import trap_name
from services.forms.load import FormLoad
from services.intake.parsing import read_form
from services.intake.record import Evidence
from services.protection.captcha import CaptchaResult
from services.protection.proof_of_work import (
    BLOCK_BYTES,
    HIGHEST,
    LIVES_MS,
    MOST_TIMES,
    QUIET_PER_MINUTE,
    Challenge,
    ProofOfWork,
)
from tests.services.conftest import System
from tests.services.vendor import NEWSLETTER


def payload(**fields: Any) -> str:
    return base64.b64encode(json.dumps(fields).encode()).decode()


def solve(challenge: Challenge) -> int:
    """As a browser finds it: what comes before the number is hashed once."""
    begun, wanted = hashlib.sha256(challenge.salt.encode()), bytes.fromhex(challenge.challenge)
    for number in range(challenge.maxnumber + 1):
        hashed = begun.copy()
        hashed.update(b"%d" % number)
        if hashed.digest() == wanted:
            return number
    raise AssertionError("the challenge has no answer")


def answer(challenge: Challenge) -> str:
    """What ALTCHA's own widget sends."""
    fields = asdict(challenge)
    del fields["maxnumber"]
    return payload(**fields, number=solve(challenge))


NEWS = Form(
    id=1,
    slug="news",
    name="News",
    list_ids=(),
    fields=(),
    wordings=(),
    thank_you_message=None,
    thank_you_url=None,
    origins=(),
    archived=False,
)


@pytest.fixture
def proofs(system: System) -> ProofOfWork:
    return ProofOfWork(
        keys=lambda: ("secret",), load=FormLoad(clock=system.clock), clock=system.clock, highest=1_000
    )


def check(proofs: ProofOfWork, sent: str | None) -> CaptchaResult:
    """Of a submission by the form "news"."""
    pairs = [("form", "news"), ("email", "ada@example.org"), *([("altcha", sent)] if sent else [])]
    return proofs.check(read_form(pairs), NEWS, None)


def fault(proofs: ProofOfWork, sent: str | None) -> str | None:
    return check(proofs, sent).fault


def test_a_right_answer_is_the_same_however_it_is_sent(proofs: ProofOfWork) -> None:
    """In another JSON, or with digits moved from the number into the salt: it counts no second time."""
    challenge = proofs.challenge("news")
    assert challenge.algorithm == "SHA-256"
    first = check(proofs, answer(challenge))
    assert first.fault is None
    assert first.once is not None
    number = str(solve(challenge))
    assert check(proofs, payload(**asdict(challenge), number=int(number), more=1)).once == first.once
    moved = replace(challenge, salt=challenge.salt + number[0])
    again = check(proofs, payload(**asdict(moved), number=int(number[1:] or 0)))
    assert again.once == first.once or again.fault == "wrong_proof"


def test_a_proof_counts_once(system: System) -> None:
    """Whoever sends it again is kept apart."""
    system.forms.save(
        {"slug": "news", "name": "News", "list_ids": [NEWSLETTER.list_id], "protection": "captcha"}
    )
    form = system.forms.find("news")
    assert form is not None
    token, proof = system.protection.token(form, shown_before=True), answer(system.proofs.challenge("news"))
    sent = [("form", "news"), ("email", "ada@example.org"), ("form_token", token), ("altcha", proof)]
    for _ in range(3):
        assert system.intake.accept(read_form(sent), ANONYMOUS, Evidence()).status == "received"
    assert len(system.newest(10)) == 1
    assert [suspect.reasons for suspect in system.suspected.waiting(10)] == [("used_proof",)] * 2


def test_nobody_can_put_off_the_end_of_a_challenge(system: System, proofs: ProofOfWork) -> None:
    """An expiry at the salt's very end could be lengthened by the number's first digits."""
    challenge = proofs.challenge("news")
    assert challenge.salt.endswith("&")
    right = answer(challenge)
    system.clock.now += LIVES_MS + 1_000
    assert fault(proofs, right) == "used_proof"
    later = challenge.salt.replace("expires=", "expires=9")
    forged = payload(**asdict(replace(challenge, salt=later)), number=solve(challenge))
    assert fault(proofs, forged) == "wrong_proof"


def test_an_answer_counts_for_its_form_and_this_installation(system: System, proofs: ProofOfWork) -> None:
    """A cheap form of elsewhere solves nothing here."""
    assert fault(proofs, answer(proofs.challenge("other"))) == "wrong_proof"
    elsewhere = ProofOfWork(
        keys=lambda: ("other",), load=FormLoad(clock=system.clock), clock=system.clock, highest=1_000
    )
    assert fault(proofs, answer(elsewhere.challenge("news"))) == "wrong_proof"


def test_a_made_up_challenge_is_no_work(proofs: ProofOfWork) -> None:
    """Only what was signed here counts, however right the sum is."""
    challenge = proofs.challenge("news")
    easy = hashlib.sha256(f"{challenge.salt}0".encode()).hexdigest()
    fields = asdict(replace(challenge, challenge=easy))
    assert fault(proofs, payload(**fields, number=0)) == "wrong_proof"


def test_guessing_costs_what_solving_costs(proofs: ProofOfWork) -> None:
    """A number beside the right one is wrong, and the right ones are spread."""
    challenge = proofs.challenge("news")
    wrong = (solve(challenge) + 1) % 1_000
    assert fault(proofs, payload(**asdict(challenge), number=wrong)) == "wrong_proof"
    assert len({proofs.challenge("news").salt for _ in range(20)}) == 20


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "no base64!",
        "AAAA",
        payload(),
        base64.b64encode(b"[]").decode(),
        base64.b64encode(b'"salt"').decode(),
        base64.b64encode(b"[" * 1_400).decode(),
        payload(salt=1, number=1, signature="x"),
        payload(salt="x", number=-1, signature="x"),
        payload(salt="x", number=1, signature=None),
        payload(salt="\ud800", number=1, signature="x"),
        payload(salt="x", number="\ud800", signature="x"),
        payload(salt="x", number=[1], signature="x"),
        payload(salt=["x"], number=1, signature=["x"]),
        payload(salt="x", number=1, signature="ä"),
    ],
)
def test_nonsense_is_wrong_and_nothing_worse(proofs: ProofOfWork, sent: str) -> None:
    """Whatever it is made of."""
    assert fault(proofs, sent) == ("wrong_proof" if sent else "no_proof")


def test_no_answer_is_told_apart(proofs: ProofOfWork) -> None:
    """A browser without a script sends none."""
    assert fault(proofs, None) == "no_proof"


def test_the_price_is_what_it_says(system: System) -> None:
    """A tenth of a second of a server's core, at the fastest this machine hashes from Python.

    A loop in C is about as fast (bench/proof.py measures it); half of the numbers are tried on average.
    """
    challenge = ProofOfWork(
        keys=lambda: ("secret",), load=FormLoad(clock=system.clock), clock=system.clock
    ).challenge("news")
    assert challenge.maxnumber == HIGHEST
    begun, tried = hashlib.sha256(challenge.salt.encode()), 50_000
    began = time.process_time()
    for number in range(tried):
        hashed = begun.copy()
        hashed.update(b"%d" % number)
        hashed.digest()
    assert (time.process_time() - began) / tried * HIGHEST / 2 >= 0.1


@pytest.mark.parametrize("slug", ["a", "news", "n" * 50, "\u00e4"])
def test_the_price_is_the_same_for_every_form(proofs: ProofOfWork, slug: str) -> None:
    """The number has a block of the hash by itself, however long the form's short name is."""
    salt = proofs.challenge(slug).salt
    assert len(salt) % BLOCK_BYTES == 0
    assert len(salt.partition("?")[0]) >= 24


def test_a_busy_form_asks_for_more_up_to_a_bound(system: System) -> None:
    """By what came in the last minute, posts without a proof included; a quiet form does not pay for it."""
    form = system.forms.save({"slug": "news", "name": "News", "list_ids": [NEWSLETTER.list_id]})
    assert system.proofs.challenge("news").maxnumber == 1_000
    trapped = read_form([("form", "news"), ("email", "ada@example.org"), (trap_name("news"), "x")])
    for _ in range(2 * QUIET_PER_MINUTE):
        system.protection.judge(trapped, form, None)
    assert 2_000 <= system.proofs.challenge("news").maxnumber <= 2_200
    for _ in range(20 * QUIET_PER_MINUTE):
        system.proofs.challenge("news")
    assert system.proofs.challenge("news").maxnumber == MOST_TIMES * 1_000
    assert system.proofs.challenge("other").maxnumber == 1_000
    system.clock.now += 120_000
    assert system.proofs.challenge("news").maxnumber == 1_000


def test_what_a_quiet_form_asked_for_counts_when_it_is_busy(system: System) -> None:
    """The visitor could not know that a crowd would come while they typed."""
    challenge = system.proofs.challenge("news")
    for _ in range(20 * QUIET_PER_MINUTE):
        system.load.note("news")
    assert check(system.proofs, answer(challenge)).fault is None
