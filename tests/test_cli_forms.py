"""`flask forms`: what an operator types, reads and gets as an exit code."""

from __future__ import annotations

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
    app.extensions["database"].close()


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["forms", *words])


def test_list_shows_every_form(app: Flask) -> None:
    """A line each with its state; none is said on standard error."""
    assert "make one at /admin/forms/" in run(app, "list").stderr
    make(app)
    make(app, slug="old", name="Old\x1b[2J letters")
    run(app, "archive", "old")
    answer = run(app, "list")
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert answer.stdout.splitlines() == [
        "old                       archived  Old�[2J letters",
        "spring-news               in use    Spring newsletter",
    ]


def test_show_tells_every_wording(app: Flask) -> None:
    """The consent of a sign-up is looked up here by its version."""
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


def test_archive_ends_a_form(app: Flask) -> None:
    """Once; what is not in use cannot be archived."""
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


@pytest.mark.parametrize("words", [["list"], ["show", "x"], ["archive", "x"]])
def test_a_broken_database_is_told_in_one_sentence(app: Flask, tmp_path: Path, words: list[str]) -> None:
    """With the way to the doctor, and no traceback."""
    (tmp_path / "subscriber-sync.db").write_text("This is no database. " * 100)
    answer = run(app, *words)
    assert answer.exit_code == 1
    assert "flask doctor" in answer.stderr
    assert "Traceback" not in answer.output
