"""The admin's page of what Constant Contact refused, and what a form says of a list that is gone."""

from flask import Flask
from flask.testing import FlaskClient

from services.account.lists import LISTS
from store.engine.database import Database
from store.key_value import KeyValue
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.signups.records import SignupRecords
from tests.store.conftest import accept
from tests.web.conftest import csrf_token

PAGE = "/admin/signups/"
OLD, NEW = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
ID = "01890000-0000-7000-8000-000000000001"


def parked(app: Flask) -> Database:
    database: Database = app.extensions["parts"].database
    accept(database, ID, at=1_000)
    with database.transaction() as connection:
        connection.exec_driver_sql(f'UPDATE deliveries SET payload = \'{{"list_memberships":["{OLD}"]}}\'')
    claimed = Deliveries(database, monotonic=lambda: 0.0).claim(2_000)
    assert isinstance(claimed, Claimed)
    Deliveries(database).park(claimed, now=2_000, error="The list 'Spring' no longer exists.")
    return database


def post(admin: FlaskClient, path: str, **form: str) -> str:
    token = csrf_token(admin.get(PAGE).text)
    answer = admin.post(f"{PAGE}{path}", data={"csrf_token": token, **form})
    assert answer.status_code == 303
    return admin.get(answer.location).text


def state(database: Database) -> tuple[str, str | None]:
    record = SignupRecords(database).find(ID)
    assert record is not None
    return record.state, record.note


def test_a_refused_one_is_sent_again(app: Flask, admin: FlaskClient) -> None:
    """A parked sign-up is made due by itself or with all; the page says why it was refused."""
    database = parked(app)
    assert "no longer exists" in admin.get(PAGE).text
    assert "It will be sent again shortly." in post(admin, f"{ID}/retry")
    assert state(database) == ("ready", None)
    assert "Sign-ups that will be sent again: 0." in post(admin, "retry")


def test_one_is_dropped_with_a_reason(app: Flask, admin: FlaskClient) -> None:
    """Without a reason it stays parked."""
    database = parked(app)
    assert "Say why" in post(admin, f"{ID}/drop", reason=" ")
    assert "stays on record" in post(admin, f"{ID}/drop", reason="A test")
    assert state(database) == ("dropped", "Dropped: A test")


def test_what_waits_for_one_list_goes_to_another(app: Flask, admin: FlaskClient) -> None:
    """An id that is no list id is named, and nothing changes."""
    database = parked(app)
    assert "is no list" in post(admin, "lists", old="Spring", new=NEW)
    assert "Sign-ups that now go to the other list: 1." in post(admin, "lists", old=OLD, new=NEW)
    assert state(database)[0] == "ready"


def test_strangers_and_posts_without_a_token_change_nothing(
    app: Flask, client: FlaskClient, admin: FlaskClient
) -> None:
    """The page is for admins, and each of its forms carries a CSRF token."""
    database = parked(app)
    assert client.get(PAGE).status_code == 303
    assert client.post(f"{PAGE}{ID}/drop", data={"reason": "x"}).status_code in {303, 400}
    assert admin.post(f"{PAGE}{ID}/drop", data={"reason": "x"}).status_code == 400
    assert state(database)[0] == "parked"


def test_a_form_says_that_its_list_is_gone(app: Flask, admin: FlaskClient) -> None:
    """Its page, the list of forms, /health for admins and the doctor name the list by its last name."""
    services = app.extensions["services"]
    services.forms.save({"slug": "news", "name": "News", "list_ids": [OLD], "fields": []}, new=True)
    meta = KeyValue(app.extensions["parts"].database)
    empty = f'{{"fetched_at": 1, "{LISTS.name}": []}}'
    meta.put(LISTS.meta_key, empty)
    meta.put(f"{LISTS.meta_key}_lost", f'{{"{OLD}": "Spring"}}')
    sentence = "The list &#39;Spring&#39; no longer exists at Constant Contact"
    assert sentence in admin.get("/admin/forms/").text
    assert sentence in admin.get("/admin/forms/news").text
    problems = services.health.report().problems
    assert [each.public for each in problems if each.code == "form_outdated"] == [False]
    found = " ".join(map(str, services.doctor.examine()))
    assert "Form “News”: The list 'Spring' no longer exists" in found
