"""Programs as they really come, against one form and one list: a table of what got through."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from services.access.requester import ANONYMOUS
from services.errors import TooManyAttempts
from services.forms.form import Form
from services.forms.honeypot import trap_name
from services.intake.parsing import read_form
from services.intake.record import Evidence
from store.signups.rate_limits import count as counted
from tests.services.conftest import System
from tests.services.protection.test_proof_of_work import answer
from tests.services.vendor import EVENTS, NEWSLETTER

Post = dict[str, str]
ONE = "8.8.4.4"
DOCUMENT = Path(__file__).parents[3] / "docs" / "forms.md"
FORM: dict[str, Any] = {
    "slug": "news",
    "name": "News",
    "list_ids": [EVENTS.list_id],
    "fields": [],
    "protection": "standard",
}


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path)
    yield system
    system.database.close()


@pytest.fixture
def form(system: System) -> Form:
    return system.forms.save(FORM)


class Attack:
    """Posts from many connections at once, and what became of them."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._numbers = count()

    def run(
        self, times: int, make: Callable[[int], tuple[Post, str]], *, anew: bool = True
    ) -> dict[str, int]:
        """`make` gives the fields and the address of the nth post; `anew`: as if nothing came before."""
        system, answers = self._system, Counter[str]()
        if anew:
            system.clock.now += 60_000
            with system.database.transaction() as connection:
                connection.exec_driver_sql("DELETE FROM rates")
        sent, suspected = len(system.newest(10_000)), self._suspected()
        posts = [make(number) for number in range(times)]
        with ThreadPoolExecutor(32) as pool:
            answers.update(pool.map(self._post, posts))
        return {
            "sent": len(system.newest(10_000)) - sent,
            "suspected": self._suspected() - suspected,
            "refused": answers["refused"],
        }

    def _post(self, post: tuple[Post, str]) -> str:
        fields, address = post
        pairs = [("email", f"p{next(self._numbers)}@example.org"), *fields.items()]
        try:
            return self._system.intake.accept(
                read_form(pairs), ANONYMOUS, Evidence(network_address=address)
            ).status
        except TooManyAttempts:
            return "refused"

    def _suspected(self) -> int:
        with self._system.database.reading() as connection:
            found: int = connection.exec_driver_sql("SELECT count(*) FROM suspected_signups").scalar_one()
        return found


def test_what_gets_through(system: System, form: Form) -> None:
    """Naive programs do not; one that reads the page and waits does, as often as the limits let a person.

    The table stands in the documentation as it comes out here.
    """
    attack = Attack(system)
    plain = {"list_id": NEWSLETTER.list_id}

    guarded = system.forms.save(FORM | {"slug": "guarded", "protection": "captcha"})
    system.clock.now += 10 * 60_000
    solved = answer(system.proofs.challenge("guarded"))
    system.clock.now -= 10 * 60_000

    def shown(seconds: int, form: Form = form) -> Post:
        system.clock.now -= seconds * 1_000
        token = system.protection.token(form)
        system.clock.now += seconds * 1_000
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
            20, lambda n: (shown(10, guarded) | {"altcha": solve_new(system)}, at(n))
        ),
        "1,000 patient posts from 1,000 networks": attack.run(1_000, lambda n: (shown(10), at(n))),
        "600 people by one form within a minute": attack.run(600, lambda n: (shown(30), at(n))),
    }
    assert table["600 people by one form within a minute"] == {"sent": 600, "suspected": 0, "refused": 0}
    assert as_markdown(table) in DOCUMENT.read_text(), f"\n{as_markdown(table)}"


def solve_new(system: System) -> str:
    return answer(system.proofs.challenge("guarded"))


def as_markdown(table: dict[str, dict[str, int]]) -> str:
    rows = [
        f"| {attack} | {got['sent']} | {got['suspected']} | {got['refused']} |"
        for attack, got in table.items()
    ]
    return "\n".join(["| within a minute | sent on | suspected | refused |", "|---|---|---|---|", *rows])


