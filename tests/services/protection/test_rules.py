"""What looks like a program's is answered like any other, kept apart, and never sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.access.requester import ANONYMOUS, Requester
from services.errors import InvalidSubmission, KeyReused
from services.forms.form import Form
from services.forms.honeypot import trap_name
from services.intake.idempotency import Handling
from services.intake.parsing import read_form, read_json
from services.intake.record import Evidence
from services.protection.rules import RULES
from services.submission.fields import Submission
from store.recovery.spool_import import Imported, SpoolImport
from store.upkeep.retention import Retention
from tests.services.conftest import House
from tests.services.protection.test_proof_of_work import answer
from tests.services.vendor import EVENTS, NEWSLETTER

FORM: dict[str, Any] = {
    "slug": "news",
    "name": "News",
    "list_ids": [NEWSLETTER.list_id],
    "protection": "standard",
}
DAY_MS = 24 * 3_600_000


def per_minute(**most: int) -> dict[str, str]:
    """The settings for so many sign-ups a minute."""
    return {f"SIGNUPS_PER_MINUTE_AND_{what.upper()}": str(number) for what, number in most.items()}


@pytest.fixture
def form(house: House) -> Form:
    return house.forms.save(FORM)


TRAP = trap_name("news")


def post(**fields: str) -> Submission:
    return read_form(({"form": "news", "email": "ann@example.org"} | fields).items())


def shown(house: House, form: Form, ms_ago: int) -> str:
    """The token of a form that was shown so long ago."""
    house.clock.now -= ms_ago
    token = house.protection.token(form)
    house.clock.now += ms_ago
    return token


def sent(house: House) -> int:
    return len(house.newest(10))


def rules(house: House, form: Form | None, submission: Submission) -> tuple[str, ...]:
    return house.protection.judge(submission, form, None).broken


def test_a_person_passes(house: House, form: Form) -> None:
    """From two seconds after the form was shown to a day after."""
    for ms_ago in (2_000, DAY_MS):
        house.intake.accept(post(form_token=shown(house, form, ms_ago)), ANONYMOUS, Evidence())
    assert sent(house) == 2
    assert house.suspected.counts().total == 0


def test_a_program_is_told_what_a_person_is_told(house: House, form: Form) -> None:
    """The answer is the same, and so is what strangers are told later, also once an admin has deleted it."""
    person = house.intake.accept(post(form_token=shown(house, form, 5_000)), ANONYMOUS, Evidence())
    program = house.intake.accept(post(**{TRAP: "https://spam.example"}), ANONYMOUS, Evidence())
    assert vars(program) == vars(person) | {"id": program.id}
    assert house.statuses.received(person.id)
    assert house.statuses.received(program.id)
    assert (house.view(person.id).status, house.view(program.id).status) == ("queued", "suspected")
    assert sent(house) == 1
    assert [suspect.id for suspect in house.suspected.waiting(10)] == [program.id]
    assert house.suspected.delete(program.id)
    assert house.statuses.received(program.id)
    assert house.statuses.status(program.id) is None


def test_the_honeypot_guards_lists_without_a_form(house: House) -> None:
    """On forms and in JSON, whatever kind of value is put into it."""
    pairs = [("email", "ann@example.org"), ("list_id", NEWSLETTER.list_id)]
    assert rules(house, None, read_form([*pairs, ("website", "x")])) == ("honeypot",)
    assert rules(house, None, read_form([*pairs, ("website", "")])) == ()
    body = b'{"email": "ann@example.org", "list_id": "%s", "website": %s}'
    for value in (b'"x"', b"1", b'["x"]', b'{"a": 1}', b"true"):
        given = read_json(body % (NEWSLETTER.list_id.encode(), value))
        assert rules(house, None, given) == ("honeypot",), value
    for value in (b'""', b"null"):
        assert rules(house, None, read_json(body % (NEWSLETTER.list_id.encode(), value))) == ()


def test_without_the_form_being_shown_it_is_suspected(house: House, form: Form, tmp_path: Path) -> None:
    """No token, one that was made up, one of another form, one of another installation."""
    other = house.forms.save(FORM | {"slug": "other"})
    (tmp_path / "elsewhere").mkdir()
    elsewhere = House(tmp_path / "elsewhere", environ={"SECRET_KEY": "c19be07d53f2a84695d0e7b3a1482f6c"})
    foreign = elsewhere.protection.token(form)
    elsewhere.database.close()
    assert rules(house, form, post()) == ("no_token",)
    assert rules(house, form, post(form_token="")) == ("no_token",)
    for token in ("made-up", "WyJuZXdzIiwwXQ.x", shown(house, other, 5_000), foreign):
        assert rules(house, form, post(form_token=token)) == ("wrong_token",), token


def test_nobody_fills_in_a_form_in_no_time(house: House, form: Form) -> None:
    """Under two seconds it was a program; a token from the future was not filled in for long either."""
    assert rules(house, form, post(form_token=shown(house, form, 1_999))) == ("too_fast",)
    assert rules(house, form, post(form_token=shown(house, form, -60_000))) == ("too_fast",)


def test_a_page_open_for_over_a_day_is_sent_again(house: House, form: Form) -> None:
    """That happens to people: they are asked once more, and nothing is stored."""
    with pytest.raises(InvalidSubmission) as caught:
        house.intake.accept(post(form_token=shown(house, form, DAY_MS + 1)), ANONYMOUS, Evidence())
    assert [error.field for error in caught.value.errors] == ["form_token"]
    assert (sent(house), house.suspected.counts().total) == (0, 0)
    # The form that is shown again was filled in already: it may be sent at once.
    again = house.protection.token(form, shown_before=True)
    assert rules(house, form, post(form_token=again)) == ()


def test_a_weaker_protection_asks_for_no_token(house: House) -> None:
    """Plain HTML in somebody's page brings none; forms of before the choice are such."""
    form = house.forms.save({key: value for key, value in FORM.items() if key != "protection"})
    assert rules(house, form, post()) == ()
    assert rules(house, form, post(**{TRAP: "x"})) == ("honeypot",)


