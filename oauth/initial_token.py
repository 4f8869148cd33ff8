"""A refresh token from the environment: a way to begin, never a way to go on."""

import hashlib
from collections.abc import Callable

import structlog

from oauth.encryption import TokenCipher
from oauth.storage import ConnectionStorage

_log = structlog.get_logger(__name__)


def plant(
    seed: str,
    *,
    vault: ConnectionStorage,
    sealer: TokenCipher,
    fingerprint: str,
    clock: Callable[[], int],
    first_ignored: Callable[[str], bool],
    on_event: Callable[[str, str | None], None],
) -> bool:
    """Begins with this refresh token where none is stored, once; to be called once at the start.

    A stored token is newer than any seed, and a superseded one sent again may end the whole connection
    (RFC 9700 section 4.14). So a used seed is remembered by its hash and stays unused also after Disconnect.
    The event ``seed_ignored`` tells of another seed beside stored tokens, once, as it stands in the
    environment at every start; a seed that was used is passed over in silence.

    Args:
        seed: The refresh token.
        vault: Where the connection row lives.
        sealer: Seals it.
        fingerprint: Names this installation.
        clock: Epoch ms.
        first_ignored: Whether a seed of this hash is ignored for the first time; remembers it.
        on_event: Hears of what was done.

    Returns:
        Whether the seed is the connection now.
    """
    seed_hash = hashlib.sha256(seed.encode()).hexdigest()
    planted = vault.plant_seed(
        refresh_sealed=sealer.seal(seed), seed_hash=seed_hash, fingerprint=fingerprint, now=clock()
    )
    if planted:
        _log.info("seed_planted")
        on_event("seeded", None)
    elif vault.read().seed_hash != seed_hash and first_ignored(seed_hash):
        _log.warning("seed_ignored")
        on_event("seed_ignored", "Tokens are stored already; CONSTANT_CONTACT_REFRESH_TOKEN can be removed.")
    return planted
