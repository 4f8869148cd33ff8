"""/admin/sign-in, the one-time link, and signing out."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from werkzeug.security import generate_password_hash

from tests.web.conftest import PASSWORD, MakeApp, csrf_token, sign_in, use_link


class ThreeHoursAgo(TimestampSigner):
    """Signs as if it were three hours ago."""

    def get_timestamp(self) -> int:
        return super().get_timestamp() - 3 * 3600


def new_link(app: Flask) -> str:
    return f"/admin/sign-in/{app.extensions['services'].admin.new_link_token()}"


def test_the_dashboard_asks_strangers_to_sign_in(client: FlaskClient) -> None:
    """Anonymous browsers are led to the sign-in page, and back to where they wanted to go."""
    answer = client.get("/admin/")
    assert (answer.status_code, answer.location) == (303, "/admin/sign-in?next=/admin/")
    answer = client.get("/oauth/start")
    assert (answer.status_code, answer.location) == (303, "/admin/sign-in?next=/oauth/start")


def test_a_callbacks_code_gets_into_no_address(client: FlaskClient) -> None:
    """A session that ended during the consent does not copy the code into the sign-in page's address."""
    answer = client.get("/oauth/callback?code=abc&state=def")
    assert answer.location == "/admin/sign-in"


def test_the_right_password_signs_in_for_twelve_hours(client: FlaskClient) -> None:
    """The session's cookie is HttpOnly and Lax, lasts 12 h, and opens the dashboard."""
    answer = sign_in(client)
    assert (answer.status_code, answer.location) == (303, "/admin/")
    cookie = client.get_cookie("subscriber_sync")
    assert cookie is not None
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert cookie.max_age is None
    assert "Expires=" in answer.headers["Set-Cookie"]
    assert client.get("/admin/").status_code == 200


def test_the_twelve_hours_are_not_prolonged(admin: FlaskClient) -> None:
    """The time runs from the sign-in: later pages send no new cookie, those for visitors never one."""
    admin.get("/admin/")
    for path in ("/admin/", "/", "/thank-you"):
        assert "Set-Cookie" not in admin.get(path).headers


def test_a_page_left_open_over_lunch_still_works(client: FlaskClient) -> None:
    """A CSRF token is valid for as long as the session."""
    client.get("/admin/sign-in")
    with client.session_transaction() as session:
        raw = session["csrf_token"]
    key = client.application.config["WTF_CSRF_SECRET_KEY"]
    token = URLSafeTimedSerializer(key, salt="wtf-csrf-token", signer=ThreeHoursAgo).dumps(raw)
    answer = client.post("/admin/sign-in", data={"csrf_token": token, "password": PASSWORD})
    assert answer.status_code == 303


def test_signing_in_replaces_the_session(client: FlaskClient) -> None:
    """What was in the session before, a planted CSRF token for instance, is gone."""
    client.get("/admin/sign-in")
    with client.session_transaction() as session:
        session["planted"] = "x"
    sign_in(client)
    with client.session_transaction() as session:
        assert set(session) == {"_permanent", "admin"}


def test_the_cookie_is_secure_over_https(make_app: MakeApp) -> None:
    """With an https address the session's cookie never travels in the clear."""
    client = make_app(PUBLIC_BASE_URL="https://signup.example.com").test_client()
    answer = client.get("/admin/sign-in", base_url="https://signup.example.com")
    assert "; Secure" in answer.headers["Set-Cookie"]


def test_a_wrong_password_is_401(client: FlaskClient) -> None:
    """The page says so, and nobody is signed in."""
    answer = sign_in(client, "a wrong guess")
    assert answer.status_code == 401
    assert "This is not the password." in answer.text
    assert "a wrong guess" not in answer.text
    assert client.get("/admin/").status_code == 303


def test_guessing_is_slowed_down(client: FlaskClient) -> None:
    """After ten wrong passwords even the right one must wait, and the page says how long."""
    for _ in range(10):
        assert sign_in(client, "wrong").status_code == 401
    answer = sign_in(client)
    assert (answer.status_code, answer.mimetype) == (429, "text/html")
    assert int(answer.headers["Retry-After"]) > 0
    assert "flask sign-in-link" in answer.text


def test_signing_in_needs_a_csrf_token(client: FlaskClient) -> None:
    """Another site cannot sign a browser in; the page tells what to do."""
    answer = client.post("/admin/sign-in", data={"password": "x"})
    assert answer.status_code == 400
    assert "Load the page again" in answer.text


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/admin/\r\nX: y",
        "javascript:x",
        "/health",
        "",
    ],
)
def test_no_other_destination_is_accepted(client: FlaskClient, wanted: str) -> None:
    """After signing in a browser goes to our own pages only."""
    assert sign_in(client, next=wanted).location == "/admin/"
    assert client.get("/admin/sign-in", query_string={"next": wanted}).location == "/admin/"


def test_who_came_to_connect_goes_on_connecting(client: FlaskClient) -> None:
    """The answer is a page with Refresh, since form-action would block a redirect to the vendor."""
    answer = sign_in(client, next="/oauth/start")
    assert answer.status_code == 200
    assert answer.headers["Refresh"] == "0; url=/oauth/start"
    assert client.get("/oauth/start").status_code == 302


