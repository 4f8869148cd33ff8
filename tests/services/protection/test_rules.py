"""What looks like a program's is answered like any other, kept apart, and never sent."""

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
from tests.services.conftest import System
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
def form(system: System) -> Form:
    return system.forms.save(FORM)


TRAP = trap_name("news")


def post(**fields: str) -> Submission:
    return read_form(({"form": "news", "email": "ann@example.org"} | fields).items())


def shown(system: System, form: Form, ms_ago: int) -> str:
    """The token of a form that was shown so long ago."""
    system.clock.now -= ms_ago
    token = system.protection.token(form)
    system.clock.now += ms_ago
    return token


def sent(system: System) -> int:
    return len(system.newest(10))


def rules(system: System, form: Form | None, submission: Submission) -> tuple[str, ...]:
    return system.protection.judge(submission, form, None).broken


def test_a_person_passes(system: System, form: Form) -> None:
    """From two seconds after the form was shown to a day after."""
    for ms_ago in (2_000, DAY_MS):
        system.intake.accept(post(form_token=shown(system, form, ms_ago)), ANONYMOUS, Evidence())
    assert sent(system) == 2
    assert system.suspected.counts().total == 0


def test_a_program_is_told_what_a_person_is_told(system: System, form: Form) -> None:
    """The answer is the same, and so is what strangers are told later, also once an admin has deleted it."""
    person = system.intake.accept(post(form_token=shown(system, form, 5_000)), ANONYMOUS, Evidence())
    program = system.intake.accept(post(**{TRAP: "https://spam.example"}), ANONYMOUS, Evidence())
    assert vars(program) == vars(person) | {"id": program.id}
    assert system.statuses.received(person.id)
    assert system.statuses.received(program.id)
    assert (system.view(person.id).status, system.view(program.id).status) == ("queued", "suspected")
    assert sent(system) == 1
    assert [suspect.id for suspect in system.suspected.waiting(10)] == [program.id]
    assert system.suspected.delete(program.id)
    assert system.statuses.received(program.id)
    assert system.statuses.status(program.id) is None


def test_the_honeypot_guards_lists_without_a_form(system: System) -> None:
    """On forms and in JSON, whatever kind of value is put into it."""
    pairs = [("email", "ann@example.org"), ("list_id", NEWSLETTER.list_id)]
    assert rules(system, None, read_form([*pairs, ("website", "x")])) == ("honeypot",)
    assert rules(system, None, read_form([*pairs, ("website", "")])) == ()
    body = b'{"email": "ann@example.org", "list_id": "%s", "website": %s}'
    for value in (b'"x"', b"1", b'["x"]', b'{"a": 1}', b"true"):
        given = read_json(body % (NEWSLETTER.list_id.encode(), value))
        assert rules(system, None, given) == ("honeypot",), value
    for value in (b'""', b"null"):
        assert rules(system, None, read_json(body % (NEWSLETTER.list_id.encode(), value))) == ()


def test_without_the_form_being_shown_it_is_suspected(system: System, form: Form, tmp_path: Path) -> None:
    """No token, one that was made up, one of another form, one of another installation."""
    other = system.forms.save(FORM | {"slug": "other"})
    (tmp_path / "elsewhere").mkdir()
    elsewhere = System(tmp_path / "elsewhere", environ={"SECRET_KEY": "c19be07d53f2a84695d0e7b3a1482f6c"})
    foreign = elsewhere.protection.token(form)
    elsewhere.database.close()
    assert rules(system, form, post()) == ("no_token",)
    assert rules(system, form, post(form_token="")) == ("no_token",)
    for token in ("made-up", "WyJuZXdzIiwwXQ.x", shown(system, other, 5_000), foreign):
        assert rules(system, form, post(form_token=token)) == ("wrong_token",), token


def test_nobody_fills_in_a_form_in_no_time(system: System, form: Form) -> None:
    """Under two seconds it was a program; a token from the future was not filled in for long either."""
    assert rules(system, form, post(form_token=shown(system, form, 1_999))) == ("too_fast",)
    assert rules(system, form, post(form_token=shown(system, form, -60_000))) == ("too_fast",)


def test_a_page_open_for_over_a_day_is_sent_again(system: System, form: Form) -> None:
    """That happens to people: they are asked once more, and nothing is stored."""
    with pytest.raises(InvalidSubmission) as caught:
        system.intake.accept(post(form_token=shown(system, form, DAY_MS + 1)), ANONYMOUS, Evidence())
    assert [error.field for error in caught.value.errors] == ["form_token"]
    assert (sent(system), system.suspected.counts().total) == (0, 0)
    # The form that is shown again was filled in already: it may be sent at once.
    again = system.protection.token(form, shown_before=True)
    assert rules(system, form, post(form_token=again)) == ()


