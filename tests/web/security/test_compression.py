"""Which answers are compressed, and which must not be."""

import gzip

import pytest
from flask.testing import FlaskClient

ASKED = {"Accept-Encoding": "gzip, br"}


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_page_that_the_person_asked_for_is_compressed(admin: FlaskClient, site: str) -> None:
    """By a link of ours or by typing its address; caches are told what it depends on."""
    answer = admin.get("/admin/", headers=ASKED | {"Sec-Fetch-Site": site})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Content-Length"] == str(len(answer.data))
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert "<h1" in gzip.decompress(answer.data).decode()


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", None])
def test_a_page_that_another_site_may_have_asked_for_is_not(admin: FlaskClient, site: str | None) -> None:
    """Its compressed length would tell how much of the CSRF token a guess in the address has right."""
    headers = ASKED | ({} if site is None else {"Sec-Fetch-Site": site})
    answer = admin.get("/admin/suspected/?address=guess", headers=headers)
    assert "Content-Encoding" not in answer.headers
    assert "csrf_token" in answer.text


def test_a_browser_that_takes_no_gzip_gets_none(admin: FlaskClient) -> None:
    """Neither for a page nor for a file."""
    for path in ("/admin/", "/static/vendor/pico.min.css"):
        with admin.get(path, headers={"Sec-Fetch-Site": "none"}) as answer:
            assert "Content-Encoding" not in answer.headers
            assert "Accept-Encoding" in answer.headers["Vary"]


@pytest.mark.parametrize("script", ["/embed.js", "/proof.js"])
def test_a_script_for_other_sites_is_compressed(client: FlaskClient, script: str) -> None:
    """It is the same for all, and holds no secret."""
    with client.get(script, headers=ASKED | {"Sec-Fetch-Site": "cross-site"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        packed = gzip.decompress(answer.data)
    with client.get(script) as plain:
        assert plain.data == packed


def test_a_file_is_compressed_for_everybody(client: FlaskClient) -> None:
    """It holds no secret; asked for again by its tag, it is not sent again."""
    with client.get("/static/vendor/pico.min.css", headers=ASKED) as packed:
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "Accept-Ranges" not in packed.headers
        tag, data = packed.headers["ETag"], packed.data
    with client.get("/static/vendor/pico.min.css") as plain:
        assert gzip.decompress(data) == plain.data
        assert len(data) < len(plain.data) / 5
    with client.get("/static/vendor/pico.min.css", headers=ASKED | {"If-None-Match": tag}) as again:
        assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("path", ["/health", "/forms", "/admin/sign-in/forged"])
def test_documents_and_errors_are_left_alone(client: FlaskClient, path: str) -> None:
    """Only pages and files that are there are worth it."""
    answer = client.get(path, headers=ASKED | {"Sec-Fetch-Site": "none"})
    assert "Content-Encoding" not in answer.headers
