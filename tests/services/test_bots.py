"""Programs as they really come, against one form and one list: a table of what got through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from services import ANONYMOUS, Evidence, Form, Rates, TooManyAttempts
from services.bodies import read_form
from tests.services.conftest import House
from tests.services.test_proof_of_work import answer
from tests.services.vendor import EVENTS, NEWSLETTER

Post = dict[str, str]
ONE = "8.8.4.4"
DOCUMENT = Path(__file__).parents[2] / "docs" / "forms.md"
FORM: dict[str, Any] = {
    "slug": "news",
    "name": "News",
    "list_ids": [EVENTS.list_id],
    "fields": [],
    "protection": "standard",
}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, rates=Rates())
    yield house
    house.database.close()


@pytest.fixture
def form(house: House) -> Form:
    return house.forms.save(FORM)


class Attack:
    """Posts from many connections at once, and what became of them."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._numbers = count()

    def run(self, times: int, make: Callable[[int], tuple[Post, str]]) -> dict[str, int]:
        """`make` gives the fields and the address of the nth post."""
        house, answers = self._house, Counter[str]()
        house.clock.now += 60_000 - house.clock.now % 60_000
        sent, suspected = len(house.intake.recent(10_000)), self._suspected()
        posts = [make(number) for number in range(times)]
        with ThreadPoolExecutor(32) as pool:
            answers.update(pool.map(self._post, posts))
        return {
            "sent": len(house.intake.recent(10_000)) - sent,
            "suspected": self._suspected() - suspected,
            "refused": answers["refused"],
        }

    def _post(self, post: tuple[Post, str]) -> str:
        fields, address = post
        pairs = [("email", f"p{next(self._numbers)}@example.org"), *fields.items()]
        try:
            return self._house.intake.accept(
                read_form(pairs), ANONYMOUS, Evidence(network_address=address)
            ).status
        except TooManyAttempts:
            return "refused"

    def _suspected(self) -> int:
        with self._house.database.reading() as connection:
            found: int = connection.exec_driver_sql("SELECT count(*) FROM suspected_signups").scalar_one()
        return found


def test_what_gets_through(house: House, form: Form) -> None:
    """Naive programs do not; one that reads the page and waits does, as often as the limits let a person.

    The table stands in the documentation as it comes out here.
    """
    attack = Attack(house)
    plain = {"list_id": NEWSLETTER.list_id}

    guarded = house.forms.save(FORM | {"slug": "guarded", "protection": "captcha"})
    house.clock.now += 10 * 60_000
    solved = answer(house.proofs.challenge("guarded"))
    house.clock.now -= 10 * 60_000

    def shown(seconds: int, form: Form = form) -> Post:
        house.clock.now -= seconds * 1_000
        token = house.protection.token(form)
        house.clock.now += seconds * 1_000
        return {"form": form.slug, "form_token": token}

    def at(number: int) -> str:
        """Another network each time."""
        return f"8.{number // 250}.{number % 250}.1"

    kept = shown(60)
    table = {
        "50 posts without the page: the fields by their names": attack.run(
            50, lambda n: ({"form": "news"}, at(n))
        ),
        "50 posts that fill in every field, to a list without a form": attack.run(
            50, lambda n: (plain | {"website": "x"}, at(n))
        ),
        "50 posts at once after reading the page": attack.run(50, lambda n: (shown(0), at(n))),
        "50 posts 10 s after reading the page, from one address": attack.run(50, lambda _: (shown(10), ONE)),
        "50 posts with one token, from one address": attack.run(50, lambda _: (kept, ONE)),
        "200 posts to a list without a form, from one address": attack.run(200, lambda _: (plain, ONE)),
        "1,000 posts from one network": attack.run(1_000, lambda n: (kept, f"8.8.4.{n % 250}")),
        "50 posts without a script to a form with a proof of work": attack.run(
            50, lambda n: (shown(10, guarded), at(n))
        ),
        "50 posts with one solved proof of work": attack.run(
            50, lambda n: (shown(10, guarded) | {"altcha": solved}, at(n))
        ),
        "20 posts with a proof of work each": attack.run(
            20, lambda n: (shown(10, guarded) | {"altcha": solve_new(house)}, at(n))
        ),
        "1,000 patient posts from 1,000 networks": attack.run(1_000, lambda n: (shown(10), at(n))),
        "600 people by one form within a minute": attack.run(600, lambda n: (shown(30), at(n))),
    }
    assert table["600 people by one form within a minute"] == {"sent": 600, "suspected": 0, "refused": 0}
    assert as_markdown(table) in DOCUMENT.read_text(), f"\n{as_markdown(table)}"


def solve_new(house: House) -> str:
    return answer(house.proofs.challenge("guarded"))


def as_markdown(table: dict[str, dict[str, int]]) -> str:
    rows = [
        f"| {attack} | {got['sent']} | {got['suspected']} | {got['refused']} |"
        for attack, got in table.items()
    ]
    return "\n".join(["| within a minute | sent on | kept apart | refused |", "|---|---|---|---|", *rows])


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
    assert keys[:2] == ["sign-up:2a00:1450:4001:81b::200e", "sign-up:2a00:1450:4001:081b::/64"]
    by_ipv4 = house.protection.limits("8.8.4.4", None)
    assert by_ipv4[1].key == "sign-up:8.8.4.0/24"
    assert house.protection.limits("::ffff:8.8.4.4", None) == by_ipv4
