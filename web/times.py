"""Template filters that write epoch milliseconds as a UTC time, for people or for machines."""

from datetime import UTC, datetime

from flask import Flask


def install(app: Flask) -> None:
    """Register both filters for the templates."""
    app.add_template_filter(readable, "readable_time")
    app.add_template_filter(machine, "machine_time")


def readable(epoch_ms: int) -> str:
    """Return a time like “21 Nov 2026, 09:38 UTC”."""
    moment = datetime.fromtimestamp(epoch_ms / 1000, UTC)
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def machine(epoch_ms: int) -> str:
    """Return a time like “2026-11-21T09:38:16Z”, for <time datetime>."""
    return f"{datetime.fromtimestamp(epoch_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
