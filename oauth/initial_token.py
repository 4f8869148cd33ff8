"""The refresh token of the environment, which starts a connection once and never replaces stored tokens."""

import hashlib
from collections.abc import Callable

import structlog

from oauth.context import OAuthContext

log = structlog.get_logger(__name__)


def plant(seed: str, context: OAuthContext, *, first_ignored: Callable[[str], bool]) -> bool:
    """Store this refresh token where none is stored and it never was; to be called once at the start.

    A stored token is newer than any seed, and a superseded one sent again may end the whole connection
    (RFC 9700 section 4.14). So a used seed is remembered by its hash and stays unused also after Disconnect.
    The event ``seed_ignored`` tells of another seed beside stored tokens, once and not at every start; a
    seed that was used before causes no event.

    Args:
        seed: The refresh token.
        context: What the parts of this package share.
        first_ignored: Remembers that a seed of this hash is ignored; returns whether that is the first time.

    Returns:
        Whether the seed is the connection now.
    """
    seed_hash = hashlib.sha256(seed.encode()).hexdigest()
    planted = context.storage.plant_seed(
        refresh_sealed=context.cipher.seal(seed),
        seed_hash=seed_hash,
        fingerprint=context.fingerprint,
        now=context.clock(),
    )
    if planted:
        log.info("seed_planted")
        context.audit("seeded", None)
    elif context.storage.read().seed_hash != seed_hash and first_ignored(seed_hash):
        log.warning("seed_ignored")
        context.audit(
            "seed_ignored", "Tokens are stored already; CONSTANT_CONTACT_REFRESH_TOKEN can be removed."
        )
    return planted