def test_an_api_key_is_never_suspected(house: House, form: Form) -> None:
    """Another server knows no tokens and may well have a field of that name."""
    house.intake.accept(post(**{TRAP: "https://example.org"}), Requester("api:12345678"), Evidence())
    assert (sent(house), house.suspected.counts().total) == (1, 0)


def test_a_mistake_is_told_before_anything_is_suspected(house: House) -> None:
    """So that a person learns of it, and a program that is refused leaves nothing behind."""
    field = {"name": "first_name", "label": "Name", "required": True}
    house.forms.save(FORM | {"fields": [field]})
    with pytest.raises(InvalidSubmission):
        house.intake.accept(post(**{TRAP: "x"}), ANONYMOUS, Evidence())
    assert house.suspected.counts().total == 0


def test_released_it_is_delivered_and_deleted_it_never_is(house: House, form: Form) -> None:
    """A person decides, once."""
    evidence = Evidence(network_address="192.0.2.1")
    kept = house.intake.accept(post(**{TRAP: "x"}), ANONYMOUS, evidence).id
    house.clock.now += 1
    dropped = house.intake.accept(post(**{TRAP: "x"}), ANONYMOUS, evidence).id
    (_, view) = house.suspected.waiting(10)
    assert (view.id, view.email, view.form_id) == (kept, "ann@example.org", form.id)
    assert [RULES[name] for name in view.reasons] == ["A field that people do not see was filled in."]
    assert house.suspected.release(kept)
    assert house.suspected.delete(dropped)
    assert not house.suspected.release(kept)
    assert not house.suspected.delete(kept)
    assert [signup.id for signup in house.newest(10)] == [kept]
    assert house.delivery.drain(1).delivered == 1
    assert house.statuses.status(dropped) is None


@pytest.mark.parametrize(
    ("email", "broken"),
    [
        ("ann@mailinator.com", ("disposable",)),
        ("ANN@Box.Mailinator.COM", ("disposable",)),
        ("ann@notmailinator.com", ()),
        ("mailinator.com@example.org", ()),
        ("ann@mailinator.com.example.org", ()),
    ],
)
def test_an_address_to_throw_away_is_suspected(
    house: House, form: Form, email: str, broken: tuple[str, ...]
) -> None:
    """By its domain, on forms that are protected; a person may mean it."""
    fields = [("form", "news"), ("email", email), ("form_token", shown(house, form, 5_000))]
    assert rules(house, form, read_form(fields)) == broken
    weak = house.forms.save(FORM | {"protection": "none"})
    assert rules(house, weak, read_form(fields)) == ()


def refuse(house: House) -> None:
    """The store takes nothing that is new."""
    with house.database.transaction() as connection:
        for table in ("deliveries", "suspected_signups"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER no_{table} BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'full'); END"
            )


def take_back(house: House) -> None:
    with house.database.transaction() as connection:
        for table in ("deliveries", "suspected_signups"):
            connection.exec_driver_sql(f"DROP TRIGGER no_{table}")


