"""The name of the field that people do not see and programs fill in.

Each form has a name of its own for it, which stays, since HTML is copied into sites for years. Before, every
form's was called `website`, which is also a question that people are asked.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

# What programs look for to leave their advertisement in.
BAIT = "website"


@lru_cache(maxsize=1024)
def trap_name(slug: str | None) -> str:
    """What the trap of that form is called; None for sign-ups that name no form."""
    # Nothing secret: a program that reads the page sees it anyway.
    digest = hashlib.sha256(f"trap of {slug or ''}".encode(errors="replace")).hexdigest()
    return f"{BAIT}_{digest[:8]}"
