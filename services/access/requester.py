"""Who sends a request, by the API key it brings."""

from dataclasses import dataclass

# The name under which sign-ups without an API key are stored.
STRANGER = "form"


@dataclass(frozen=True)
class Requester:
    """An anonymous form, or the holder of an API key."""

    name: str


ANONYMOUS = Requester(STRANGER)
