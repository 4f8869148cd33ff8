"""Static files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flask.testing import FlaskClient

VENDOR = Path(__file__).parents[2] / "static" / "vendor"


def test_vendored_files_are_what_their_makers_published() -> None:
    """Every vendored file is listed with its sum, and none was changed."""
    lines = [line.split() for line in (VENDOR / "CHECKSUMS").read_text().splitlines() if line[0] != "#"]
    listed = {name: digest for digest, name, _source, _licence in lines}
    present = {path.name for path in VENDOR.iterdir()} - {"CHECKSUMS"}
    assert set(listed) == present
    for name, digest in listed.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name


def test_styles_are_served(client: FlaskClient) -> None:
    """The style sheets that pages link to exist and are CSS."""
    for path in ("/static/vendor/pico.min.css", "/static/site.css"):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (200, "text/css")
        answer.close()