def test_a_weaker_protection_asks_for_no_token(system: System) -> None:
    """Plain HTML in somebody's page brings none; forms of before the choice are such."""
    form = system.forms.save({key: value for key, value in FORM.items() if key != "protection"})
    assert rules(system, form, post()) == ()
    assert rules(system, form, post(**{TRAP: "x"})) == ("honeypot",)


def test_an_api_key_is_never_suspected(system: System, form: Form) -> None:
    """Another server knows no tokens and may well have a field of that name."""
    system.intake.accept(post(**{TRAP: "https://example.org"}), Requester("api:12345678"), Evidence())
    assert (sent(system), system.suspected.counts().total) == (1, 0)


def test_a_mistake_is_told_before_anything_is_suspected(system: System) -> None:
    """So that a person learns of it, and a program that is refused leaves nothing behind."""
    field = {"name": "first_name", "label": "Name", "required": True}
    system.forms.save(FORM | {"fields": [field]})
    with pytest.raises(InvalidSubmission):
        system.intake.accept(post(**{TRAP: "x"}), ANONYMOUS, Evidence())
    assert system.suspected.counts().total == 0


def test_released_it_is_delivered_and_deleted_it_never_is(system: System, form: Form) -> None:
    """A person decides, once."""
    evidence = Evidence(network_address="192.0.2.1")
    kept = system.intake.accept(post(**{TRAP: "x"}), ANONYMOUS, evidence).id
    system.clock.now += 1
    dropped = system.intake.accept(post(**{TRAP: "x"}), ANONYMOUS, evidence).id
    (_, view) = system.suspected.waiting(10)
    assert (view.id, view.email, view.form_id) == (kept, "ann@example.org", form.id)
    assert [RULES[name] for name in view.reasons] == ["A field that people do not see was filled in."]
    assert system.suspected.release(kept)
    assert system.suspected.delete(dropped)
    assert not system.suspected.release(kept)
    assert not system.suspected.delete(kept)
    assert [signup.id for signup in system.newest(10)] == [kept]
    assert system.delivery.drain(1).delivered == 1
    assert system.statuses.status(dropped) is None


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
    system: System, form: Form, email: str, broken: tuple[str, ...]
) -> None:
    """By its domain, on forms that are protected; a person may mean it."""
    fields = [("form", "news"), ("email", email), ("form_token", shown(system, form, 5_000))]
    assert rules(system, form, read_form(fields)) == broken
    weak = system.forms.save(FORM | {"protection": "none"})
    assert rules(system, weak, read_form(fields)) == ()


def refuse(system: System) -> None:
    """The store takes nothing that is new."""
    with system.database.transaction() as connection:
        for table in ("deliveries", "suspected_signups"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER no_{table} BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'full'); END"
            )


def take_back(system: System) -> None:
    with system.database.transaction() as connection:
        for table in ("deliveries", "suspected_signups"):
            connection.exec_driver_sql(f"DROP TRIGGER no_{table}")


def test_what_looks_like_a_program_while_the_store_is_away_is_not_sent_later(
    system: System, form: Form
) -> None:
    """It waits in the spool as what it is; its answer is a person's, and so is its status until then."""
    refuse(system)
    person = system.intake.accept(post(form_token=shown(system, form, 5_000)), ANONYMOUS, Evidence())
    program = system.intake.accept(post(**{TRAP: "x"}), ANONYMOUS, Evidence())
    assert vars(program) == vars(person) | {"id": program.id}
    assert system.spool.count() == 2
    assert vars(system.view(program.id)) == vars(system.view(person.id)) | {"id": program.id}
    take_back(system)
    assert SpoolImport(system.database, system.spool).run() == Imported(signups=2, damaged=0)
    assert [row.id for row in system.newest(10)] == [person.id]
    (suspect,) = system.suspected.waiting(10)
    assert (suspect.id, suspect.reasons) == (program.id, ("honeypot",))
    assert system.view(program.id).status == "suspected"
    assert system.suspected.release(program.id)
    system.delivery.drain(5)
    assert system.view(program.id).status == "subscribed"


