"""`flask contacts`: what an operator types, reads and gets as an exit code."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from app import create_app
from settings import Settings
from store.outbox.requested import RequestedDeliveries

ANN = "ann@example.org"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(Settings.from_env({"DATA_DIR": str(tmp_path), "DELIVERY": "off"}))
    yield app
    app.extensions["parts"].database.close()


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["contacts", *words])


def test_unsubscribe_stores_a_delivery_and_names_it(app: Flask) -> None:
    """Asked twice it is one, which waits already."""
    first = run(app, "unsubscribe", " Ann@Example.ORG", "--reason", "asked by phone")
    (stored,) = RequestedDeliveries(app.extensions["parts"].database).newest(10)
    assert (stored.contact_key, stored.state) == (ANN, "ready")
    assert (first.exit_code, first.stdout.splitlines()) == (
        0,
        [
            f"Ann@Example.ORG will be unsubscribed: delivery {stored.id}.",
            "`flask contacts list` shows what becomes of it.",
        ],
    )
    second = run(app, "unsubscribe", ANN, "--reason", "asked again")
    assert second.exit_code == 0
    assert second.stdout.startswith(f"{ANN} is being unsubscribed already: delivery {stored.id}.")
    listed = run(app, "list").stdout.split("  ")
    assert (listed[0], listed[2:]) == (stored.id, ["ready", ANN, "unsubscribe: asked by phone\n"])


def test_who_left_before_is_named(app: Flask) -> None:
    """By the table of opt-outs, which the delivery checks at the vendor."""
    store = app.extensions["parts"].storage.store
    store.opt_outs.left(ANN, left_at=1_795_253_896_123)
    answer = run(app, "unsubscribe", ANN, "--reason", "asked by phone")
    assert "By what is known here they had left before, at 2026-11-21T09:38:16.123Z." in answer.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["ann@", "--reason", "asked"], "“ann@” is no e-mail address."),
        ([ANN, "--reason", " "], "Say why, in at most 255 characters."),
        ([ANN], "Missing option '--reason'"),
    ],
)
def test_what_cannot_be_meant_is_an_error_of_usage(app: Flask, words: list[str], sentence: str) -> None:
    """A sentence, exit code 2, and nothing stored."""
    answer = run(app, "unsubscribe", *words)
    assert answer.exit_code == 2
    assert sentence in answer.stderr
    assert run(app, "list").stderr == "No change was asked for.\n"


def test_a_database_that_refuses_is_a_loud_failure(tmp_path: Path) -> None:
    """Nothing goes to the spool: whoever asks is there to ask again."""
    (tmp_path / "app.db").mkdir()
    url = f"sqlite:///{tmp_path / 'app.db'}"
    app = create_app(Settings.from_env({"DATA_DIR": str(tmp_path), "DELIVERY": "off", "DATABASE_URL": url}))
    answer = run(app, "unsubscribe", ANN, "--reason", "asked by phone")
    assert answer.exit_code == 1
    assert "The database cannot be used" in answer.stderr