def test_a_link_signs_in_once(app: Flask) -> None:
    """The printed link works once, and a second browser is asked for the password."""
    link, browser, other = new_link(app), app.test_client(), app.test_client()
    opened = other.get(link)
    answer = use_link(browser, link)
    assert (answer.status_code, answer.location) == (303, "/admin/")
    assert browser.get("/admin/").status_code == 200
    # Whoever goes back is where the link led already.
    assert [browser.get(link).location, browser.post(link).location] == ["/admin/", "/admin/"]
    late = other.post(link, data={"csrf_token": csrf_token(opened.text)})
    for refused in (late, other.get(link)):
        assert refused.status_code == 401
        assert "Sign in with the password" in refused.text
    assert other.get("/admin/").status_code == 303


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_looking_at_a_link_does_not_use_it_up(app: Flask, method: str) -> None:
    """Mail and chat programs fetch links for a preview, by GET, HEAD or OPTIONS."""
    link = new_link(app)
    for _ in range(3):
        preview = app.test_client()
        preview.open(link, method=method)
        assert preview.get("/admin/").status_code == 303
    assert use_link(app.test_client(), link).status_code == 303


def test_the_page_of_a_link_tells_nobody_of_it(app: Flask) -> None:
    """The address holds the token: no cache keeps the page, no referrer names it, and it runs no script."""
    link = new_link(app)
    page = app.test_client().get(link)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert "<script" not in page.text
    assert page.text.count(link.rpartition("/")[2]) == 1


def test_the_button_works_over_https_without_a_referrer(make_app: MakeApp) -> None:
    """That page sends no Referer, which CSRFProtect's check would require over HTTPS."""
    app = make_app(PUBLIC_BASE_URL="https://signup.example.com")
    assert (
        use_link(app.test_client(), new_link(app), base_url="https://signup.example.com").status_code == 303
    )


@pytest.mark.parametrize("sent", [{}, {"csrf_token": ""}, {"csrf_token": "forged"}])
def test_no_other_site_presses_the_button(app: Flask, sent: dict[str, str]) -> None:
    """A post without the page's own token signs nobody in and leaves the link as it was."""
    link, browser = new_link(app), app.test_client()
    browser.get(link)
    answer = browser.post(link, data=sent)
    assert answer.status_code == 400
    assert "Load the page again" in answer.text
    assert browser.get("/admin/").status_code == 303
    assert use_link(browser, link).status_code == 303


def test_a_forged_link_is_401(client: FlaskClient) -> None:
    """A made-up token signs nobody in."""
    assert client.get("/admin/sign-in/forged").status_code == 401
    token = csrf_token(client.get("/admin/sign-in").text)
    assert client.post("/admin/sign-in/forged", data={"csrf_token": token}).status_code == 401
    assert client.get("/admin/").status_code == 303


def test_signing_out(admin: FlaskClient) -> None:
    """The button ends the session."""
    token = csrf_token(admin.get("/admin/").text)
    answer = admin.post("/admin/sign-out", data={"csrf_token": token})
    assert (answer.status_code, answer.location) == (303, "/admin/sign-in")
    assert admin.get("/admin/").status_code == 303


def test_signing_out_ends_a_copy_in_another_browser(
    app: Flask, admin: FlaskClient, make_app: MakeApp
) -> None:
    """A cookie copied before is refused afterwards, by any process; other sessions go on."""
    cookie, other = admin.get_cookie("subscriber_sync"), app.test_client()
    assert cookie is not None
    sign_in(other)
    copies = [app.test_client(), make_app().test_client()]
    for copy in copies:
        copy.set_cookie("subscriber_sync", cookie.value)
        assert copy.get("/admin/").status_code == 200
    admin.post("/admin/sign-out", data={"csrf_token": csrf_token(admin.get("/admin/").text)})
    for copy in copies:
        for path in ("/admin/", "/admin/forms/", "/oauth/start"):
            assert copy.get(path).status_code == 303
        assert copy.get("/lists").status_code == 401
    assert other.get("/admin/").status_code == 200


def test_only_a_session_of_ours_is_looked_up(app: Flask, client: FlaskClient) -> None:
    """The store is not read for visitors and for made-up cookies."""
    with app.extensions["parts"].database.transaction() as connection:
        connection.exec_driver_sql("DROP TABLE spent_tokens")
    for value in ("", "x", "eyJhZG1pbiI6IngifQ.x.y"):
        client.set_cookie("subscriber_sync", value)
        assert client.get("/admin/").status_code == 303
        assert client.get("/lists").status_code == 401


def test_signing_out_needs_a_csrf_token(admin: FlaskClient) -> None:
    """Another site cannot sign an admin out."""
    assert admin.post("/admin/sign-out").status_code == 400
    assert admin.get("/admin/").status_code == 200


def test_a_new_password_ends_old_sessions(admin: FlaskClient, make_app: MakeApp) -> None:
    """A session of the old password is signed out after the change."""
    cookie = admin.get_cookie("subscriber_sync")
    assert cookie is not None
    same, changed = make_app(), make_app(ADMIN_PASSWORD=generate_password_hash("another", "scrypt:1024:8:1"))
    for app, status in ((same, 200), (changed, 303)):
        browser = app.test_client()
        browser.set_cookie("subscriber_sync", cookie.value)
        assert browser.get("/admin/").status_code == status