def test_a_sign_up_sent_again_with_a_new_token_is_the_same(system: System, form: Form) -> None:
    """The page that repeats a post for a lost answer may have taken a fresh token or proof meanwhile."""
    handling, ids = Handling(key="k1"), set()
    for _ in range(2):
        token = system.protection.token(form)
        system.clock.now += 3_000
        submission = read_form([("email", "ann@example.org"), ("form", form.slug), ("form_token", token)])
        ids.add(system.intake.accept(submission, ANONYMOUS, Evidence(), handling).id)
    assert len(ids) == 1


def test_a_suspected_sign_up_sent_again_is_told_of_the_first(system: System, form: Form) -> None:
    """As a person's is: one answer, one suspect, and another body with the same key is refused."""
    handling = Handling(key="k1")
    answers = [system.intake.accept(post(**{TRAP: "x"}), ANONYMOUS, Evidence(), handling) for _ in range(3)]
    assert len({answer.id for answer in answers}) == 1
    assert {answer.status for answer in answers} == {"received"}
    assert system.suspected.counts().total == 1
    with pytest.raises(KeyReused):
        system.intake.accept(post(**{TRAP: "x"}, source="footer"), ANONYMOUS, Evidence(), handling)
    assert system.suspected.release(answers[0].id)
    system.delivery.drain(5)
    again = system.intake.accept(post(**{TRAP: "x"}), ANONYMOUS, Evidence(), handling)
    assert again == answers[0]
    assert system.view(again.id).status == "subscribed"


def test_a_proof_that_is_sent_again_with_its_key_is_no_second_use(system: System) -> None:
    """A person's script that repeats a post for a lost answer is not suspected."""
    guarded = system.forms.save(FORM | {"slug": "guarded", "protection": "captcha"})
    proof = answer(system.proofs.challenge("guarded"))
    pairs = {"form_token": shown(system, guarded, 5_000), "altcha": proof}
    submission = read_form([("form", "guarded"), ("email", "ann@example.org"), *pairs.items()])
    first, again = (
        system.intake.accept(submission, ANONYMOUS, Evidence(), Handling(key="k")) for _ in range(2)
    )
    assert first == again
    assert (sent(system), system.suspected.counts().total) == (1, 0)


def test_programs_do_not_use_up_what_is_believed_of_a_form(tmp_path: Path) -> None:
    """A crowd that is found out leaves the form's people alone; of itself it keeps only so many."""
    system = System(tmp_path, environ=per_minute(address=0, network=0, form=10))
    form = system.forms.save(FORM)
    outcomes = [system.intake.accept(post(**{TRAP: "x"}), ANONYMOUS, Evidence()).status for _ in range(60)]
    system.intake.accept(post(form_token=shown(system, form, 5_000)), ANONYMOUS, Evidence())
    assert (outcomes.count("received"), system.suspected.counts().total) == (60, 50)
    assert sent(system) == 1
    system.database.close()


def test_a_better_proof_under_the_same_key_releases_what_was_kept(system: System) -> None:
    """The trap is empty and the proof of work is done now: the first one goes out, as of when it came."""
    guarded = system.forms.save(FORM | {"slug": "guarded", "protection": "captcha"})
    handling = Handling(key="k")

    def send(**more: str) -> str:
        pairs = {"form": "guarded", "email": "ann@example.org", "form_token": shown(system, guarded, 5_000)}
        return system.intake.accept(read_form((pairs | more).items()), ANONYMOUS, Evidence(), handling).id

    first, came_at = send(**{trap_name("guarded"): "x"}), system.clock.now
    system.clock.now += 60_000
    assert send() == first
    assert system.suspected.counts().total == 1, "without the proof it stays"
    assert send(altcha="wrong") == first
    assert system.suspected.counts().total == 1
    assert send(altcha=answer(system.proofs.challenge("guarded"))) == first
    assert system.suspected.counts().total == 0
    assert [(row.id, row.received_at) for row in system.newest(10)] == [(first, came_at)]
    assert send(altcha=answer(system.proofs.challenge("guarded"))) == first
    assert sent(system) == 1


def test_a_better_proof_is_asked_of_each_kind_of_reason(system: System, form: Form) -> None:
    """Without a token, too fast, at a time when too many came: the second try is judged like a new one."""
    patient = {"form_token": shown(system, form, 5_000)}
    for key, first in (("a", {}), ("b", {"form_token": shown(system, form, 0)}), ("c", {TRAP: "x"})):
        for fields in (first, patient):
            email = f"{key}@example.org"
            system.intake.accept(post(**fields, email=email), ANONYMOUS, Evidence(), Handling(key=key))
    assert (sent(system), system.suspected.counts().total) == (3, 0)


