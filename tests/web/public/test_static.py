"""Static files."""

import gzip
import hashlib
from pathlib import Path

import pytest
from flask.testing import FlaskClient

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


def test_styles_are_served(client: FlaskClient) -> None:
    """The style sheets that pages link to exist and are CSS."""
    for path in ("/static/vendor/pico.min.css", "/static/site.css"):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (200, "text/css")
        answer.close()
