"""Sign-ups that are not suspected, counted by form for its share of the day's quota."""

from dataclasses import replace

from store.engine.database import Database
from store.signups.accept import Signups
from store.signups.batch import Judgement
from store.signups.believed import AcceptedByForm
from tests.store.signups.test_suspected import signup


def test_what_strangers_sent_is_counted_by_form(database: Database) -> None:
    """Within a time span; neither suspected ones nor those sent by a server."""
    signups = Signups(database)
    for name, at, form_id, asker in (
        ("a", 9, 1, "form"),
        ("b", 10, 1, "form"),
        ("c", 19, 1, "form"),
        ("d", 19, None, "form"),
        ("e", 19, 1, "api:12345678"),
        ("f", 20, 1, "form"),
    ):
        sent = replace(signup(name, at), form_id=form_id, asked_by=asker)
        signups.accept(sent, kind="sign_up", payload={})
    signups.accept(signup("g", 15), kind="sign_up", payload={}, judgement=Judgement(broken=("x",)))
    assert AcceptedByForm(database).count("form", since=10, before=20) == {1: 2, None: 1}