def test_a_second_try_counts_for_the_limits(tmp_path: Path) -> None:
    """Otherwise a program would be found out first, and released without a limit."""
    system = System(tmp_path, environ=per_minute(address=2, network=0, form=0))
    form = system.forms.save(FORM)
    patient = {"form_token": shown(system, form, 5_000)}
    evidence = Evidence(network_address="8.8.4.4")
    for fields in ({TRAP: "x"}, patient):
        for n in range(5):
            submission = post(**fields, email=f"p{n}@example.org")
            system.intake.accept(submission, ANONYMOUS, evidence, Handling(key=f"k{n}"))
    assert (sent(system), system.suspected.counts().total) == (2, 3)
    system.database.close()


def test_a_strangers_key_is_nobody_elses(system: System, form: Form) -> None:
    """By form and address: whoever sends the same key for another is not told of the first, nor refused."""
    # A list of its own, so that the public one stays open without a form.
    system.forms.save(FORM | {"list_ids": [EVENTS.list_id]})
    system.forms.save(FORM | {"slug": "other", "protection": "none"})
    patient = {"form_token": shown(system, form, 5_000)}
    ids = {
        system.intake.accept(submission, ANONYMOUS, Evidence(), Handling(key="1")).id
        for submission in (
            post(**patient),
            post(**patient, email="bob@example.org"),
            read_form([("form", "other"), ("email", "ann@example.org")]),
            read_form([("list_id", NEWSLETTER.list_id), ("email", "ann@example.org")]),
        )
    }
    assert (len(ids), sent(system)) == (4, 4)
    # The key of who has an API key counts for all it sends.
    shop = Requester("api:12345678")
    system.intake.accept(post(), shop, Evidence(), Handling(key="1"))
    with pytest.raises(KeyReused):
        system.intake.accept(post(email="bob@example.org"), shop, Evidence(), Handling(key="1"))


def test_who_solved_a_captcha_is_known_whatever_rule_they_broke(system: System) -> None:
    """They are first in line, and no retention and no decision on many deletes them."""
    guarded = system.forms.save(FORM | {"slug": "guarded", "protection": "captcha"})
    system.clock.now += 60_000

    def send(email: str, **more: str) -> str:
        pairs = {"form": "guarded", "email": email} | more
        return system.intake.accept(read_form(pairs.items()), ANONYMOUS, Evidence()).id

    trap = send("a@example.org", **{trap_name("guarded"): "x"})
    proven = send(
        "ann@mailinator.com",
        form_token=shown(system, guarded, 5_000),
        altcha=answer(system.proofs.challenge("guarded")),
    )
    hurried = send(
        "hurried@example.org",
        form_token=shown(system, guarded, 10),
        altcha=answer(system.proofs.challenge("guarded")),
    )
    unsure = send("b@example.org", form_token=shown(system, guarded, 5_000))
    views = system.suspected.waiting(10)
    assert {view.id for view in views[:2]} == {proven, hurried}
    assert [view.id for view in views[2:]] == [unsure, trap]
    assert [view.proven for view in views] == [True, True, False, False]
    assert system.suspected.delete_all("disposable", seen=system.clock.now) == 0
    assert Retention(system.database).prune(system.clock.now + 40 * DAY_MS) == 2
    assert {view.id for view in system.suspected.waiting(10)} == {proven, hurried}


def test_a_flood_of_programs_does_not_drop_who_solved_a_captcha(tmp_path: Path) -> None:
    """What is left out of a flood is what was found out and proved nothing."""
    system = System(tmp_path, environ=per_minute(address=1, network=0, form=0))
    guarded = system.forms.save(FORM | {"slug": "guarded", "protection": "captcha"})
    evidence = Evidence(network_address="8.8.4.4")
    for _ in range(20):
        system.intake.accept(
            read_form([("form", "guarded"), ("email", "a@example.org"), (trap_name("guarded"), "x")]),
            ANONYMOUS,
            evidence,
        )
    assert system.suspected.counts().total == 5
    pairs = {
        "form": "guarded",
        "email": "ann@mailinator.com",
        "form_token": shown(system, guarded, 5_000),
        "altcha": answer(system.proofs.challenge("guarded")),
    }
    kept = system.intake.accept(read_form(pairs.items()), ANONYMOUS, evidence)
    assert system.suspected.waiting(1)[0].id == kept.id
    system.database.close()
