"""Fixtures that every folder of tests may use."""

from tests.postgresql_server import postgresql_url  # noqa: F401