def test_what_looks_like_a_program_while_the_store_is_away_is_not_sent_later(
    house: House, form: Form
) -> None:
    """It waits in the spool as what it is; its answer is a person's, and so is its status until then."""
    refuse(house)
    person = house.intake.accept(post(form_token=shown(house, form, 5_000)), ANONYMOUS, Evidence())
    program = house.intake.accept(post(**{TRAP: "x"}), ANONYMOUS, Evidence())
    assert vars(program) == vars(person) | {"id": program.id}
    assert house.spool.count() == 2
    assert vars(house.view(program.id)) == vars(house.view(person.id)) | {"id": program.id}
    take_back(house)
    assert SpoolImport(house.database, house.spool).run() == Imported(signups=2, damaged=0)
    assert [row.id for row in house.newest(10)] == [person.id]
    (suspect,) = house.suspected.waiting(10)
    assert (suspect.id, suspect.reasons) == (program.id, ("honeypot",))
    assert house.view(program.id).status == "suspected"
    assert house.suspected.release(program.id)
    house.delivery.drain(5)
    assert house.view(program.id).status == "subscribed"


def test_a_sign_up_sent_again_with_a_new_token_is_the_same(house: House, form: Form) -> None:
    """The page that repeats a post for a lost answer may have taken a fresh token or proof meanwhile."""
    handling, ids = Handling(key="k1"), set()
    for _ in range(2):
        token = house.protection.token(form)
        house.clock.now += 3_000
        submission = read_form([("email", "ann@example.org"), ("form", form.slug), ("form_token", token)])
        ids.add(house.intake.accept(submission, ANONYMOUS, Evidence(), handling).id)
    assert len(ids) == 1


def test_a_suspected_sign_up_sent_again_is_told_of_the_first(house: House, form: Form) -> None:
    """As a person's is: one answer, one suspect, and another body with the same key is refused."""
    handling = Handling(key="k1")
    answers = [house.intake.accept(post(**{TRAP: "x"}), ANONYMOUS, Evidence(), handling) for _ in range(3)]
    assert len({answer.id for answer in answers}) == 1
    assert {answer.status for answer in answers} == {"received"}
    assert house.suspected.counts().total == 1
    with pytest.raises(KeyReused):
        house.intake.accept(post(**{TRAP: "x"}, source="footer"), ANONYMOUS, Evidence(), handling)
    assert house.suspected.release(answers[0].id)
    house.delivery.drain(5)
    again = house.intake.accept(post(**{TRAP: "x"}), ANONYMOUS, Evidence(), handling)
    assert again == answers[0]
    assert house.view(again.id).status == "subscribed"


def test_a_proof_that_is_sent_again_with_its_key_is_no_second_use(house: House) -> None:
    """A person's script that repeats a post for a lost answer is not suspected."""
    guarded = house.forms.save(FORM | {"slug": "guarded", "protection": "captcha"})
    proof = answer(house.proofs.challenge("guarded"))
    pairs = {"form_token": shown(house, guarded, 5_000), "altcha": proof}
    submission = read_form([("form", "guarded"), ("email", "ann@example.org"), *pairs.items()])
    first, again = (
        house.intake.accept(submission, ANONYMOUS, Evidence(), Handling(key="k")) for _ in range(2)
    )
    assert first == again
    assert (sent(house), house.suspected.counts().total) == (1, 0)


def test_programs_do_not_use_up_what_is_believed_of_a_form(tmp_path: Path) -> None:
    """A crowd that is found out leaves the form's people alone; of itself it keeps only so many."""
    house = House(tmp_path, environ=per_minute(address=0, network=0, form=10))
    form = house.forms.save(FORM)
    outcomes = [house.intake.accept(post(**{TRAP: "x"}), ANONYMOUS, Evidence()).status for _ in range(60)]
    house.intake.accept(post(form_token=shown(house, form, 5_000)), ANONYMOUS, Evidence())
    assert (outcomes.count("received"), house.suspected.counts().total) == (60, 50)
    assert sent(house) == 1
    house.database.close()


def test_a_better_proof_under_the_same_key_releases_what_was_kept(house: House) -> None:
    """The trap is empty and the proof of work is done now: the first one goes out, as of when it came."""
    guarded = house.forms.save(FORM | {"slug": "guarded", "protection": "captcha"})
    handling = Handling(key="k")

    def send(**more: str) -> str:
        pairs = {"form": "guarded", "email": "ann@example.org", "form_token": shown(house, guarded, 5_000)}
        return house.intake.accept(read_form((pairs | more).items()), ANONYMOUS, Evidence(), handling).id

    first, came_at = send(**{trap_name("guarded"): "x"}), house.clock.now
    house.clock.now += 60_000
    assert send() == first
    assert house.suspected.counts().total == 1, "without the proof it stays"
    assert send(altcha="wrong") == first
    assert house.suspected.counts().total == 1
    assert send(altcha=answer(house.proofs.challenge("guarded"))) == first
    assert house.suspected.counts().total == 0
    assert [(row.id, row.received_at) for row in house.newest(10)] == [(first, came_at)]
    assert send(altcha=answer(house.proofs.challenge("guarded"))) == first
    assert sent(house) == 1


