"""Programs as they really come, against one form and one list: a table of what got through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from services import ANONYMOUS, Evidence, Form, Rates, ServiceError
from services.submission import read_form
from tests.services.conftest import House
from tests.services.test_proof_of_work import answer
from tests.services.vendor import NEWSLETTER

Post = dict[str, str]
ONE = "8.8.4.4"
FORM: dict[str, Any] = {
    "slug": "news",
    "name": "News",
    "list_ids": [NEWSLETTER.list_id],
    "fields": [],
    "protection": "standard",
}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, rates=Rates(address=20, network=100, form=60))
    yield house
    house.database.close()


@pytest.fixture
def form(house: House) -> Form:
    return house.forms.save(FORM)


class Attack:
    """Posts one after the other, and what became of them."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._numbers = count()

    def run(self, times: int, make: Callable[[int], tuple[Post, str]]) -> dict[str, int]:
        """`make` gives the fields and the address of the nth post."""
        house, answers = self._house, Counter[str]()
        house.clock.now += 60_000 - house.clock.now % 60_000
        sent, suspected = len(house.intake.recent(10_000)), house.quarantine.count()
        for number in range(times):
            fields, address = make(number)
            pairs = [("email", f"p{next(self._numbers)}@example.org"), *fields.items()]
            try:
                verdict = house.intake.accept(read_form(pairs), ANONYMOUS, Evidence(network_address=address))
                answers[verdict.status] += 1
            except ServiceError as error:
                answers[type(error).__name__] += 1
        return {
            "sent": len(house.intake.recent(10_000)) - sent,
            "suspected": house.quarantine.count() - suspected,
            **{name: number for name, number in answers.items() if name != "queued"},
        }


def test_what_gets_through(house: House, form: Form) -> None:
    """Naive programs do not; one that reads the page and waits does, as often as the limits let a person."""
    attack = Attack(house)
    plain = {"list_id": NEWSLETTER.list_id}

    guarded = house.forms.save(FORM | {"slug": "guarded", "protection": "captcha"})
    house.clock.now += 10 * 60_000
    solved = answer(house.proofs.challenge(guarded.slug))
    house.clock.now -= 10 * 60_000

    def shown(seconds: int, form: Form = form) -> str:
        house.clock.now -= seconds * 1_000
        token = house.protection.token(form)
        house.clock.now += seconds * 1_000
        return token

    def at(number: int) -> str:
        """Another network each time."""
        return f"8.{number // 250}.{number % 250}.1"

    kept = shown(60)
    table = {
        "no token, fields by name": attack.run(50, lambda n: ({"form": "news"}, at(n))),
        "every field filled, no form": attack.run(50, lambda n: (plain | {"website": "x"}, at(n))),
        "page read, posted at once": attack.run(
            50, lambda n: ({"form": "news", "form_token": shown(0)}, at(n))
        ),
        "page read, 10 s waited, 1 address": attack.run(
            50, lambda _: ({"form": "news", "form_token": shown(10)}, ONE)
        ),
        "one token, replayed, 1 address": attack.run(
            50, lambda _: ({"form": "news", "form_token": kept}, ONE)
        ),
        "1,000 posts, 1 network, form": attack.run(
            1_000, lambda n: ({"form": "news", "form_token": kept}, f"8.8.4.{n % 250}")
        ),
        "150 posts, 1 address, honeypot": attack.run(150, lambda _: (plain | {"website": "x"}, ONE)),
        "50 posts, captcha without a script": attack.run(
            50, lambda n: ({"form": "guarded", "form_token": shown(10, guarded)}, at(n))
        ),
        "50 posts, captcha solved once": attack.run(
            50, lambda n: ({"form": "guarded", "form_token": shown(10, guarded), "altcha": solved}, at(n))
        ),
        "100 posts, 100 networks, patient": attack.run(
            100, lambda n: ({"form": "news", "form_token": shown(10)}, at(n))
        ),
        "people: 60 by one form, all over": attack.run(
            60, lambda n: ({"form": "news", "form_token": shown(30)}, at(n))
        ),
    }
    assert table == {
        "no token, fields by name": {"sent": 0, "suspected": 50},
        "every field filled, no form": {"sent": 0, "suspected": 50},
        "page read, posted at once": {"sent": 0, "suspected": 50},
        "page read, 10 s waited, 1 address": {"sent": 20, "suspected": 30},
        "one token, replayed, 1 address": {"sent": 20, "suspected": 30},
        "1,000 posts, 1 network, form": {"sent": 60, "suspected": 240, "TooManyAttempts": 700},
        "150 posts, 1 address, honeypot": {"sent": 0, "suspected": 100, "TooManyAttempts": 50},
        "50 posts, captcha without a script": {"sent": 0, "suspected": 50},
        "50 posts, captcha solved once": {"sent": 1, "suspected": 49},
        "100 posts, 100 networks, patient": {"sent": 60, "suspected": 40},
        "people: 60 by one form, all over": {"sent": 60, "suspected": 0},
    }


@pytest.mark.parametrize("address", ["127.0.0.1", "172.17.0.1", "10.0.0.1", "::1", "unknown", None])
def test_an_address_that_is_not_on_the_internet_says_nothing(
    house: House, form: Form, address: str | None
) -> None:
    """It is a proxy's, and everybody's: only the form's limit counts then."""
    assert [limit.rule for limit in house.protection.limits(address, form)] == ["form_rate"]
    assert house.protection.limits(address, None) == ()


def test_an_ipv6_network_is_a_household(house: House) -> None:
    """The first 64 bits; of IPv4 the first 24."""
    keys = [limit.key for limit in house.protection.limits("2a00:1450:4001:81b::200e", None)]
    assert keys[:2] == ["sign-up:2a00:1450:4001:81b::200e", "sign-up:2a00:1450:4001:81b::/64"]
    assert house.protection.limits("8.8.4.4", None)[1].key == "sign-up:8.8.4.0/24"
