"""Who submits a sign-up, by what they present."""

from __future__ import annotations

from dataclasses import dataclass

# The name under which sign-ups without an API key are stored.
STRANGER = "form"


@dataclass(frozen=True)
class Requester:
    """Who submits: an anonymous form, or the holder of an API key."""

    name: str


ANONYMOUS = Requester(STRANGER)