def test_a_better_proof_is_asked_of_each_kind_of_reason(house: House, form: Form) -> None:
    """Without a token, too fast, at a time when too many came: the second try is judged like a new one."""
    patient = {"form_token": shown(house, form, 5_000)}
    for key, first in (("a", {}), ("b", {"form_token": shown(house, form, 0)}), ("c", {TRAP: "x"})):
        for fields in (first, patient):
            email = f"{key}@example.org"
            house.intake.accept(post(**fields, email=email), ANONYMOUS, Evidence(), Handling(key=key))
    assert (sent(house), house.suspected.counts().total) == (3, 0)


def test_a_second_try_counts_for_the_limits(tmp_path: Path) -> None:
    """Otherwise a program would be found out first, and released without a limit."""
    house = House(tmp_path, environ=per_minute(address=2, network=0, form=0))
    form = house.forms.save(FORM)
    patient = {"form_token": shown(house, form, 5_000)}
    evidence = Evidence(network_address="8.8.4.4")
    for fields in ({TRAP: "x"}, patient):
        for n in range(5):
            submission = post(**fields, email=f"p{n}@example.org")
            house.intake.accept(submission, ANONYMOUS, evidence, Handling(key=f"k{n}"))
    assert (sent(house), house.suspected.counts().total) == (2, 3)
    house.database.close()


def test_a_strangers_key_is_nobody_elses(house: House, form: Form) -> None:
    """By form and address: whoever sends the same key for another is not told of the first, nor refused."""
    # A list of its own, so that the public one stays open without a form.
    house.forms.save(FORM | {"list_ids": [EVENTS.list_id]})
    house.forms.save(FORM | {"slug": "other", "protection": "none"})
    patient = {"form_token": shown(house, form, 5_000)}
    ids = {
        house.intake.accept(submission, ANONYMOUS, Evidence(), Handling(key="1")).id
        for submission in (
            post(**patient),
            post(**patient, email="bob@example.org"),
            read_form([("form", "other"), ("email", "ann@example.org")]),
            read_form([("list_id", NEWSLETTER.list_id), ("email", "ann@example.org")]),
        )
    }
    assert (len(ids), sent(house)) == (4, 4)
    # The key of who has an API key counts for all it sends.
    shop = Requester("api:12345678")
    house.intake.accept(post(), shop, Evidence(), Handling(key="1"))
    with pytest.raises(KeyReused):
        house.intake.accept(post(email="bob@example.org"), shop, Evidence(), Handling(key="1"))


def test_who_solved_a_captcha_is_known_whatever_rule_they_broke(house: House) -> None:
    """They are first in line, and no retention and no decision on many deletes them."""
    guarded = house.forms.save(FORM | {"slug": "guarded", "protection": "captcha"})
    house.clock.now += 60_000

    def send(email: str, **more: str) -> str:
        pairs = {"form": "guarded", "email": email} | more
        return house.intake.accept(read_form(pairs.items()), ANONYMOUS, Evidence()).id

    trap = send("a@example.org", **{trap_name("guarded"): "x"})
    proven = send(
        "ann@mailinator.com",
        form_token=shown(house, guarded, 5_000),
        altcha=answer(house.proofs.challenge("guarded")),
    )
    hurried = send(
        "hurried@example.org",
        form_token=shown(house, guarded, 10),
        altcha=answer(house.proofs.challenge("guarded")),
    )
    unsure = send("b@example.org", form_token=shown(house, guarded, 5_000))
    views = house.suspected.waiting(10)
    assert {view.id for view in views[:2]} == {proven, hurried}
    assert [view.id for view in views[2:]] == [unsure, trap]
    assert [view.proven for view in views] == [True, True, False, False]
    assert house.suspected.delete_all("disposable", seen=house.clock.now) == 0
    assert Retention(house.database).prune(house.clock.now + 40 * DAY_MS) == 2
    assert {view.id for view in house.suspected.waiting(10)} == {proven, hurried}


def test_a_flood_of_programs_does_not_drop_who_solved_a_captcha(tmp_path: Path) -> None:
    """What is left out of a flood is what was found out and proved nothing."""
    house = House(tmp_path, environ=per_minute(address=1, network=0, form=0))
    guarded = house.forms.save(FORM | {"slug": "guarded", "protection": "captcha"})
    evidence = Evidence(network_address="8.8.4.4")
    for _ in range(20):
        house.intake.accept(
            read_form([("form", "guarded"), ("email", "a@example.org"), (trap_name("guarded"), "x")]),
            ANONYMOUS,
            evidence,
        )
    assert house.suspected.counts().total == 5
    pairs = {
        "form": "guarded",
        "email": "ann@mailinator.com",
        "form_token": shown(house, guarded, 5_000),
        "altcha": answer(house.proofs.challenge("guarded")),
    }
    kept = house.intake.accept(read_form(pairs.items()), ANONYMOUS, evidence)
    assert house.suspected.waiting(1)[0].id == kept.id
    house.database.close()
