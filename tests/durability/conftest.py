"""What the scenarios of the proof are given."""

import os

import pytest


@pytest.fixture
def seed() -> int:
    """Return the same seed in each run; DURABILITY_SEED chooses another."""
    return int(os.environ.get("DURABILITY_SEED") or 20261121)
