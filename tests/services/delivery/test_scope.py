"""A refusal concerns those who share what it is about: bad sign-ups in front cost good ones little."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.constant_contact.catalog import Page, Tag
from services.constant_contact.client import ContactList, SignedUp
from services.constant_contact.contact_data import ContactData
from services.constant_contact.contacts import Contact
from services.constant_contact.errors import (
    ConstantContactError,
    Misconfigured,
    Rejected,
    ServerFault,
    Throttled,
    Unauthorized,
    Unreachable,
)
from services.delivery.attempt import Step
from services.delivery.pacing import depart
from store.outbox.manage import DeliveryActions
from store.signups.accept import Signups
from tests.services.conftest import Clock, System
from tests.services.vendor import EVENTS, NEWSLETTER, ScriptedVendor
from tests.support.patience import Patient
from tests.support.postgresql_server import new_database
from tests.support.signups import bare_signup

Body = Mapping[str, Any]
Judge = Callable[[Body], ConstantContactError | None]
SPRING = "33333333-3333-4333-8333-333333333333"


class JudgingVendor(ScriptedVendor):
    """Answers by what it is sent; `judge` says what it refuses, and `lost` names lists that are deleted."""

    def __init__(self) -> None:
        super().__init__()
        self.judge: Judge = lambda _: None
        self.there = {NEWSLETTER.list_id: NEWSLETTER, EVENTS.list_id: EVENTS}
        self.made_tags = tuple(Tag(f"tag-{name}", name) for name in ("Blue", "Red"))
        self.tagged: list[str] = []

    def sign_up(self, data: ContactData) -> SignedUp:
        depart()
        self._judged(data.sign_up_body())
        return SignedUp("contact", "created")

    def create_contact(self, data: ContactData) -> SignedUp:
        depart()
        self._judged(data.sign_up_body())
        return SignedUp("contact", "created")

    def find_contact(self, address: str) -> Contact | None:
        depart()
        return None

    def add_tags(self, contact_id: str, tag_ids: Any) -> None:
        if error := self.judge({"tag_ids": tuple(tag_ids)}):
            raise error

    def contact_lists(self, page: str | None = None) -> Page[ContactList]:
        depart()
        self.pages.append(page)
        return Page(tuple(self.there.values()), None)

    def custom_fields(self, page: str | None = None) -> Page[Any]:
        depart()
        return super().custom_fields(page)

    def tags(self, page: str | None = None) -> Page[Tag]:
        depart()
        return super().tags(page)

    def _judged(self, body: Body) -> None:
        self.signed_up.append(body)
        lists = body["list_memberships"]
        if any(list_id not in self.there for list_id in lists):
            raise Rejected(key="contacts.api.validation.error")
        if error := self.judge(body):
            raise error


class Scene:
    """A system in which rows are stored directly, and a loop that runs on the clock alone."""

    def __init__(self, path: Path, url: str | None) -> None:
        self.vendor = JudgingVendor()
        self.clock = clock = Clock()
        self.system = System(
            path,
            vendor=self.vendor,
            clock=clock,
            tuning={"new_event": lambda: Patient(clock)},
            environ={"DATABASE_URL": url} if url else {},
        )
        self.system.connect()
        self.system.lists.read()
        self.clock.now += 10_000
        self.number = 0
        self.form_id: int | None = None

    def store(
        self, count: int, name: str, *, form_id: int | None = None, apart_ms: int = 1, **wish: Any
    ) -> list[str]:
        """So many sign-ups of different people, each a millisecond after the other."""
        signups, ids = Signups(self.system.database), []
        for _ in range(count):
            self.number += 1
            address = wish.get("email_address") or f"{name}{self.number}@example.org"
            body = {
                "list_memberships": [NEWSLETTER.list_id],
                **wish,
                "email_address": address.replace("#", str(self.number)),
            }
            signup = replace(
                bare_signup(
                    f"{name}-{self.number:05}",
                    body["email_address"],
                    at=self.clock.now,
                    lists=tuple(body["list_memberships"]),
                ),
                form_id=form_id,
            )
            signups.accept(signup, kind="sign_up", payload=body)
            ids.append(signup.id)
            self.clock.now += apart_ms
        return ids

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> float:
        """Deliver for so long, or until something is so; returns the seconds that it took."""
        began = self.clock.now
        while self.clock.now - began < seconds * 1000 and not until():
            claimed = self.system.attempt.claim()
            if isinstance(claimed, Step):
                wait = 1_000 if claimed.until is None else max(claimed.until - self.clock.now, 1)
                self.clock.now += min(wait, 1_000)
            else:
                self.system.attempt.carry(claimed, Patient(self.clock))
                self.clock.now += 20
        return (self.clock.now - began) / 1000

    def states(self, ids: list[str]) -> set[str]:
        """The states of these sign-ups."""
        return {self.system.view(each).status for each in ids}

    def delivered(self, ids: list[str]) -> Callable[[], bool]:
        """Whether all of them are."""
        return lambda: self.count("delivered", ids) == len(ids)

    def count(self, state: str, ids: list[str]) -> int:
        with self.system.database.reading() as connection:
            rows = connection.execute(
                text("SELECT source_id FROM deliveries WHERE state = :state"), {"state": state}
            )
            return len({row.source_id for row in rows} & set(ids))

    def errors(self, ids: list[str]) -> set[str | None]:
        return {self.system.view(each).last_error for each in ids}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """On each engine."""
    if request.param == "postgresql":
        with new_database(request.getfixturevalue("postgresql_url")) as url:
            scene = Scene(tmp_path, url)
            yield scene
            scene.system.database.close()
        return
    scene = Scene(tmp_path, None)
    yield scene
    scene.system.database.close()


def by_address(word: str, error: ConstantContactError) -> Judge:
    return lambda body: error if word in body.get("email_address", "") else None


def says(name: str, error: ConstantContactError) -> Judge:
    return lambda body: error if name in body else None


@pytest.mark.parametrize("bad", [10, 40])
def test_sign_ups_for_a_deleted_list_hold_up_nobody(scene: Scene, bad: int) -> None:
    """One call shows that the list is gone; the others for it are put aside without one, by its name."""
    scene.vendor.there[SPRING] = NEWSLETTER.__class__(SPRING, "Spring", "", False, 0)
    scene.system.lists.read(refresh=True)
    del scene.vendor.there[SPRING]
    scene.clock.now += 60_000
    dead = scene.store(bad, "dead", list_memberships=[SPRING])
    good = scene.store(20, "good")
    assert scene.run(30, lambda: scene.count("delivered", good) > 0) < 5
    assert scene.run(60, scene.delivered(good)) <= 20 / 3.5
    assert scene.states(dead) == {"parked"}
    assert all("The list 'Spring' no longer exists at Constant Contact" in str(e) for e in scene.errors(dead))
    assert sum(SPRING in body["list_memberships"] for body in scene.vendor.signed_up) == 1


def test_a_dead_list_is_left_out_and_the_rest_is_delivered(scene: Scene) -> None:
    """The person ends up in the lists that are there, and an admin reads which one was left out."""
    scene.vendor.there[SPRING] = NEWSLETTER.__class__(SPRING, "Spring", "", False, 0)
    scene.system.lists.read(refresh=True)
    del scene.vendor.there[SPRING]
    scene.clock.now += 60_000
    both = scene.store(3, "both", list_memberships=[SPRING, EVENTS.list_id])
    scene.run(30, scene.delivered(both))
    assert [body["list_memberships"] for body in scene.vendor.signed_up[1:]] == [[EVENTS.list_id]] * 3
    with scene.system.database.reading() as connection:
        notes = connection.execute(text("SELECT DISTINCT note FROM deliveries")).scalars().all()
    assert len(notes) == 1
    assert "The list 'Spring' no longer exists" in str(notes[0])


def test_a_list_that_comes_back_takes_what_was_put_aside(scene: Scene) -> None:
    """A probe finds it, and all go on by themselves."""
    dead = scene.store(12, "dead", list_memberships=[SPRING])
    scene.run(10)
    assert scene.states(dead) == {"parked"}
    scene.vendor.there[SPRING] = NEWSLETTER.__class__(SPRING, "Spring", "", False, 0)
    assert scene.run(60, scene.delivered(dead)) < 60
    scene.run(1)
    assert scene.system.quota.read().causes == "[]"


def test_twenty_contacts_that_always_get_a_500_hold_up_nobody(scene: Scene) -> None:
    """They have nothing else in common, so the newest are tried, and then the oldest get few calls."""
    scene.vendor.judge = by_address("bad", ServerFault())
    bad = scene.store(20, "bad")
    good = scene.store(80, "good")
    assert scene.run(30, lambda: scene.count("delivered", good) > 0) < 5
    calls = len(scene.vendor.signed_up)
    assert calls <= 6
    assert scene.run(120, scene.delivered(good)) <= 79 / 3.1
    assert scene.states(bad) == {"queued"}


MEMBERS: dict[str, tuple[dict[str, Any], Judge, str]] = {
    "a tag": (
        {"tags": {"Blue": True}},
        lambda body: ServerFault() if "tag-Blue" in body.get("tag_ids", ()) else None,
        "the tag “Blue”",
    ),
    "a property": (
        {"phone_number": "1"},
        says("phone_number", Rejected(key="contacts.api.phone")),
        "“phone number” (contacts.api.phone)",
    ),
    "a long address": (
        {"email_address": f"{'a' * 40}.#@example.org"},
        lambda body: Misconfigured() if len(body.get("email_address", "")) > 50 else None,
        "more than 50 characters",
    ),
    "a list that is there": (
        {"list_memberships": [EVENTS.list_id]},
        lambda body: Rejected(key="lists.full") if EVENTS.list_id in body["list_memberships"] else None,
        "the list 'Events'",
    ),
    "a domain": (
        {"email_address": "#@bad.example"},
        by_address("@bad.example", Rejected(key="contacts.api.domain")),
        "addresses of one domain",
    ),
}


@pytest.mark.parametrize(("wish", "judge", "named"), MEMBERS.values(), ids=MEMBERS.keys())
def test_what_refused_sign_ups_have_in_common_is_found_and_named(
    scene: Scene, wish: dict[str, Any], judge: Judge, named: str
) -> None:
    """A few calls find it; the rest is put aside without one, and goes on by itself once it is mended."""
    scene.vendor.judge = judge
    bad = scene.store(60, "bad", **wish)
    good = scene.store(80, "good")
    assert scene.run(30, lambda: scene.count("delivered", good) > 0) < 5
    assert scene.run(120, scene.delivered(good)) <= 79 / 3.1
    assert scene.states(bad) == {"parked"}
    assert {named in str(error) for error in scene.errors(bad)} == {True}
    assert len(scene.vendor.signed_up) <= 80 + 12
    scene.vendor.judge = lambda _: None
    newer = scene.store(5, "newer", **wish)
    assert scene.run(120, scene.delivered(bad + newer)) < 120


def test_a_form_is_found_and_named(scene: Scene) -> None:
    """Its sign-ups need not differ from others in anything else that the vendor sees."""
    form = scene.system.forms.save(
        {
            "slug": "bad",
            "name": "Bad form",
            "list_ids": [NEWSLETTER.list_id],
            "fields": [{"name": "email", "label": "E"}],
        },
        new=True,
    )
    scene.vendor.judge = by_address("bad", Rejected(key="x.y"))
    bad = scene.store(20, "bad", form_id=form.id)
    good = scene.store(80, "good")
    scene.run(120, scene.delivered(good))
    assert scene.count("parked", bad) == 20
    assert any("by the form “Bad form”" in str(error) for error in scene.errors(bad))


def test_three_kinds_of_bad_sign_ups_are_told_apart(scene: Scene) -> None:
    """Mixed with each other in front of good ones, they cost these one call for each kind at first."""
    scene.vendor.there[SPRING] = NEWSLETTER.__class__(SPRING, "Spring", "", False, 0)
    scene.system.lists.read(refresh=True)
    del scene.vendor.there[SPRING]
    scene.clock.now += 60_000
    blue = MEMBERS["a tag"][1]
    scene.vendor.judge = lambda body: blue(body) or says("phone_number", Rejected(key="a.b"))(body)
    bad = []
    for _ in range(25):
        bad += scene.store(1, "dead", list_memberships=[SPRING])
        bad += scene.store(1, "tag", tags={"Blue": True})
        bad += scene.store(1, "phone", phone_number="1")
    good = scene.store(100, "good")
    assert scene.run(30, lambda: scene.count("delivered", good) > 0) < 5
    assert len(scene.vendor.signed_up) <= 5
    # Whoever was tried before is looked up too, lest somebody who left meanwhile is brought back.
    wasted = 20
    assert scene.run(120, scene.delivered(good)) <= (len(good) + wasted) / 3.6
    scene.run(30)
    assert scene.states(bad) == {"parked"}


def test_good_ones_are_found_among_many_of_one_moment(scene: Scene) -> None:
    """An import or a burst: what came last is tried as the newest, whatever the engine does with ties."""
    scene.vendor.judge = says("phone_number", Rejected(key="a.b"))
    scene.store(400, "bad", phone_number="1", apart_ms=0)
    good = scene.store(20, "good", apart_ms=0)
    assert scene.run(30, lambda: scene.count("delivered", good) > 0) < 5
    assert scene.run(60, scene.delivered(good)) < 15


def test_a_good_one_that_comes_later_does_not_wait_for_the_pause(scene: Scene) -> None:
    """With nobody else to try, all wait; a newcomer is tried within seconds, and shows that others can go."""
    scene.vendor.judge = by_address("bad", Rejected(key="a.b"))
    bad = scene.store(30, "bad")
    scene.run(400)
    assert scene.count("delivered", bad) == 0
    spent = len(scene.vendor.signed_up)
    assert spent < 30
    good = scene.store(1, "good")
    assert scene.run(60, scene.delivered(good)) < 30
    assert len(scene.vendor.signed_up) - spent <= 5


def test_what_is_refused_for_everybody_makes_all_wait(scene: Scene) -> None:
    """The controls fail as well: nobody is put aside, and probes come in growing gaps."""
    scene.vendor.judge = lambda _: Misconfigured(key="not.found")
    ids = scene.store(20, "a", phone_number="1") + scene.store(20, "b")
    scene.run(3_600)
    assert len(scene.vendor.signed_up) < 20
    assert scene.states(ids) == {"queued"}
    assert "refuses different sign-ups" in str(scene.system.health.report().problems)
    scene.vendor.judge = lambda _: None
    scene.run(1_800, scene.delivered(ids))
    assert scene.states(ids) == {"subscribed"}


@pytest.mark.parametrize("error", [Unreachable(), Throttled(), Unauthorized()])
def test_what_is_nobodys_fault_is_not_held_against_a_row(scene: Scene, error: ConstantContactError) -> None:
    """Such failures pause all and start no search."""
    scene.vendor.judge = lambda _: error
    scene.store(10, "a")
    scene.run(30)
    assert scene.system.quota.read().refusals == "{}"


def test_a_cause_for_which_nobody_waits_any_more_is_forgotten(scene: Scene) -> None:
    """Once a person has dropped all that were put aside, the next one is tried."""
    scene.vendor.judge = says("phone_number", Rejected(key="a.b"))
    bad = scene.store(10, "bad", phone_number="1")
    scene.run(60, scene.delivered(scene.store(40, "good")))
    assert scene.states(bad) == {"parked"}
    for each in bad:
        assert DeliveryActions(scene.system.database).drop(each, now=scene.clock.now, note="Dropped: a test")
    scene.run(300)
    assert scene.system.quota.read().causes == "[]"
    scene.vendor.judge = lambda _: None
    later = scene.store(1, "later", phone_number="1")
    assert scene.run(30, scene.delivered(later)) < 5


def test_a_person_sends_all_again(scene: Scene) -> None:
    """Whatever is known of causes: they are tried at once, and not put aside before."""
    dead = scene.store(12, "dead", list_memberships=[SPRING])
    scene.run(10)
    assert scene.states(dead) == {"parked"}
    scene.vendor.there[SPRING] = NEWSLETTER.__class__(SPRING, "Spring", "", False, 0)
    scene.system.lists.read(refresh=True)
    for each in dead:
        assert scene.system.deliveries.retry(each, now=scene.clock.now)
    scene.system.quota.try_again()
    assert scene.run(30, scene.delivered(dead)) < 10


def test_a_bad_probe_goes_behind_the_others(scene: Scene) -> None:
    """Each probe of a cause is another row, so that one bad row does not keep the others from going on."""
    scene.vendor.judge = says("phone_number", Rejected(key="a.b"))
    bad = scene.store(20, "bad", phone_number="1")
    good = scene.store(100, "good")
    scene.run(60, scene.delivered(good))
    assert scene.states(bad) == {"parked"}
    worst = by_address(f"bad{20}@", Rejected(key="a.b"))
    scene.vendor.judge = worst
    scene.run(300, lambda: scene.count("delivered", bad) >= 19)
    assert scene.count("delivered", bad) == 19


def test_a_probe_that_meets_a_500_stays_put_aside(scene: Scene) -> None:
    """Alone a 500 postpones its row; a row that was sent as a probe of a cause waits for the next probe."""
    scene.vendor.judge = says("phone_number", Rejected(key="a.b"))
    bad = scene.store(12, "bad", phone_number="1")
    good = scene.store(40, "good")
    scene.run(60, scene.delivered(good))
    assert scene.states(bad) == {"parked"}
    scene.vendor.judge = says("phone_number", ServerFault())
    sent = len(scene.vendor.signed_up)
    scene.run(120, lambda: len(scene.vendor.signed_up) > sent)
    assert len(scene.vendor.signed_up) == sent + 1
    assert scene.states(bad) == {"parked"}