@pytest.mark.parametrize("address", ["127.0.0.1", "172.17.0.1", "10.0.0.1", "::1", "unknown", None])
def test_an_address_that_is_not_on_the_internet_is_one_network(
    system: System, form: Form, address: str | None
) -> None:
    """It is a proxy's, and so perhaps everybody's; but whoever comes by it must have a limit, too."""
    (network, by_form) = system.protection.limits(address, form)
    assert (network.key, by_form.rule) == ("sign-up:no public address", "form_rate")
    assert network == replace(system.protection.limits("8.8.4.4", form)[1], key=network.key)


def test_an_ipv6_network_is_a_household(system: System) -> None:
    """The first 64 bits, and the first 48 of who rents a server; of IPv4 the first 24."""
    address, network, by_form, site = system.protection.limits("2a00:1450:4001:81b::200e", None)
    assert address.key == "sign-up:2a00:1450:4001:81b::200e"
    assert network.key == "sign-up:2a00:1450:4001:081b::/64"
    assert (site.key, site.most) == ("sign-up:2a00:1450:4001::/48", (200, 1_000, 3_000))
    assert by_form.key == "sign-up form:None"
    by_ipv4 = system.protection.limits("8.8.4.4", None)
    assert by_ipv4[1].key == "sign-up:8.8.4.0/24"
    assert system.protection.limits("::ffff:8.8.4.4", None) == by_ipv4


@pytest.mark.parametrize(
    ("senders", "at_most"),
    [
        (lambda _: ONE, 300),
        (lambda n: f"8.8.4.{n % 250}", 1_500),
        (lambda n: f"2a00:1450:4001:81b::{n:x}", 1_500),
        (lambda n: f"2a00:1450:4001:{n % 50_000:x}::1", 3_000),
        (lambda n: f"10.0.{n % 250}.{n % 200}", 1_500),
    ],
    ids=["address", "network", "IPv6 network", "IPv6 site", "no public address"],
)
def test_twenty_a_minute_are_no_28_800_a_day(
    system: System, form: Form, senders: Callable[[int], str], at_most: int
) -> None:
    """The vendor takes 10,000: nobody who comes from one place gets a large part of them."""
    believed = 0
    with system.database.transaction() as connection:
        for minute in range(24 * 60):
            events = [system.protection.limits(senders(20 * minute + n), form) for n in range(20)]
            found = counted(connection, events, now=system.clock.now + minute * 60_000)
            believed += sum(not each.over for each in found)
    assert 0 < believed <= at_most


def test_a_class_behind_one_address_gets_through(system: System, form: Form) -> None:
    """Thirty within two minutes, and two more classes in the same hour."""
    limits, believed = system.protection.limits(ONE, form), 0
    with system.database.transaction() as connection:
        for minute in (0, 2, 20, 22, 40, 42):
            found = counted(connection, [limits] * 15, now=system.clock.now + minute * 60_000)
            believed += sum(not each.over for each in found)
    assert believed == 90


def test_people_behind_a_crowd_of_programs_are_believed(system: System, form: Form) -> None:
    """What was found out counts for itself, by address, network and form; and is answered like all."""
    attack = Attack(system)
    trapped = attack.run(150, lambda _: ({"form": "news", trap_name("news"): "x"}, ONE), anew=True)
    assert trapped == {"sent": 0, "suspected": 100, "refused": 0}
    person = {"form": "news", "form_token": shown_before(system, form)}
    assert attack.run(20, lambda _: (person, ONE), anew=False) == {"sent": 20, "suspected": 0, "refused": 0}
    # And the other way round: a crowd that is believed does not use up what is kept of programs.
    attack.run(150, lambda _: (person, ONE), anew=True)
    again = attack.run(100, lambda _: ({"form": "news", trap_name("news"): "x"}, ONE), anew=False)
    assert again == {"sent": 0, "suspected": 100, "refused": 0}


def test_what_is_not_the_senders_fault_is_never_left_out(system: System) -> None:
    """A full form, or a captcha that could not be checked: people are told to come back."""
    full = system.forms.save(FORM | {"slug": "full", "protection": "none", "most_pending": 1})
    system.intake.accept(read_form([("form", "full"), ("email", "a@example.org")]), ANONYMOUS, Evidence())
    system.ceiling.count()
    outcome = Attack(system).run(150, lambda _: ({"form": full.slug}, ONE), anew=False)
    assert outcome == {"sent": 0, "suspected": 100, "refused": 50}


def shown_before(system: System, form: Form) -> str:
    return system.protection.token(form, shown_before=True)
