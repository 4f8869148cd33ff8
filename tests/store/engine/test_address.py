"""Where a database lies, without its password."""

import pytest

from store.engine.database import place


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:////srv/data/app.db?mode=rw", "/srv/data/app.db"),
        ("postgresql://ann:s3cret@db.example.org:5432/app?password=s3cret", "db.example.org:5432/app"),
        ("postgres://ann:s3%40cret@db.example.org/app", "db.example.org/app"),
        ("postgres://db.example.org/app", "db.example.org/app"),
        # Passwords that nobody escaped.
        ("postgres://ann:s3/cret@db.example.org/app", "DATABASE_URL"),
        ("postgres://ann:s3@cret@db.example.org/app", "DATABASE_URL"),
        ("postgres://ann:12#s3cret@db.example.org/app", "DATABASE_URL"),
        ("postgres://db.example.org:5432/app?user=u&password=p@s3cret", "DATABASE_URL"),
    ],
)
def test_a_place_never_shows_a_password(url: str, expected: str) -> None:
    """The place is a path, or host and name; a URL that is not plain is not shown at all."""
    assert place(url) == expected
