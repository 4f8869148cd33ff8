"""What signs: the keys made from SECRET_KEY, those for visitors kept in the database as well."""

from __future__ import annotations

from collections.abc import Callable

from oauth.encryption import TokenCipher
from oauth.errors import Undecryptable
from services.access.derived_keys import DerivedKeys
from services.protection.visitor_keys import VisitorKeys
from settings import Settings
from store.key_value import KeyValue


def derived_keys(settings: Settings) -> DerivedKeys:
    """One key for each purpose."""
    return DerivedKeys(settings.secret_key.get_secret_value())


def build_visitor_keys(
    settings: Settings, meta: KeyValue, sealer: TokenCipher, clock: Callable[[], int]
) -> VisitorKeys:
    """`clock` is the one that all hosts of a database share."""

    def unseal(text: str) -> str | None:
        try:
            return sealer.unseal(text)
        except Undecryptable:
            return None

    return VisitorKeys(
        derived_keys(settings).visitors, meta=meta, seal=sealer.seal, unseal=unseal, clock=clock
    )
