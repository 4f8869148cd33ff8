"""`flask forms`: what an operator types, reads and gets as an exit code."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from app import create_app
from settings import Settings
from tests.web.forms import LIST_ID, SHOP, make


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(Settings.from_env({"DATA_DIR": str(tmp_path), "DELIVERY": "off"}))
    yield app
    app.extensions["parts"].database.close()


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["forms", *words])


def test_list_shows_every_form(app: Flask) -> None:
    """A form is a line with its state; that there is none is said on standard error."""
    assert "make one at /admin/forms/" in run(app, "list").stderr
    make(app)
    make(app, slug="old", name="Old letters")
    with app.extensions["parts"].database.transaction() as connection:
        # As an earlier release let it in.
        connection.exec_driver_sql("UPDATE forms SET name = ? WHERE slug = 'old'", ("Old\x1b[2J letters",))
    run(app, "archive", "old")
    answer = run(app, "list")
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert answer.stdout.splitlines() == [
        "old                       archived  Old�[2J letters",
        "spring-news               in use    Spring newsletter",
    ]


def test_show_tells_every_wording(app: Flask) -> None:
    """The wording that a sign-up agreed to is found here by its version."""
    make(app, thank_you_message="See you.\nBring boots.")
    make(app, wording=None, thank_you_message="See you.\nBring boots.")
    make(app, wording="Yes, daily.", thank_you_message="See you.\nBring boots.")
    answer = run(app, "show", "spring-news")
    assert answer.exit_code == 0
    assert answer.stdout.splitlines() == [
        "Form             spring-news",
        "State            in use",
        "Name             Spring newsletter",
        f"List             {LIST_ID}",
        "Field            email, required: E-mail",
        "Field            first_name, required: What shall we call you?",
        "Field            phone: Telephone",
        "Thanks           See you.",
        "                 Bring boots.",
        "Protection       none",
        "Most waiting     10000",
        f"Site             {SHOP}",
        "Consent 1        Yes, write to me.",
        "Consent 2        none was asked for",
        "Consent 3        Yes, daily.",
    ]


CREATE = ["create", "--slug", "spring-news", "--name", "Spring newsletter", "--list", LIST_ID]


def test_create_makes_a_form_and_prints_its_address(app: Flask) -> None:
    """The labels are the usual ones; without further options it asks for the address only."""
    answer = run(app, *CREATE)
    assert (answer.exit_code, answer.stdout) == (0, "http://127.0.0.1:5000/forms/spring-news\n")
    made = app.extensions["services"].forms.find("spring-news")
    assert [field.name for field in made.fields] == ["email"]
    assert (made.name, made.list_ids, made.consent) == ("Spring newsletter", (LIST_ID,), None)
    assert app.test_client().get("/forms/spring-news").status_code == 200


def test_create_takes_everything_about_a_form(app: Flask) -> None:
    """As the page in the dashboard does."""
    fields = [
        "--field",
        "first_name:required",
        "--field",
        "sms_number",
        "--field",
        "custom_fields[Shoe size]",
    ]
    consents = ["--consent", "Yes, write to me.", "--sms-consent", "Yes, text me.", "--sms-country", "us"]
    then = ["--thanks", "See you.", "--thank-you-page", "https://www.example.org/thanks"]
    sites = ["--origin", f"{SHOP}/a-page", "--origin", "https://www.example.org", "--protect-existing"]
    more = ["--tag", "Spring fair", "--tag", "Walk-in", "--protection", "standard"]
    assert run(app, *CREATE, *fields, *consents, *then, *sites, *more).exit_code == 0
    assert run(app, "show", "spring-news").stdout.splitlines() == [
        "Form             spring-news",
        "State            in use",
        "Name             Spring newsletter",
        f"List             {LIST_ID}",
        "Field            email, required: E-mail",
        "Field            first_name, required: First name",
        "Field            sms_number: Mobile number for text messages",
        "Field            custom_fields[Shoe size]: Shoe size",
        "Tag              Spring fair",
        "Tag              Walk-in",
        "Thanks           See you.",
        "Thank-you page   https://www.example.org/thanks",
        "Protection       standard",
        "Most waiting     10000",
        f"Site             {SHOP}",
        "Site             https://www.example.org",
        "Contacts         keep what they have already",
        "Consent 1        Yes, write to me.",
        "SMS consent 1    Yes, text me.",
        "SMS country      US",
    ]


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--slug", "Spring"], "--slug: Use small letters"),
        (["--list", "x"], "--list: This is not a list id"),
        (["--field", "salary"], "'--field': “salary”: one of email, first_name"),
        (["--field", "phone:always"], "'--field': “phone:always”"),
        (["--field", "birthday_day"], "--field: Ask for the month"),
        (["--field", "sms_number"], "--sms-consent: Write what people agree to"),
        (["--origin", "example.org"], "--origin: “example.org” is not"),
        (["--thank-you-page", "javascript:alert(1)"], "--thank-you-page: Enter a whole address"),
    ],
)
def test_create_names_the_option_that_is_wrong(app: Flask, more: list[str], named: str) -> None:
    """Exit code 2, nothing made, nothing on standard output."""
    answer = run(app, *CREATE, *more)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert named in answer.stderr
    assert app.extensions["services"].forms.all() == []


def test_create_changes_no_form_that_is_there(app: Flask) -> None:
    """An archived form is not changed either."""
    before = make(app, slug="spring-news", name="First")
    answer = run(app, *CREATE)
    assert answer.exit_code == 2
    assert "--slug: There is a form of this short name" in answer.stderr
    assert app.extensions["services"].forms.get("spring-news") == before


def test_archive_ends_a_form(app: Flask) -> None:
    """A form is archived once; one that is not in use is an error."""
    make(app)
    answer = run(app, "archive", "spring-news")
    assert answer.exit_code == 0
    assert "archived" in answer.stdout
    assert app.extensions["services"].forms.find("spring-news") is None
    assert "State            archived" in run(app, "show", "spring-news").stdout


@pytest.mark.parametrize("words", [["show", "nothing"], ["archive", "nothing"], ["archive", "old"]])
def test_a_form_that_is_not_there_is_named(app: Flask, words: list[str]) -> None:
    """Exit code 1, nothing on standard output."""
    make(app, slug="old")
    run(app, "archive", "old")
    answer = run(app, *words)
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert f"There is no form {words[1]}" in answer.stderr


@pytest.mark.parametrize("words", [["list"], ["show", "x"], ["archive", "x"], CREATE])
def test_a_broken_database_is_told_in_one_sentence(app: Flask, tmp_path: Path, words: list[str]) -> None:
    """With the way to the doctor, and no traceback."""
    (tmp_path / "subscriber-sync.db").write_text("This is no database. " * 100)
    answer = run(app, *words)
    assert answer.exit_code == 1
    assert "flask doctor" in answer.stderr
    assert "Traceback" not in answer.output
