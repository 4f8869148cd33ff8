"""A refresh token from the environment: a way to begin, never a way to go on."""

import hashlib
from collections.abc import Callable

import structlog

from oauth.context import OAuthContext

log = structlog.get_logger(__name__)


def plant(seed: str, context: OAuthContext, *, first_ignored: Callable[[str], bool]) -> bool:
    """Begins with this refresh token where none is stored, once; to be called once at the start.

    A stored token is newer than any seed, and a superseded one sent again may end the whole connection
    (RFC 9700 section 4.14). So a used seed is remembered by its hash and stays unused also after Disconnect.
    The event ``seed_ignored`` tells of another seed beside stored tokens, once, as it stands in the
    environment at every start; a seed that was used is passed over in silence.

    Args:
        seed: The refresh token.
        context: The context.
        first_ignored: Whether a seed of this hash is ignored for the first time; remembers it.

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
