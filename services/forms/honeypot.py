"""The honeypot: the name of the field that people do not see and programs fill in.

Each form has its own name for it, which never changes, since HTML that is copied into a site stays there for
years. Earlier releases called it `website` in every form, which is also a question that people are asked.
"""

import hashlib
from functools import lru_cache

# The name of a field that programs like to fill in with their advertisement.
BAIT = "website"


@lru_cache(maxsize=1024)
def trap_name(slug: str | None) -> str:
    """Return the name of the field in the form of that slug; None for sign-ups that name no form."""
    # No secret: a program that reads the page sees it anyway.
    digest = hashlib.sha256(f"trap of {slug or ''}".encode(errors="replace")).hexdigest()
    return f"{BAIT}_{digest[:8]}"
