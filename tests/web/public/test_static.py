"""Static files."""

import gzip
import hashlib
import os
import re
from pathlib import Path

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient

from web.public import static_files

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("folder", ["static/vendor", "tests/end_to_end/vendor"])
def test_vendored_files_are_what_their_makers_published(folder: str) -> None:
    """Every vendored file is listed with its sum, and none was changed."""
    vendor = ROOT / folder
    lines = [line.split() for line in (vendor / "CHECKSUMS").read_text().splitlines() if line[0] != "#"]
    listed = {name: digest for digest, name, _source, _licence in lines}
    present = {path.name for path in vendor.iterdir()} - {"CHECKSUMS"}
    assert set(listed) == present
    for name, digest in listed.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest, name


def test_the_script_for_other_sites_is_small_and_may_be_included(client: FlaskClient) -> None:
    """Under 8 KB on the wire, kept by browsers for an hour, and allowed on pages that isolate themselves."""
    answer = client.get("/embed.js")
    assert (answer.status_code, answer.mimetype) == (200, "text/javascript")
    assert len(gzip.compress(answer.data)) < 8_000
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    answer.close()


PAGE_FILES = re.compile(r'(?:href|src)="(/static/[^"]+)"')


def page_files(browser: FlaskClient, page: str) -> list[str]:
    """Return the addresses of the style sheets and scripts of ours that the page loads."""
    return PAGE_FILES.findall(browser.get(page).text)


def test_a_pages_files_are_kept_until_they_change(admin: FlaskClient) -> None:
    """Each address names the file's content, so a browser asks once; any other version is asked for again."""
    addresses = page_files(admin, "/admin/")
    assert len(addresses) == 6
    for address in addresses:
        with admin.get(address) as answer:
            assert answer.status_code == 200
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        for other in (address.partition("?")[0], f"{address}0"):
            with admin.get(other) as answer:
                assert answer.status_code == 200
                assert answer.headers["Cache-Control"] == "no-cache"
    assert admin.get("/static/nothing.css?v=1").status_code == 404


def test_a_changed_file_has_another_address(tmp_path: Path) -> None:
    """The version is of the content, also while the process runs."""
    changing = Flask("changing", static_folder=str(tmp_path))
    static_files.install(changing)
    addresses = set()
    for number, text in enumerate(("a", "b", "a")):
        (tmp_path / "x.css").write_text(text)
        os.utime(tmp_path / "x.css", ns=(number, number))
        with changing.test_request_context():
            addresses.add(url_for("static", filename="x.css"))
    assert len(addresses) == 2


def test_visitors_pages_load_no_script_of_the_admins(admin: FlaskClient) -> None:
    """The pages behind the sign-in have htmx and the times."""
    for page in ("/", "/thank-you", "/docs"):
        assert [address for address in page_files(admin, page) if ".js" in address] == []


@pytest.mark.parametrize("page", ["/admin/", "/admin/suspected/", "/admin/forms/new", "/thank-you", "/docs"])
def test_a_page_and_its_files_are_under_50_kb(connected: FlaskClient, page: str) -> None:
    """As a browser transfers them at its first visit, with the longest lists that a page shows."""
    services = connected.application.extensions["services"]
    list_id = connected.application.config["PUBLIC_LIST_IDS"][0]
    for number in range(60):
        trap = {"website": "x"} if number % 2 else {}
        person = {"email": f"person{number}@long-department.example.org", "first_name": f"Ada {number}"}
        connected.post("/subscribe", json={"list_id": list_id, "source": "footer", **person, **trap})
    assert services.suspected.counts().total == 30
    asked = {"Accept-Encoding": "gzip", "Sec-Fetch-Site": "same-origin"}
    with connected.get(page, headers=asked) as answer:
        sizes = {page: len(answer.data)}
        packed = "Content-Encoding" in answer.headers
        text = (gzip.decompress(answer.data) if packed else answer.data).decode()
    for address in PAGE_FILES.findall(text):
        with connected.get(address, headers=asked) as answer:
            sizes[address] = len(answer.data)
    assert sum(sizes.values()) < 50_000, sizes
